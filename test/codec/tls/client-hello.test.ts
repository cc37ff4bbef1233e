import * as assert from "uvu/assert";
import {
  ALPN_NAMES_MAX,
  CLIENT_HELLO_BYTES_MAX,
  CLIENT_HELLO_RECORDS_MAX,
  type ClientHelloResult,
  parseClientHello,
} from "../../../src/codec/tls/client-hello.ts";
import {
  capturedHello,
  clientHello,
  concat,
  EXTENSION,
  extension,
  type HelloParts,
  helloMessage,
  inRecords,
  u16,
} from "../../support/client-hello.ts";
import { forEachPrefix, forEachSplit } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/tls/client-hello");

const NOT_TLS: ClientHelloResult = { kind: "not-tls" };
const H2 = ["h2", "http/1.1"];

function hello(sni: string | null, alpn: readonly string[] = []): ClientHelloResult {
  return { kind: "hello", sni, alpn };
}

function parse(bytes: Uint8Array): ClientHelloResult {
  return parseClientHello(bytes, 0, bytes.length);
}

/** Parses as the acceptor does, no sooner than `needBytes` have come; returns the count of calls. */
function callsToDecide(bytes: Uint8Array): number {
  let length = 1;
  for (let calls = 1; ; calls += 1) {
    const result = parseClientHello(bytes, 0, length);
    if (result.kind !== "incomplete") {
      assert.is(length, bytes.length);
      return calls;
    }
    assert.ok(result.needBytes > length && result.needBytes <= bytes.length);
    length = result.needBytes;
  }
}

function assertEveryPrefixIsIncomplete(bytes: Uint8Array): void {
  forEachPrefix(bytes, (prefix, length) => {
    const result = parse(prefix);
    assert.is(result.kind, "incomplete");
    if (result.kind !== "incomplete") return;
    assert.ok(result.needBytes > length, `needs ${result.needBytes}`);
    assert.ok(result.needBytes <= bytes.length, `needs ${result.needBytes}`);
  });
}

const CAPTURED: readonly (readonly [string, ClientHelloResult])[] = [
  ["openssl-sni-alpn", hello("orders.example.com", H2)],
  ["openssl-sni", hello("orders.example.com")],
  ["openssl-alpn", hello(null, ["transport.l5d.io/v1"])],
  ["openssl-bare", hello(null)],
  ["openssl-tls1.2", hello("orders.example.com")],
  ["curl-h2", hello("orders.example.com", H2)],
  ["curl-no-alpn", hello("orders.example.com")],
  ["curl-ip", hello(null, ["http/1.1"])],
  ["go-post-quantum", hello("orders.example.com", H2)],
  ["bun-fetch", hello("localhost", ["http/1.1"])],
  ["deno-fetch", hello("localhost", H2)],
];

const GREASE = extension(EXTENSION.grease, new Uint8Array(0));
const ECH = extension(EXTENSION.encryptedClientHello, new Uint8Array(250).fill(0x77));

const BUILT: readonly (readonly [string, HelloParts, ClientHelloResult])[] = [
  ["plain", { sni: "web", alpn: H2 }, hello("web", H2)],
  ["no extensions", { isBare: true }, hello(null)],
  ["empty extension block", {}, hello(null)],
  ["shortest", { isBare: true, sessionIdBytes: 0, cipherBytes: 2 }, hello(null)],
  ["SSL 3.0", { isBare: true, legacyVersion: 0x0300 }, hello(null)],
  ["TLS 1.0", { sni: "web", legacyVersion: 0x0301 }, hello("web")],
  ["GREASE", { sni: "web", alpn: ["\n\n", "h2"], extra: [GREASE] }, hello("web", ["\n\n", "h2"])],
  ["ECH", { sni: "public.example", extra: [ECH] }, hello("public.example")],
  ["post-quantum", { sni: "web", alpn: H2, keyShareBytes: 1216 }, hello("web", H2)],
  ["two hybrid shares", { sni: "web", keyShareBytes: 1700 }, hello("web")],
];

