/**
 * A mesh for tests of the real program: an anchor with an issuer, the certificates of `web` (whose
 * sidecar is under test) and of `caller`, as files for `--identity-dir`. What every test of hostile
 * peers has to show is here too: no byte at the application, the program and its workers alive, and a
 * good client served.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  type Authority,
  type Der,
  type Issued,
  type IssueOptions,
  identityOf,
  makeAuthority,
  toPem,
} from "./certificates.ts";
import { eventually } from "./eventually.ts";
import { type Program, startProgram } from "./program.ts";
import { parseMetrics } from "./prometheus.ts";
import { fixedOrigin, type RawOrigin } from "./raw.ts";
import { TlsParty } from "./tls-engine.ts";
import { askTls } from "./tls-peer.ts";

export const WEB = identityOf("web");
export const CALLER = identityOf("caller");
/** What a client asks for when it means our sidecar. */
export const SNI = WEB.dns;
export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
export const CANARY = "GET /canary HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";

const folders: string[] = [];
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new folder that is removed in the end. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-mtls-"));
  folders.push(folder);
  return folder;
}

export type Mesh = {
  readonly anchor: Authority;
  readonly issuer: Authority;
  /** Another anchor of the same name. */
  readonly foreign: Authority;
  readonly web: Issued;
  readonly caller: Issued;
  /** Good clients: with TLS alone, and with the transport header's protocol. */
  readonly client: TlsParty;
  readonly direct: TlsParty;
  /** Folders of `--identity-dir`. */
  readonly webDir: string;
  readonly callerDir: string;
};

export const TRANSPORT = "transport.l5d.io/v1";

export async function makeMesh(): Promise<Mesh> {
  const anchor = await makeAuthority();
  const issuer = await makeAuthority({ parent: anchor });
  const foreign = await makeAuthority({ name: "anchor" });
  const web = await issuer.issue(namesOf(WEB));
  const caller = await issuer.issue(namesOf(CALLER));
  return {
    anchor,
    issuer,
    foreign,
    web,
    caller,
    client: clientOf(caller),
    direct: clientOf(caller, [TRANSPORT]),
    webDir: writeIdentity(makeFolder(), web, [anchor.root]),
    callerDir: writeIdentity(makeFolder(), caller, [anchor.root]),
  };
}

export function namesOf({ dns, uri }: { dns: string; uri: string }): IssueOptions {
  return { dns: [dns], uris: [uri] };
}

export function clientOf(
  { certificates, key }: { readonly certificates: readonly Uint8Array[]; readonly key: Uint8Array },
  alpn: readonly string[] = [],
): TlsParty {
  return new TlsParty({ role: "client", certificates, key, alpn });
}

/** Writes the three files and returns the folder. */
export function writeIdentity(
  folder: string,
  { certificates, key }: { readonly certificates: readonly Der[]; readonly key: Der },
  roots: readonly Uint8Array[],
): string {
  const pems = (of: readonly Uint8Array[]): string =>
    of.map((each) => toPem("CERTIFICATE", each)).join("");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tls.crt"), pems(certificates));
  writeFileSync(join(folder, "tls.key"), toPem("PRIVATE KEY", key), { mode: 0o600 });
  writeFileSync(join(folder, "ca.crt"), pems(roots));
  return folder;
}

export type Rig = {
  readonly mesh: Mesh;
  readonly program: Program;
  readonly origin: RawOrigin;
  /** The inbound listener. */
  readonly port: number;
  stop(): Promise<void>;
};

export type RigOptions = {
  readonly mesh?: Mesh;
  readonly origin?: RawOrigin;
  /** What the application speaks, as a prefix of `--app`. */
  readonly speaks?: "" | "h1:" | "h2:";
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** The sidecar of `web` before a recording origin. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const mesh = options.mesh ?? (await makeMesh());
  const origin = options.origin ?? (await fixedOrigin(OK));
  const program = await startProgram(
    [
      "--workers=1",
      "--name=web",
      `--identity-dir=${mesh.webDir}`,
      `--app=${options.speaks ?? ""}127.0.0.1:${origin.port}`,
      ...(options.args ?? []),
    ],
    options.env ?? {},
  );
  return {
    mesh,
    program,
    origin,
    port: program.port("inbound"),
    stop: async () => {
      const faults = faultsOf(program);
      program.child.kill("SIGKILL");
      await program.exited;
      await origin.close();
      assert.equal(faults, []);
    },
  };
}

