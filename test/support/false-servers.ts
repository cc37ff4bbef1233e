/**
 * Servers that are not the workload that a sidecar means to reach: with a certificate of another, or
 * of a stranger, with a TLS that is too old, with none at all, or with a mockery of it.
 */
import { createServer, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { type Issued, type IssueOptions, identityOf, makeAuthority } from "./certificates.ts";
import { type Mesh, namesOf, OK, WEB } from "./mtls-rig.ts";
import type { RawOrigin } from "./raw.ts";
import { TLS1_2, type TlsEngine, TlsParty } from "./tls-engine.ts";
import { startTlsServer, type TlsServer } from "./tls-peer.ts";

const HOUR_MS = 3_600_000;
const hours = (amount: number): Date => new Date(Date.now() + amount * HOUR_MS);
const NAMES = namesOf(WEB);

export function serverOf({ certificates, key }: Issued, maxVersion?: number): TlsParty {
  return new TlsParty({
    role: "server",
    certificates,
    key,
    ...(maxVersion === undefined ? {} : { maxVersion }),
  });
}

const UNTRUSTED = "tls_certificate_error";
const BROKEN = "tls_protocol_error";

/** Certificates of servers that are not `web`. */
const CERTIFICATES: readonly (readonly [name: string, options: IssueOptions])[] = [
  ["another-workload", namesOf(identityOf("other"))],
  ["another-namespace", namesOf(identityOf("web", "staging"))],
  ["another-domain", namesOf(identityOf("web", "default", "example.com"))],
  ["self-signed", { ...NAMES, isSelfSigned: true }],
  ["expired", { ...NAMES, notBefore: hours(-2), notAfter: hours(-1) }],
  ["not-yet-valid", { ...NAMES, notBefore: hours(1) }],
  ["client-only", { ...NAMES, eku: ["clientAuth"] }],
  ["ca-leaf", { ...NAMES, isCa: true }],
  ["no-name", { subject: `CN=${WEB.dns}` }],
  ["wildcard", { dns: [`*.${WEB.dns.slice("web.".length)}`] }],
  ["nul", { dns: [`${WEB.dns}\0.example.com`] }],
  ["two-names", { dns: ["other.example.com", WEB.dns] }],
];

/** Servers without TLS, or with a mockery of it: called when connected, and for what came. */
type Serve = (socket: Socket, text: string) => void;
type Raw = readonly [name: string, status: string, serve: Serve];

/** Lets an honest server answer, and sends on what `cut` makes of its first flight. */
function mangled(party: TlsParty, cut: (flight: Buffer, socket: Socket) => void): Serve {
  const engines = new Map<Socket, TlsEngine>();
  return (socket, text) => {
    if (engines.has(socket) || text === "") return;
    const engine = party.engine();
    engines.set(socket, engine);
    engine.feed(Buffer.from(text, "latin1"));
    engine.handshake();
    cut(engine.drain(), socket);
  };
}

/** The first record of a flight is the ServerHello. */
const firstRecord = (flight: Buffer): Buffer => flight.subarray(0, 5 + flight.readUInt16BE(3));

/** `honest` is what a true `web` would say, for those that spoil it. */
const rawCases = (honest: TlsParty): readonly Raw[] => [
  ["plain-http", "50[24]", (socket, text) => void (text !== "" && socket.write(OK))],
  ["speaks-first", "50[24]", (socket, text) => void (text === "" && socket.write(OK))],
  ["http2-preface", "50[24]", (socket) => void socket.write("\0\0\0\x04\0\0\0\0\0")],
  ["garbage", "50[24]", (socket) => void socket.write(Buffer.alloc(5_000, 0xa5))],
  ["silent", "504", () => {}],
  ["closes-at-once", "502", (socket) => void socket.end()],
  ["closes-after-hello", "502", (socket, text) => void (text !== "" && socket.end())],
  ["resets-after-hello", "502", (socket, text) => void (text !== "" && socket.resetAndDestroy())],
  ["alerts", "502", (socket) => void socket.write(Buffer.of(21, 3, 3, 0, 2, 2, 40))],
  ["echoes", "502", (socket, text) => void socket.write(Buffer.from(text, "latin1"))],
  [
    "half-a-hello",
    "504",
    mangled(honest, (flight, socket) => void socket.write(flight.subarray(0, 40))),
  ],
  [
    "closes-after-server-hello",
    "502",
    mangled(honest, (flight, socket) => socket.end(firstRecord(flight))),
  ],
  [
    "plain-after-server-hello",
    "502",
    mangled(honest, (flight, socket) => {
      socket.write(Buffer.concat([firstRecord(flight), Buffer.from(OK)]));
    }),
  ],
  [
    "flipped-bit",
    "502",
    mangled(honest, (flight, socket) => {
      const last = flight.length - 1;
      flight[last] = (flight[last] ?? 0) ^ 1;
      socket.write(flight);
    }),
  ],
];

export type FalseServer = {
  /** Fit to be the name of a service. */
  readonly name: string;
  /** Of the answer to a request for it, as a regular expression. */
  readonly status: string;
  /** RFC 9209 §2.3; null where it depends on the moment. */
  readonly errorType: string | null;
  readonly port: number;
  connections(): number;
  /** Throws unless all that came was TLS, and nothing in it. */
  assertNothingCame(): void;
  close(): Promise<void>;
};

/** Servers that shake hands truly, as somebody else. */
export async function startImpostors(mesh: Mesh): Promise<readonly FalseServer[]> {
  const expired = await makeAuthority({
    parent: mesh.anchor,
    notBefore: hours(-2),
    notAfter: hours(-1),
  });
  const parties: (readonly [string, TlsParty, string])[] = [
    ["other-anchor", serverOf(await mesh.foreign.issue(NAMES)), UNTRUSTED],
    ["expired-issuer", serverOf(await expired.issue(NAMES)), UNTRUSTED],
    ["tls12", serverOf(mesh.web, TLS1_2), BROKEN],
  ];
  for (const [name, options] of CERTIFICATES) {
    parties.push([name, serverOf(await mesh.issuer.issue(options)), UNTRUSTED]);
  }
  const started = parties.map(async ([name, party, errorType]) =>
    impostor(name, errorType, await startTlsServer(party)),
  );
  return Promise.all(started);
}

function impostor(name: string, errorType: string, server: TlsServer): FalseServer {
  return {
    name,
    status: "502",
    errorType,
    port: server.port,
    connections: () => server.peers.length,
    assertNothingCame: () => assert.is(server.text(), ""),
    close: server.close,
  };
}

/** Servers that do not get as far as to show a certificate. */
export async function startMockeries(mesh: Mesh): Promise<readonly FalseServer[]> {
  const started = rawCases(serverOf(mesh.web)).map(async ([name, status, serve]) =>
    mockery(name, status, await startRaw(serve)),
  );
  return Promise.all(started);
}

function mockery(name: string, status: string, server: RawOrigin): FalseServer {
  return {
    name,
    status,
    errorType: null,
    port: server.port,
    connections: server.connections,
    assertNothingCame: () => {
      for (const text of server.received) {
        assert.not.match(text, /HTTP\/|PRI \*|GET \/|POST \/|CONNECT |transport\.l5d\.io\/v1\r/);
        assertRecords(text);
      }
    },
    close: server.close,
  };
}

/** Handshake, alert, CCS and application data (RFC 8446 §5.1), whole but for the last. */
function assertRecords(text: string): void {
  for (let at = 0; at < text.length; ) {
    const type = text.charCodeAt(at);
    assert.ok(type >= 20 && type <= 23, `a record of type ${type} at ${at}`);
    assert.is(text.charCodeAt(at + 1), 3);
    at += 5 + text.charCodeAt(at + 3) * 256 + text.charCodeAt(at + 4);
  }
}

/** As rawOrigin, but `serve` is called upon the connection too, with no text. */
async function startRaw(serve: Serve): Promise<RawOrigin> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const index = received.push("") - 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      received[index] += chunk.toString("latin1");
      if (!socket.destroyed) serve(socket, received[index] ?? "");
    });
    serve(socket, "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  return {
    port: typeof at === "object" && at !== null ? at.port : 0,
    received,
    connections: () => received.length,
    close: () =>
      new Promise((done) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => done());
      }),
  };
}
