/** Callers of a control plane who have joined it with a token: gRPC's own client on Node. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ControlClient } from "../../src/control/control-client.ts";
import { CONTROL_NAME, CONTROL_NAMESPACE } from "../../src/control/names.ts";
import { JoinSource } from "../../src/identity/join.ts";
import { parseJoinToken } from "../../src/identity/join-token.ts";
import { setRuntimeTimer } from "../../src/identity/source.ts";
import { Logger } from "../../src/lib/log.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import { identityFor } from "../../src/mesh/identity.ts";
import { Arena } from "../../src/net/arena.ts";
import { toPem } from "./certificates.ts";

const TRUST_DOMAIN = "cluster.local";
const JOIN_WITHIN_MS = 10_000;

/** Gets a certificate for NAME.NAMESPACE as a sidecar does. */
export async function joinMesh(
  tokenText: string,
  name: string,
  namespace = "default",
): Promise<Credentials> {
  const token = parseJoinToken(tokenText);
  const identity = identityFor(name, namespace, TRUST_DOMAIN);
  if (token === null || identity === null) throw new Error(`${tokenText}: ${name}`);
  const random = (): number => randomBytes(4).readUInt32LE();
  let credentials: Credentials | null = null;
  const client = new ControlClient({
    arena: new Arena(1),
    log: new Logger({ level: "error", format: "text" }),
    resolveHost: async () => [],
    address: null,
    trustDomain: TRUST_DOMAIN,
    current: () => credentials,
  });
  const source = new JoinSource({
    use: (given) => {
      credentials = given;
    },
    changed: () => {},
    wallMs: Date.now,
    setTimer: setRuntimeTimer,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    identity,
    certify: (request) => client.certify(request),
    readToken: () => token,
    nowMs: () => performance.now(),
    random,
    startTimeoutMs: JOIN_WITHIN_MS,
  });
  await source.start();
  source.stop();
  await client.stop();
  if (credentials === null) throw new Error(`${name} has no certificate`);
  return credentials;
}

/** Writes anchor.pem, leaf.pem and key.pem. */
export function writeCredentials(folder: string, { certificates, key, roots }: Credentials): void {
  const write = (file: string, label: string, ders: readonly Uint8Array[]): void =>
    writeFileSync(join(folder, file), ders.map((der) => toPem(label, der)).join(""));
  write("anchor.pem", "CERTIFICATE", roots);
  write("leaf.pem", "CERTIFICATE", certificates);
  write("key.pem", "PRIVATE KEY", [key]);
}

/** One stream. Messages are decoded as they are looked at. */
export type Calling<Desc extends DescMessage> = {
  readonly messages: () => readonly MessageShape<Desc>[];
  /** When each of them came, milliseconds since 1970. */
  readonly atMs: () => readonly number[];
  readonly end: () => { readonly code: number; readonly details: string } | null;
  cancel(): void;
};

type Line = { id: number; message?: string; atMs?: number; code?: number; details?: string };

/** gRPC's own client in a process of Node, with one connection. */
export class GrpcCaller {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #lines: Line[] = [];
  #last = 0;

  constructor(port: number, credentials: Credentials) {
    this.#folder = mkdtempSync(join(tmpdir(), "outrigger-caller-"));
    writeCredentials(this.#folder, credentials);
    const name = identityFor(CONTROL_NAME, CONTROL_NAMESPACE, TRUST_DOMAIN)?.dns ?? "";
    const path = fileURLToPath(new URL("../control/fixtures/calls.mjs", import.meta.url));
    const child = spawn("node", [path, String(port), name, this.#folder], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    process.on("exit", () => child.kill("SIGKILL"));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(JSON.parse(line));
    });
  }

  call<In extends DescMessage, Out extends DescMessage>(
    path: string,
    input: In,
    request: MessageInitShape<In>,
    output: Out,
  ): Calling<Out> {
    const id = ++this.#last;
    const bytes = Buffer.from(toBinary(input, create(input, request)));
    this.#say({ id, path, request: bytes.toString("base64") });
    const own = (): Line[] => this.#lines.filter((line) => line.id === id);
    const messages = () =>
      own().flatMap(({ message }) =>
        message === undefined ? [] : [fromBinary(output, Buffer.from(message, "base64"))],
      );
    return {
      messages,
      atMs: () => own().flatMap(({ atMs }) => atMs ?? []),
      end: () => {
        const end = own().find(({ code }) => code !== undefined);
        return end === undefined ? null : { code: end.code ?? 0, details: end.details ?? "" };
      },
      cancel: () => this.#say({ id, cancel: true }),
    };
  }

  /** Ends the process, and with it all its streams at once. */
  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.on("exit", resolve));
    this.#child.kill("SIGKILL");
    await exited;
    rmSync(this.#folder, { recursive: true });
  }

  #say(line: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }
}