/** Stops programs at once. Throws when one had ended before, or had told of a fault. */
export async function stopAll(...programs: readonly Program[]): Promise<void> {
  const faults = programs.flatMap(faultsOf);
  for (const { child } of programs) child.kill("SIGKILL");
  await Promise.all(programs.map(({ exited }) => exited));
  assert.equal(faults, []);
}

function faultsOf(program: Program): string[] {
  const { exitCode, signalCode } = program.child;
  const isSound = exitCode === null && signalCode === null;
  if (isSound && !/a connection failed|worker.*(ended|died)/.test(program.log())) return [];
  return [`exit code ${exitCode}, signal ${signalCode}: ${program.log()}`];
}

/** The sum of a counter over all workers; `name` as in the catalogue. */
export async function count(program: Program, name: string): Promise<number> {
  return (await counts(program)).get(name) ?? Number.NaN;
}

/** All counters that have no labels, by their names in the catalogue. */
export async function counts(program: Program): Promise<ReadonlyMap<string, number>> {
  const families = parseMetrics(await (await program.admin("/metrics")).text());
  const found = new Map<string, number>();
  for (const [family, { samples }] of families) {
    const name = /^outrigger_(.+)_total$/.exec(family)?.[1];
    if (name === undefined) continue;
    found.set(
      name,
      samples.reduce((sum, { value }) => sum + value, 0),
    );
  }
  return found;
}

/** Waits until a counter has risen by `by` since `before`, and shows that it rises no further. */
export async function rises(
  program: Program,
  before: ReadonlyMap<string, number>,
  name: string,
  by = 1,
): Promise<void> {
  const start = before.get(name) ?? Number.NaN;
  assert.ok(!Number.isNaN(start), `no counter ${name}`);
  let risen = 0;
  try {
    await eventually(
      async () => {
        risen = (await count(program, name)) - start;
        return risen >= by;
      },
      { withinMs: 3_000 },
    );
  } catch {
    const changed = [...(await counts(program))]
      .filter(([key, value]) => value !== before.get(key))
      .map(([key, value]) => `${key} +${value - (before.get(key) ?? 0)}`);
    throw new Error(`${name} rose by ${risen} instead of ${by}: ${changed.join(", ")}`);
  }
  assert.is(risen, by, name);
}

/** A good client gets its answer through TLS, and the application learns who it is. */
export async function assertServes({ mesh, origin, port }: Rig): Promise<void> {
  const before = headsOf(origin).length;
  const reply = await askTls(port, mesh.client, SNI, CANARY);
  assert.match(reply.text, /^HTTP\/1.1 200 [\s\S]*ok$/);
  const heads = headsOf(origin).slice(before);
  assert.is(heads.length, 1);
  assert.match(heads[0] ?? "", /^GET \/canary /);
  assert.equal(clientIdsOf(heads[0] ?? ""), [`l5d-client-id: ${CALLER.dns}`]);
}

/** Nothing has come to the application but canaries, and no worker was lost. */
export async function assertUnharmed({ program, origin }: Rig): Promise<void> {
  assert.is(program.child.exitCode, null, program.log());
  for (const text of origin.received) assert.match(text, ONLY_CANARIES);
  const now = await counts(program);
  for (const name of ["worker_restarts", "worker_faults", "descriptor_violations"]) {
    assert.is(now.get(name), 0, name);
  }
}

const ONLY_CANARIES = /^(?:GET \/canary HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n)*$/;

/** The heads that came to an origin, of requests without bodies, connection by connection. */
export function headsOf({ received }: RawOrigin): string[] {
  return received.flatMap((text) => text.split("\r\n\r\n").slice(0, -1));
}

/** The lines of a head that tell who the client is, however they are written. */
export function clientIdsOf(head: string): string[] {
  return head.split("\r\n").filter((line) => /^\s*l5d-client-id/i.test(line));
}
