import * as assert from "uvu/assert";
import {
  CLIENT_HELLO_BYTES_MAX,
  type ClientHelloResult,
  parseClientHello,
} from "../../../src/codec/tls/client-hello.ts";
import {
  alpn,
  clientHello,
  concat,
  EXTENSION,
  extension,
  type HelloParts,
  helloMessage,
  inRecords,
  type Lies,
  record,
  serverName,
  u16,
} from "../../support/client-hello.ts";
import { type Random, seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/tls/client-hello-lies");

function parse(bytes: Uint8Array): ClientHelloResult {
  return parseClientHello(bytes, 0, bytes.length);
}

function assertNotTls(bytes: Uint8Array, message: string): void {
  assert.equal(parse(bytes), { kind: "not-tls" }, message);
}

/** Returns the least count of bytes that is refused; every longer prefix must be refused too. */
function refusedAt(bytes: Uint8Array): number {
  let first = -1;
  for (let length = 0; length <= bytes.length; length += 1) {
    const { kind } = parseClientHello(bytes, 0, length);
    if (kind === "not-tls" && first < 0) first = length;
    if (first >= 0) assert.is(kind, "not-tls", `${length} bytes, refused with ${first}`);
  }
  return first;
}

// Offsets in a hello in one record: 9 bytes of headers, 2 of version, 32 of random, session id at 43.
const SESSION = 43;
const CIPHERS = SESSION + 1 + 32;
const COMPRESSION = CIPHERS + 2 + 6;
const EXTENSIONS = COMPRESSION + 2;
const NAME = EXTENSIONS + 2;
const ALPN = NAME + 4 + 2 + 3 + 3;

test("parseClientHello() refuses a lying length as soon as it is read", () => {
  const parts: HelloParts = { sni: "web", alpn: ["h2", "spdy"] };
  const cases: readonly (readonly [Lies, number])[] = [
    [{ handshake: -1 }, 9],
    [{ sessionId: 1 }, SESSION + 1],
    [{ sessionId: 200 }, SESSION + 1],
    [{ ciphers: 1 }, CIPHERS + 2],
    [{ ciphers: -6 }, CIPHERS + 2],
    [{ ciphers: 50_000 }, CIPHERS + 1],
    [{ compression: -1 }, COMPRESSION + 1],
    [{ compression: 200 }, COMPRESSION + 1],
    [{ extensions: 1 }, EXTENSIONS + 2],
    [{ extensions: -1 }, EXTENSIONS + 2],
    [{ extensions: 1000 }, EXTENSIONS + 1],
    [{ serverName: -4 }, NAME + 4],
    [{ serverName: 20 }, NAME + 4],
    [{ serverName: 0xff00 }, NAME + 3],
    [{ serverNameList: 1 }, NAME + 6],
    [{ serverNameList: -1 }, NAME + 6],
    [{ serverNameList: 0x100 }, NAME + 5],
    [{ hostName: 1 }, NAME + 9],
    [{ hostName: -1 }, NAME + 9],
    [{ hostName: -3 }, NAME + 9],
    [{ alpn: -7 }, ALPN + 4],
    [{ alpn: 1 }, ALPN + 4],
    [{ alpnList: 1 }, ALPN + 6],
    [{ alpnList: -1 }, ALPN + 6],
    [{ alpnName: 6 }, ALPN + 7],
    [{ alpnName: -2 }, ALPN + 7],
  ];
  for (const [lies, at] of cases) {
    assert.is(refusedAt(clientHello({ ...parts, lies })), at, JSON.stringify(lies));
  }
});

test("parseClientHello() refuses a lying length in records of any size", () => {
  const parts: HelloParts = { sni: "web", alpn: ["h2"] };
  for (const lies of [{ sessionId: 1 }, { extensions: 1 }, { hostName: 1 }, { alpnList: -1 }]) {
    for (const size of [1, 3, 50]) {
      assert.ok(refusedAt(clientHello({ ...parts, lies }, [size])) > 0, JSON.stringify(lies));
    }
  }
});

test("parseClientHello() waits for what a longer handshake length promises", () => {
  const bytes = clientHello({ isBare: true, lies: { handshake: 40 } });
  assert.is(parse(bytes).kind, "incomplete");
  assertNotTls(concat([bytes, inRecords(new Uint8Array(40))]), "the rest is no extension block");
});

test("parseClientHello() refuses what is empty and must not be", () => {
  const cases: readonly (readonly [string, HelloParts])[] = [
    ["cipher suites", { cipherBytes: 0 }],
    ["compression methods", { compressionBytes: 0 }],
    ["server_name", { extra: [extension(EXTENSION.serverName, new Uint8Array(0))] }],
    ["server_name list", { extra: [extension(EXTENSION.serverName, u16(0))] }],
    ["host name", { sni: "" }],
    ["ALPN", { extra: [extension(EXTENSION.alpn, new Uint8Array(0))] }],
    ["ALPN list", { alpn: [] }],
    ["ALPN name", { alpn: ["h2", "", "http/1.1"] }],
  ];
  for (const [name, parts] of cases) assertNotTls(clientHello(parts), name);
});

test("parseClientHello() refuses names that could be read in two ways", () => {
  assertNotTls(clientHello({ sni: ["a.example", "b.example"] }), "two host names");
  assertNotTls(clientHello({ sni: ["a.example", "a.example"] }), "one host name twice");
  assertNotTls(clientHello({ sni: "a", extra: [serverName(["b"])] }), "two server_name");
  assertNotTls(clientHello({ alpn: ["h2"], extra: [alpn(["h2"])] }), "two ALPN");
  const nameless = extension(EXTENSION.serverName, concat([u16(3), Uint8Array.of(7, 0, 0)]));
  assertNotTls(clientHello({ extra: [nameless, serverName(["b"])] }), "one without a host");
});

test("parseClientHello() refuses bytes after the hello", () => {
  const message = helloMessage({ sni: "web" });
  const finished = Uint8Array.of(20, 0, 0, 0);
  assertNotTls(record(concat([message, finished])), "a second message in its record");
  assertNotTls(clientHello({ isBare: true, lies: { handshake: -1 } }), "a body with a tail");
  const flight = concat([record(message), record(Uint8Array.of(1), 20), Uint8Array.of(23)]);
  assert.is(parse(flight).kind, "hello", "what the next records hold is not ours");
});

test("parseClientHello() refuses records that cannot carry a hello", () => {
  const message = helloMessage({ sni: "web" });
  const head = record(message.subarray(0, 20));
  const rest = message.subarray(20);
  const empty = record(new Uint8Array(0));
  assertNotTls(concat([head, record(rest, 21)]), "an alert between");
  assertNotTls(concat([head, record(rest, 20)]), "a change of cipher between");
  assertNotTls(concat([head, record(rest, 22, 0x0203)]), "a version that is not TLS");
  assertNotTls(concat([head, empty, record(rest)]), "an empty record between");
  assertNotTls(concat([empty, record(message)]), "an empty record first");
  assertNotTls(concat([head, record(new Uint8Array(rest.length + 1))]), "a record too long");
  assertNotTls(Uint8Array.of(22, 3, 1, 0x40, 1), "more than 2^14");
  assertNotTls(Uint8Array.of(22, 3, 1, 0x41), "more than 2^14, half the length");
  assertNotTls(record(Uint8Array.of(2, 0, 0, 38)), "a ServerHello");
  for (const version of [0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03ff]) {
    assert.is(parse(record(message, 22, version)).kind, "hello");
  }
  for (const version of [0x0002, 0x0200, 0x0400, 0xfeff]) {
    assertNotTls(record(message, 22, version), String(version));
  }
});

test("parseClientHello() refuses SSL 2.0 and what is not TLS with the first byte", () => {
  const ssl2 = Uint8Array.of(0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80, 3, 0, 0x80);
  assertNotTls(ssl2, "SSL 2.0");
  for (let byte = 0; byte < 256; byte += 1) {
    assert.is(parse(Uint8Array.of(byte)).kind, byte === 22 ? "incomplete" : "not-tls");
  }
  assert.equal(parse(new Uint8Array(0)), { kind: "incomplete", needBytes: 9 });
});

/** A hello of random parts. */
function randomHello(random: Random, wireBytesMax: number): Uint8Array<ArrayBuffer> {
  const name = (): string => "a".repeat(random.between(1, 12));
  const lie = (): number => (random.chance(0.05) ? random.between(-4, 4) : 0);
  const parts: HelloParts = {
    sni: random.chance(0.9) ? name() : [name(), name()],
    ...(random.chance(0.7) ? { alpn: [name(), name()] } : {}),
    ...(random.chance(0.3) ? { keyShareBytes: random.below(wireBytesMax) } : {}),
    extra: random.chance(0.5) ? [extension(random.below(0x10000), random.bytes(3))] : [],
    sessionIdBytes: random.below(34),
    cipherBytes: random.below(9),
    compressionBytes: random.below(4),
    isBare: random.chance(0.1),
    lies: { handshake: lie(), extensions: lie(), serverName: lie(), hostName: lie(), alpn: lie() },
  };
  const sizes = Array.from({ length: random.below(4) }, () => random.between(1, 120));
  return clientHello(parts, sizes);
}

function mutate(random: Random, bytes: Uint8Array): void {
  for (let count = random.below(4); count > 0; count -= 1) {
    const at = random.chance(0.7)
      ? random.below(Math.min(bytes.length, 160))
      : random.below(bytes.length);
    const byte = bytes[at] ?? 0;
    bytes[at] = random.pick([random.below(256), byte + 1, byte - 1, byte ^ 0x80, 0, 255]);
  }
}

test("parseClientHello() holds its promises on mutated hellos", () => {
  const random = seeded("mutated hellos");
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = randomHello(random, 2000);
    mutate(random, bytes);
    const cut = random.below(bytes.length + 1);
    const part = parseClientHello(bytes, 0, cut);
    const whole = parse(bytes);
    for (const [result, length] of [
      [part, cut],
      [whole, bytes.length],
    ] as const) {
      if (result.kind !== "incomplete") continue;
      assert.ok(result.needBytes > length);
      assert.ok(result.needBytes <= CLIENT_HELLO_BYTES_MAX);
    }
    if (part.kind !== "incomplete") assert.equal(part, whole, "a verdict does not change");
    else if (whole.kind === "hello") assert.ok(part.needBytes <= bytes.length);
  }
});

