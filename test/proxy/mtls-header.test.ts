// timeout: 120s
/**
 * The transport header inside TLS: whole, in pieces, false and missing; and protocols that are not
 * where they belong: HTTP/2 where HTTP/1 was announced, TLS at the outbound listener. The port is the
 * application's or none: being in the mesh opens nothing else that listens on loopback.
 */
import * as assert from "uvu/assert";
import {
  encodeTransportHeader,
  TRANSPORT_HEADER_BYTES_MAX,
  type TransportHeader,
} from "../../src/codec/transport-header.ts";
import { clientHello } from "../support/client-hello.ts";
import { eventually } from "../support/eventually.ts";
import { encodeFields, requestFields } from "../support/http2-fields.ts";
import { Flag, headers, PREFACE, settings } from "../support/http2-frames.ts";
import {
  assertServes,
  assertUnharmed,
  CALLER,
  CANARY,
  clientIdsOf,
  counts,
  headsOf,
  makeMesh,
  OK,
  type Rig,
  rises,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { fixedOrigin, rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { pause, TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-header");
test.timeout(20_000);
const mesh = await makeMesh();
/** Listens on loopback beside the application, and is not meant for the mesh. */
const neighbour = await fixedOrigin(OK);
const args = ["--detect-timeout=500ms"];
const rig = await startRig({ mesh, args: [...args, "--require-identity"] });
const httpOrigin = await fixedOrigin(OK);
const http = await startRig({ mesh, origin: httpOrigin, speaks: "h1:", args });
/** With the detection timeout that it has unless told, which is ten seconds. */
const patient = await startRig({ mesh, origin: await rawOrigin(() => {}) });
test.after(() => rig.stop());
test.after(() => patient.stop());
test.after(() => http.stop());
test.after(() => neighbour.close());

const PREFACE_TEXT = "transport.l5d.io/v1\r\n\r\n";

function header(parts: Partial<TransportHeader> = {}): Buffer {
  const bytes = Buffer.alloc(TRANSPORT_HEADER_BYTES_MAX);
  const whole = { port: rig.origin.port, name: "", protocol: "http1", ...parts } as const;
  return bytes.subarray(0, encodeTransportHeader(whole, bytes, 0));
}

/** A header around any message, as nobody's encoder writes it. */
function rawHeader(message: readonly number[], length: number = message.length): Buffer {
  const head = Buffer.from(`${PREFACE_TEXT}....`, "latin1");
  head.writeUInt32BE(length, PREFACE_TEXT.length);
  return Buffer.concat([head, Buffer.from(message)]);
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];

async function knock({ port }: Rig): Promise<TlsPeer> {
  const peer = await TlsPeer.connect(port, mesh.direct, SNI);
  await peer.shaken();
  assert.is(peer.engine.state, "done");
  return peer;
}

const HTTP1 = Buffer.from(CANARY);
const REQUEST = Buffer.from("GET /past-the-header HTTP/1.1\r\nHost: web\r\n\r\n");

test("HTTP/1 behind a header is served, with the header in one piece or byte by byte", async () => {
  for (const step of [1_000, 1]) {
    const peer = await knock(rig);
    const all = Buffer.concat([header(), HTTP1]);
    for (let at = 0; at < all.length; at += step) peer.write(all.subarray(at, at + step));
    assert.match(await peer.receives("ok"), /^HTTP\/1.1 200 /);
    peer.close();
    assert.equal(clientIdsOf(headsOf(rig.origin).at(-1) ?? ""), [`l5d-client-id: ${CALLER.dns}`]);
  }
  const slow = await knock(rig);
  for (const byte of header().subarray(0, 20)) {
    slow.write(Uint8Array.of(byte));
    await pause(5);
  }
  slow.write(Buffer.concat([header().subarray(20), HTTP1]));
  assert.match(await slow.receives("ok"), /^HTTP\/1.1 200 /);
  slow.close();
});

test("HTTP/2 behind a header is served", async () => {
  const peer = await knock(http);
  const block = encodeFields(requestFields("/canary"));
  const request = headers(1, block, Flag.endHeaders | Flag.endStream);
  const head = header({ port: httpOrigin.port, protocol: "http2" });
  peer.write(Buffer.concat([head, PREFACE, settings(), request]));
  await peer.receives("ok");
  assert.match(peer.text, /ok$/);
  peer.close();
  assert.equal(clientIdsOf(headsOf(httpOrigin).at(-1) ?? ""), [`l5d-client-id: ${CALLER.dns}`]);
});

test("bytes behind a header that announces nothing are carried as they are", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text.endsWith("\n\n")) socket.write("pong\n\n");
  });
  const opaque = await startRig({ mesh, origin });
  const peer = await knock(opaque);
  peer.write(Buffer.concat([header({ port: origin.port, protocol: null }), Buffer.from("pi")]));
  peer.write("ng\n\n");
  await peer.receives("pong");
  assert.equal(origin.received, ["ping\n\n"]);
  peer.close();
  await opaque.stop();
});

