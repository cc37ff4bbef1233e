/** What tests of the authority share: folders of their own, an open authority, requests to sign. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEvent } from "../../src/control/authority/audit.ts";
import { Authority, type IssueRequest } from "../../src/control/authority/authority.ts";
import { Fault } from "../../src/control/authority/fault.ts";
import { makeKeyAndCsr } from "../../src/identity/csr.ts";
import { identityFor } from "../../src/mesh/identity.ts";

export const DAY_MS = 86_400_000;
/** 2031-01-01, far from any real clock: a test that reads one by mistake fails. */
export const START_MS = 1_924_992_000_000;

const folders: string[] = [];
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Returns the path of a folder that is not there yet, and is removed in the end. */
export function newFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), "outrigger-authority-"));
  folders.push(parent);
  return join(parent, "control");
}

/** Returns both names of a workload in `cluster.local`. */
export function workload(name: string, namespace = "default"): { dns: string; uri: string } {
  const identity = identityFor(name, namespace, "cluster.local");
  if (identity === null) throw new Error(`no name: ${name}`);
  return identity;
}

export class Rig {
  readonly dir: string;
  readonly events: AuditEvent[] = [];
  /** Reasons, and null for "right again". */
  readonly faults: (string | null)[] = [];
  nowMs = START_MS;
  lifetimeMs = DAY_MS;

  constructor(dir = newFolder()) {
    this.dir = dir;
  }

  /** Opens the folder and returns the authority or why it is refused. */
  async tryOpen(): Promise<Authority | Fault> {
    return Authority.open({
      dir: this.dir,
      lifetimeMs: this.lifetimeMs,
      nowMs: () => this.nowMs,
      audit: (event) => this.events.push(event),
      onFault: (fault) => this.faults.push(fault?.reason ?? null),
    });
  }

  async open(): Promise<Authority> {
    return ok(await this.tryOpen());
  }

  /** A request for a certificate of `web`, with parts of it replaced. */
  async request(parts: Partial<IssueRequest> = {}): Promise<IssueRequest> {
    const identity = parts.identity ?? workload("web");
    return {
      identity,
      requested: identity.dns ?? identity.uri ?? "",
      csr: parts.csr ?? (await makeKeyAndCsr(identity)).csr,
      nowMs: this.nowMs,
      peer: "127.0.0.1:40000",
      proof: "certificate",
      ...parts,
    };
  }
}

/** Returns the value, or throws the fault as an error. */
export function ok<T>(value: T | Fault): T {
  if (value instanceof Fault) throw new Error(`fault: ${value.reason}`);
  return value;
}

/** Returns the reason of what must be a fault. */
export function reasonOf(value: unknown): string {
  if (value instanceof Fault) return value.reason;
  throw new Error("no fault");
}