test("parseClientHello() reads the names in hellos of real clients", () => {
  for (const [name, result] of CAPTURED) assert.equal(parse(capturedHello(name)), result, name);
});

test("parseClientHello() reads the names in hellos of every shape", () => {
  for (const [name, parts, result] of BUILT) assert.equal(parse(clientHello(parts)), result, name);
});

test("parseClientHello() returns incomplete for every proper prefix", () => {
  for (const [name] of CAPTURED) assertEveryPrefixIsIncomplete(capturedHello(name));
  for (const [, parts] of BUILT) {
    assertEveryPrefixIsIncomplete(clientHello(parts));
    assertEveryPrefixIsIncomplete(clientHello(parts, [1]));
    assertEveryPrefixIsIncomplete(clientHello(parts, [3, 1, 40, 7]));
  }
});

test("parseClientHello() reads the same wherever a hello is cut into two records", () => {
  for (const [, parts, result] of BUILT) {
    forEachSplit(helloMessage(parts), (head, tail) => {
      assert.equal(parse(concat([inRecords(head), inRecords(tail)])), result);
    });
  }
});

test("parseClientHello() reads its range only, wherever the bytes were split", () => {
  const bytes = clientHello({ sni: "web", alpn: H2 }, [60, 100]);
  const before = Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0);
  const after = new Uint8Array(16).fill(255);
  forEachSplit(bytes, (head, tail) => {
    const start = before.length;
    const part = concat([before, head, after]);
    assert.equal(parseClientHello(part, start, start + head.length), parse(head));
    const whole = concat([before, head, tail, after]);
    assert.equal(parseClientHello(whole, start, start + bytes.length), hello("web", H2));
  });
});

test("parseClientHello() reads records of any sizes", () => {
  for (const sizes of [[1], [2], [3], [4], [5], [1, 200], [4, 1], [200, 1], [64], [65], [16_384]]) {
    for (const [name, parts, result] of BUILT) {
      assert.equal(parse(clientHello(parts, sizes)), result, `${name} in ${sizes}`);
    }
    const [name, result] = ["go-post-quantum", hello("orders.example.com", H2)];
    const message = capturedHello(name).subarray(5);
    assert.equal(parse(inRecords(message, sizes)), result, `${name} in ${sizes}`);
  }
});

test("parseClientHello() asks for so much that a hello in one record takes three calls", () => {
  for (const [name] of CAPTURED) assert.is(callsToDecide(capturedHello(name)), 3, name);
  assert.is(callsToDecide(clientHello({ keyShareBytes: 60_000 }, [16_384])), 3);
});

test("parseClientHello() asks seldom even when each record has one byte", () => {
  for (const [name, parts] of BUILT) {
    assert.ok(callsToDecide(clientHello(parts, [1])) <= 48, name);
  }
});

test("parseClientHello() takes hellos up to CLIENT_HELLO_BYTES_MAX and none beyond", () => {
  // Four full records hold 65 516 bytes; with a fifth header the message may have 65 511.
  const room = CLIENT_HELLO_BYTES_MAX - 4 * 5;
  const parts = { sni: "web", sessionIdBytes: 0 };
  const spare = room - helloMessage(parts).length;
  const pad = (bytes: number): Uint8Array =>
    extension(EXTENSION.padding, new Uint8Array(bytes - 4));
  const largest = clientHello({ ...parts, extra: [pad(spare)] }, [16_384]);
  assert.is(largest.length, CLIENT_HELLO_BYTES_MAX);
  assert.equal(parse(largest), hello("web"));
  for (let length = 0; length < largest.length; length += 97) {
    const result = parseClientHello(largest, 0, length);
    assert.is(result.kind, "incomplete");
    if (result.kind === "incomplete") assert.ok(result.needBytes <= CLIENT_HELLO_BYTES_MAX);
  }
  const larger = clientHello({ ...parts, extra: [pad(spare + 1)] }, [16_384]);
  assert.equal(parse(larger), NOT_TLS);
  assert.equal(parseClientHello(larger, 0, 9), NOT_TLS, "its length is enough to tell");
  const finer = clientHello({ ...parts, extra: [pad(spare)] }, [8192]);
  assert.equal(parse(finer), NOT_TLS, "headers count");
  assert.equal(parse(Uint8Array.of(22, 3, 1, 64, 0, 1, 4, 0, 0)), NOT_TLS, "256 KiB");
});