/** Whether some byte after the first `length` leaves a hello possible. */
function canGoOn(bytes: Uint8Array, length: number): boolean {
  const tried = bytes.slice(0, length + 1);
  for (let offset = 0; offset < 256; offset += 1) {
    tried[length] = (bytes[length] ?? 0) + offset;
    if (parse(tried).kind !== "not-tls") return true;
  }
  return false;
}

test("parseClientHello() does not wait for a hello that small records make too large", () => {
  // What is left would fit, but not in the record whose length begins with 0.
  const [high, low] = [(CLIENT_HELLO_BYTES_MAX - 100) >> 8, (CLIENT_HELLO_BYTES_MAX - 100) & 255];
  const [random, suites] = [new Array<number>(32).fill(90), new Array<number>(100).fill(90)];
  const message = [1, 0, high, low, 3, 3, ...random, 0, 0, suites.length, ...suites];
  const bytes: number[] = [];
  for (let at = 0; at < message.length; at += 3) {
    bytes.push(22, 3, 1, 0, 3, ...message.slice(at, at + 3));
  }
  let length = 0;
  while (parse(Uint8Array.from(bytes.slice(0, length))).kind === "incomplete") {
    assert.ok(canGoOn(Uint8Array.from(bytes), length), `${length}`);
    length += 1;
  }
  // 15 records, and of the next one's header all but the last byte.
  assert.is(length, 15 * 8 + 4);
});

test("parseClientHello() never waits when no further byte can mend the hello", () => {
  const random = seeded("mendable hellos");
  for (let round = 0; round < 1000; round += 1) {
    const bytes = randomHello(random, 40);
    mutate(random, bytes);
    for (let length = 0; length <= bytes.length; length += 1) {
      if (parseClientHello(bytes, 0, length).kind !== "incomplete") break;
      assert.ok(canGoOn(bytes, length), `${Array.from(bytes.subarray(0, length))}`);
    }
  }
});

test.run();