/** What is no header for this application, each refused by one counter. */
const FALSE: readonly (readonly [what: string, header: () => Buffer])[] = [
  ["another preface", () => Buffer.from("transport.l5d.io/v2\r\n\r\n\0\0\0\x02\x08\x50")],
  ["a preface in upper case", () => Buffer.from("TRANSPORT.L5D.IO/v1\r\n\r\n\0\0\0\x02\x08\x50")],
  ["no header but HTTP/1", () => REQUEST],
  ["no header but HTTP/2", () => PREFACE],
  ["port 0", () => rawHeader([8, 0])],
  ["port 65536", () => rawHeader([8, ...varint(65_536)])],
  ["port -1", () => rawHeader([8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
  ["no port", () => rawHeader([])],
  ["two ports", () => rawHeader([8, ...varint(rig.origin.port), 8, ...varint(rig.origin.port)])],
  ["a neighbour's port", () => header({ port: neighbour.port })],
  ["our inbound port", () => header({ port: rig.port })],
  ["our outbound port", () => header({ port: rig.program.port("outbound") })],
  ["our admin port", () => header({ port: rig.program.port("admin") })],
  ["a name", () => header({ name: "other.example.com" })],
  ["our own name", () => header({ name: SNI })],
  ["a message of 4 GB", () => rawHeader([8, 80], 0xffff_ffff)],
  ["a message of 64 KB", () => rawHeader([8, 80], 65_536)],
  ["a field cut short", () => rawHeader([8])],
  ["a name longer than the message", () => rawHeader([18, 200, 97])],
  ["a group, which protobuf gave up", () => rawHeader([11, 12])],
];

for (const [what, make] of FALSE) {
  test(`a header with ${what} is refused, and what follows is not looked at`, async () => {
    const before = await counts(rig.program);
    const peer = await knock(rig);
    peer.write(Buffer.concat([make(), REQUEST]));
    await peer.ended();
    assert.is(peer.text, "");
    peer.close();
    await rises(rig.program, before, "tls_server_transport_header");
    assert.is(neighbour.connections(), 0);
    await assertUnharmed(rig);
  });
}

test("half a header is given up after the detection timeout, silence too", async () => {
  const before = await counts(rig.program);
  const peers = await Promise.all([knock(rig), knock(rig), knock(rig)]);
  peers[0]?.write(header().subarray(0, 10));
  peers[1]?.write(header().subarray(0, -1));
  await Promise.all(peers.map((peer) => peer.ended(2_000)));
  for (const peer of peers) peer.close();
  await rises(rig.program, before, "tls_server_transport_header", 3);
  await assertServes(rig);
  await assertUnharmed(rig);
});

test("a client that ends in the middle of its header is refused at once", async () => {
  const before = await counts(patient.program);
  const peer = await knock(patient);
  peer.write(header().subarray(0, 10));
  peer.finish();
  await peer.ended(1_500);
  peer.close();
  await rises(patient.program, before, "tls_server_transport_header");
});

test("a client that says little and ends is passed on at once, and gets its answer", async () => {
  const peer = await TlsPeer.connect(patient.port, mesh.client, SNI);
  await peer.shaken();
  peer.write("ping");
  await pause(20);
  peer.finish();
  await eventually(() => patient.origin.received.includes("ping"), { withinMs: 1_500 });
  assert.is(await peer.ended(), "close_notify");
  peer.close();
});

test("HTTP/2 behind a header of HTTP/1 is refused, and the other way round", async () => {
  const first = await knock(rig);
  const block = encodeFields(requestFields("/smuggled"));
  const request = headers(1, block, Flag.endHeaders | Flag.endStream);
  first.write(Buffer.concat([header(), PREFACE, settings(), request]));
  await first.ended();
  assert.match(first.text, /^HTTP\/1.1 (400|505) /);
  first.close();
  const second = await knock(rig);
  second.write(Buffer.concat([header({ protocol: "http2" }), REQUEST]));
  await second.ended();
  assert.not.match(second.text, /^HTTP/);
  second.close();
  await assertServes(rig);
  await assertUnharmed(rig);
});

test("a client that agrees on no protocol needs no header, and a header then is only bytes", async () => {
  const origin = await rawOrigin(() => {});
  const opaque = await startRig({ mesh, origin });
  const peer = await TlsPeer.connect(opaque.port, mesh.client, SNI);
  await peer.shaken();
  const bytes = header({ port: neighbour.port });
  peer.write(bytes);
  await eventually(() => origin.received[0] === bytes.toString("latin1"));
  peer.close();
  await opaque.stop();
});

test("plaintext behind a hello for us is not looked at", async () => {
  const engine = mesh.client.engine(SNI);
  engine.handshake();
  const before = await counts(rig.program);
  const reply = await send(rig.port, Buffer.concat([engine.drain(), REQUEST]).toString("latin1"));
  assert.not.match(reply.text, /HTTP/);
  // To OpenSSL it is a record of a version that there is not.
  await rises(rig.program, before, "tls_server_version");
  engine.free();
  await assertServes(rig);
  await assertUnharmed(rig);
});

test("plaintext on a connection that shook hands ends it", async () => {
  const peer = await TlsPeer.connect(rig.port, mesh.client, SNI);
  await peer.shaken();
  peer.socket.write(REQUEST);
  assert.is.not(await peer.ended(), "close_notify");
  assert.not.match(peer.text, /HTTP/);
  peer.close();
  await assertUnharmed(rig);
});

test("TLS at the outbound listener has no target and is closed", async () => {
  const before = await counts(rig.program);
  const hello = Buffer.from(clientHello({ sni: SNI })).toString("latin1");
  const reply = await send(rig.program.port("outbound"), hello);
  assert.is(reply.text, "");
  assert.is(reply.end, "fin");
  await rises(rig.program, before, "refused_no_target");
  await assertUnharmed(rig);
});

test.run();