test("parseClientHello() takes CLIENT_HELLO_RECORDS_MAX records and none beyond", () => {
  const longest = CLIENT_HELLO_RECORDS_MAX;
  const parts = { sni: "web", keyShareBytes: 0 };
  const spare = longest - helloMessage(parts).length;
  assert.equal(parse(clientHello({ ...parts, keyShareBytes: spare }, [1])), hello("web"));
  assert.equal(parse(clientHello({ ...parts, keyShareBytes: spare + 1 }, [1])), NOT_TLS);
});

test("parseClientHello() has no name for an entry that is not a DNS host name", () => {
  const long = `${"a".repeat(63)}.`.repeat(4);
  for (const sni of ["10.0.0.1", "::1", "*.example.com", "a\0b", "b\u00fc", "a..b", ".", "-a"]) {
    assert.equal(parse(clientHello({ sni })), hello(null), sni);
  }
  for (const length of [254, 255, 256]) {
    assert.equal(parse(clientHello({ sni: long.slice(0, length) })), hello(null));
    assert.equal(parse(clientHello({ sni: "a".repeat(length) })), hello(null));
  }
  assert.equal(parse(clientHello({ sni: "a".repeat(65_000) }, [16_384])), hello(null));
  assert.equal(parse(clientHello({ sni: "Web.Example." })), hello("web.example"));
  assert.equal(parse(clientHello({ sni: long.slice(0, 253) })), hello(long.slice(0, 253)));
});

test("parseClientHello() skips names of types to come (RFC 6066 §3)", () => {
  const host = concat([Uint8Array.of(0), u16(3), Uint8Array.of(0x77, 0x65, 0x62)]);
  const other = concat([Uint8Array.of(9), u16(2), Uint8Array.of(1, 2)]);
  const nameless = concat([Uint8Array.of(7), u16(0)]);
  for (const [list, sni] of [
    [[other, nameless, host], "web"],
    [[host, other], "web"],
    [[nameless], null],
    [[other, nameless], null],
  ] as const) {
    const data = concat([u16(concat(list).length), ...list]);
    const bytes = clientHello({ extra: [extension(EXTENSION.serverName, data)] });
    assert.equal(parse(bytes), hello(sni));
    assertEveryPrefixIsIncomplete(bytes);
  }
});

test("parseClientHello() returns ALPN names byte by byte and ALPN_NAMES_MAX at the most", () => {
  const every = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  const names = ["unknown/9", every.slice(0, 128), every.slice(128), "x".repeat(255), "\0"];
  assert.equal(parse(clientHello({ alpn: names })), hello(null, names));
  const many = Array.from({ length: 30_000 }, (_, index) => String.fromCharCode(index % 256));
  const result = parse(clientHello({ sni: "web", alpn: many }, [16_384]));
  assert.equal(result, hello("web", many.slice(0, ALPN_NAMES_MAX)));
});

test("parseClientHello() keeps nothing between calls", () => {
  const long = clientHello({ sni: "first.example", alpn: H2 }, [10]);
  const short = clientHello({ sni: "b" }, [10]);
  const first = parse(long);
  assert.equal(parse(short), hello("b"));
  assert.equal(parseClientHello(long, 0, 40).kind, "incomplete");
  assert.equal(parse(short), hello("b"));
  assert.equal(first, hello("first.example", H2));
});

test.run();
