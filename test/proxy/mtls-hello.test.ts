// timeout: 120s
/**
 * ClientHellos at the inbound listener, however they are cut, grown and garbled: one that asks for our
 * name ends here, any other goes to the application untouched, or nowhere when clients must prove who
 * they are. What is not well-formed is not ours.
 */
import * as assert from "uvu/assert";
import {
  alpn,
  clientHello,
  concat,
  EXTENSION,
  extension,
  inRecords,
  type Lies,
  record,
  serverName,
} from "../support/client-hello.ts";
import { eventually } from "../support/eventually.ts";
import {
  assertServes,
  assertUnharmed,
  CANARY,
  clientOf,
  counts,
  makeMesh,
  rises,
  SNI,
  startRig,
} from "../support/mtls-rig.ts";
import { seeded } from "../support/random.ts";
import { rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { pause, TlsPeer } from "../support/tls-peer.ts";
import { residentMiB } from "../support/tool.ts";

const test = suite("proxy/mtls-hello");
test.timeout(30_000);
const random = seeded("mtls-hello");
const mesh = await makeMesh();
/** Takes plaintext, and with it TLS for others. */
const open = await startRig({
  mesh,
  origin: await rawOrigin((socket, text) => {
    if (text.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }),
  args: ["--detect-timeout=1s"],
});
const strict = await startRig({ mesh, args: ["--require-identity", "--detect-timeout=1s"] });
test.after(() => open.stop());
test.after(() => strict.stop());

/** Knocks with a hello that is sent in these pieces, and gets an answer. */
async function served(
  cut: (hello: Buffer) => readonly Uint8Array[],
  sni = SNI,
  pauseMs = 0,
  party = mesh.client,
): Promise<void> {
  const engine = party.engine(sni);
  const peer = await TlsPeer.open(open.port, engine);
  engine.handshake();
  for (const piece of cut(engine.drain())) {
    await new Promise<void>((resolve) => void peer.socket.write(piece, () => resolve()));
    if (pauseMs > 0) await pause(pauseMs);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await peer.shaken();
  assert.is(peer.engine.state, "done", `${peer.end} ${peer.engine.reason}`);
  peer.write(CANARY);
  assert.match(await peer.receives("ok"), /^HTTP\/1.1 200 /);
  peer.close();
}

const splitAt = (hello: Buffer, at: number): Buffer[] => [
  hello.subarray(0, at),
  hello.subarray(at),
];

test("a hello in two pieces is ours, wherever it is cut", async () => {
  const engine = mesh.client.engine(SNI);
  engine.handshake();
  const { length } = engine.drain();
  assert.ok(length > 100);
  let next = 1;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < length; at = next++) {
      // With a pause the acceptor surely sees the first piece alone.
      await served((hello) => splitAt(hello, at), SNI, at % 4 === 0 ? 3 : 0);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
});

test("a hello of one byte per segment is ours", async () => {
  await served((hello) => Array.from(hello, (byte) => Uint8Array.of(byte)));
});

test("a hello over two to ten records is ours, one in records of a byte too", async () => {
  for (let count = 2; count <= 10; count++) {
    await served((hello) => {
      const message = hello.subarray(5);
      return [inRecords(message, [Math.ceil(message.length / count)])];
    });
  }
  await served((hello) => [inRecords(hello.subarray(5), [1])]);
  await served((hello) => [inRecords(hello.subarray(5), [1, 300, 2, 40])]);
});

/** Names of no meaning, so that a true hello takes about so many bytes. */
const longAlpn = (bytes: number): string[] =>
  Array.from({ length: Math.floor(bytes / 200) }, (_, i) => String(i).padEnd(199, "x"));

test("a hello of 1.6 KB, 16 KB and 60 KB is ours; a larger one is nobody's and harmless", async () => {
  for (const bytes of [1_600, 16_000, 60_000]) {
    await served((hello) => [hello], SNI, 0, clientOf(mesh.caller, longAlpn(bytes)));
  }
  const engine = clientOf(mesh.caller, longAlpn(65_400)).engine(SNI);
  const peer = await TlsPeer.open(strict.port, engine);
  peer.step();
  await peer.ended();
  assert.is(peer.text, "");
  peer.close();
});

test("our name is ours in upper case and with a trailing dot, and as one of many protocols", async () => {
  await served((hello) => [hello], SNI.toUpperCase());
  await served((hello) => [hello], `${SNI}.`);
  for (const names of [["h2"], ["http/1.1"], ["nonsense"], ["h2", "http/1.1", "x"]]) {
    await served((hello) => [hello], SNI, 0, clientOf(mesh.caller, names));
  }
});

const lie = (lies: Lies): Uint8Array => clientHello({ sni: SNI, alpn: ["h2"], lies });
const long = (bytes: number): string => "a".repeat(63).concat(".").repeat(5).slice(0, bytes);
const again = serverName([SNI]);

/** Hellos that are not for us, whatever they seem to say. */
const OTHERS: readonly (readonly [what: string, hello: Uint8Array])[] = [
  ["no server name", clientHello()],
  ["no extensions at all", clientHello({ isBare: true })],
  ["another name", clientHello({ sni: "example.com" })],
  ["an empty name", clientHello({ extra: [serverName([""])] })],
  [
    "an empty list of names",
    clientHello({ extra: [extension(EXTENSION.serverName, Uint8Array.of(0, 0))] }),
  ],
  ["an IP address", clientHello({ sni: "127.0.0.1" })],
  ["an IPv6 address", clientHello({ sni: "::1" })],
  ["a name of 255 bytes", clientHello({ sni: long(255) })],
  ["a name of 256 bytes", clientHello({ sni: long(256) })],
  ["two names, ours first", clientHello({ sni: [SNI, "example.com"] })],
  ["two names, ours last", clientHello({ sni: ["example.com", SNI] })],
  ["our name in two extensions", clientHello({ sni: SNI, extra: [again] })],
  ["a NUL behind our name", clientHello({ sni: `${SNI}\0` })],
  ["a NUL and more behind our name", clientHello({ sni: `${SNI}\0.example.com` })],
  ["a letter that is no ASCII", clientHello({ sni: `w\xe9b${SNI.slice(3)}` })],
  ["two trailing dots", clientHello({ sni: `${SNI}..` })],
  ["a wildcard", clientHello({ sni: `*${SNI.slice(3)}` })],
  ["a name that ends with ours", clientHello({ sni: `x.${SNI}` })],
  ["a name that begins with ours", clientHello({ sni: `${SNI}.example.com` })],
  ["a space before our name", clientHello({ sni: ` ${SNI}` })],
  ["GREASE only", clientHello({ extra: [extension(EXTENSION.grease, Uint8Array.of(0))] })],
  ["an empty record before ours", concat([record(new Uint8Array(0)), clientHello({ sni: SNI })])],
  ["an alert before ours", concat([record(Uint8Array.of(1, 0), 21), clientHello({ sni: SNI })])],
  [
    "a hello of SSLv2",
    Uint8Array.from([0x80, 0x2e, 1, 3, 1, 0, 21, 0, 0, 0, 16, ...random.bytes(37)]),
  ],
  ["no protocol name in ALPN", clientHello({ sni: SNI, extra: [alpn([""])] })],
  ["a handshake length too long", lie({ handshake: 1 })],
  ["a handshake length too short", lie({ handshake: -1 })],
  ["a handshake length of 16 MB", lie({ handshake: 0xfff000 })],
  ["a session id too long", lie({ sessionId: 1 })],
  ["ciphers too long", lie({ ciphers: 2 })],
  ["ciphers of half a suite", lie({ ciphers: -1 })],
  ["compression too long", lie({ compression: 60 })],
  ["extensions too long", lie({ extensions: 1 })],
  ["extensions too short", lie({ extensions: -1 })],
  ["a server name too long", lie({ serverName: 1 })],
  ["a list of names too long", lie({ serverNameList: 1 })],
  ["a list of names too short", lie({ serverNameList: -1 })],
  ["a host name too long", lie({ hostName: 1 })],
  ["a host name too short", lie({ hostName: -1 })],
  ["an ALPN too long", lie({ alpn: 3 })],
  ["an ALPN list too long", lie({ alpnList: 1 })],
  ["an ALPN name too long", lie({ alpnName: 1 })],
  ["half of ours", clientHello({ sni: SNI }).subarray(0, 60)],
];

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

for (const [what, hello] of OTHERS) {
  test(`a hello with ${what} goes to the application untouched, or nowhere`, async () => {
    const text = latin1(hello);
    const before = open.origin.connections();
    await send(open.port, text, { halfClose: true });
    await eventually(() => open.origin.received.slice(before).includes(text), {
      what: "the hello",
    });
    const denials = await counts(strict.program);
    const refused = await send(strict.port, text, { halfClose: true });
    assert.is(refused.text, "");
    assert.is.not(refused.end, "timeout");
    await rises(strict.program, denials, "denied_no_identity");
    await assertUnharmed(strict);
  });
}

/** Our name in what no TLS can be made of: an alert, and nothing at the application. */
const GARBLED: readonly (readonly [what: string, hello: Uint8Array])[] = [
  ["nothing that TLS 1.3 needs", clientHello({ sni: SNI })],
  ["a key share of zeros", clientHello({ sni: SNI, keyShareBytes: 32 })],
  ["64,000 bytes of padding", clientHello({ sni: SNI, wireBytes: 16_000 })],
  [
    "a name of a type to come before ours",
    clientHello({ sni: SNI, extra: [extension(0x7777, new Uint8Array(999))] }),
  ],
  ["garbage behind it", concat([clientHello({ sni: SNI }), random.bytes(500)])],
  [
    "an HTTP request behind it",
    concat([clientHello({ sni: SNI }), Buffer.from("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")]),
  ],
];

for (const [what, hello] of GARBLED) {
  test(`a hello for us with ${what} is refused with an alert`, async () => {
    for (const { port, program, origin } of [open, strict]) {
      const before = [await counts(program), origin.connections()] as const;
      const reply = await send(port, latin1(hello));
      assert.match(reply.text, /^\x15\x03[\x01-\x03]\0\x02\x02/);
      const after = await counts(program);
      const risen = ["tls_server_protocol", "tls_server_version"].map(
        (name) => (after.get(name) ?? 0) - (before[0].get(name) ?? 0),
      );
      assert.is((risen[0] ?? 0) + (risen[1] ?? 0), 1);
      assert.is(origin.connections(), before[1]);
    }
  });
}

test("400 clients that hold back the end of a large hello cost little memory", async () => {
  const engine = clientOf(mesh.caller, longAlpn(60_000)).engine(SNI);
  engine.handshake();
  const hello = engine.drain();
  const before = residentMiB(strict.program);
  const peers = await Promise.all(
    Array.from({ length: 400 }, async () => {
      const peer = await TlsPeer.open(strict.port, mesh.client.engine(SNI));
      peer.socket.write(hello.subarray(0, -1));
      return peer;
    }),
  );
  await assertServes(strict);
  const grownMiB = residentMiB(strict.program) - before;
  assert.ok(grownMiB < 64, `grew by ${grownMiB} MiB`);
  for (const peer of peers) await peer.ended();
  for (const peer of peers) peer.close();
  await assertServes(strict);
  await assertUnharmed(strict);
});

test.run();
