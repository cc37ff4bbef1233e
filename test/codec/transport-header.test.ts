import * as assert from "uvu/assert";
import {
  decodeTransportHeader,
  encodeTransportHeader,
  MESSAGE_BYTES_MAX,
  TRANSPORT_HEADER_BYTES_MAX,
  type TransportHeader,
  type TransportHeaderResult,
} from "../../src/codec/transport-header.ts";
import { forEachPrefix } from "../support/splits.ts";
import { suite } from "../support/test.ts";

const test = suite("codec/transport-header");

const PREFACE = "transport.l5d.io/v1\r\n\r\n";
const label63 = "l".repeat(63);
const LONGEST_NAME = `${label63}.${label63}.${label63}.${"l".repeat(61)}`;

const EXAMPLES: readonly (readonly [TransportHeader, string])[] = [
  [{ port: 1, name: "", protocol: null }, "08 01"],
  [{ port: 80, name: "", protocol: "http1" }, "08 50 1a 02 0a 00"],
  [{ port: 8080, name: "", protocol: "http2" }, "08 90 3f 1a 02 12 00"],
  [{ port: 65_535, name: "a.b", protocol: null }, "08 ff ff 03 12 03 61 2e 62"],
  [{ port: 443, name: "web", protocol: "http2" }, "08 bb 03 12 03 77 65 62 1a 02 12 00"],
];

const bytesOf = (hex: string): Uint8Array =>
  new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** A header with this message, in hexadecimal digits, and maybe another length than its own. */
function framed(message: string, length?: number): Uint8Array<ArrayBuffer> {
  const content = bytesOf(message);
  const count = length ?? content.length;
  const size = [count >>> 24, count >>> 16, count >>> 8, count].map((byte) => byte & 0xff);
  return Uint8Array.from([...Buffer.from(PREFACE), ...size, ...content]);
}

function encoded(header: TransportHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TRANSPORT_HEADER_BYTES_MAX);
  return bytes.slice(0, encodeTransportHeader(header, bytes, 0));
}

function decode(bytes: Uint8Array): TransportHeaderResult {
  return decodeTransportHeader(bytes, 0, bytes.length);
}

function errorOf(message: string): string {
  const result = decode(framed(message));
  if (typeof result === "string") return result;
  return "error" in result ? result.error : JSON.stringify(result);
}

test("a header is written and read byte for byte as linkerd2-proxy has it", () => {
  for (const [header, message] of EXAMPLES) {
    assert.equal(encoded(header), framed(message));
    assert.equal(decode(framed(message)), { ...header, end: framed(message).length });
  }
});

test("the longest header fits, and it is written where it is asked to be", () => {
  const header: TransportHeader = { port: 65_535, name: LONGEST_NAME, protocol: "http1" };
  const bytes = new Uint8Array(10 + TRANSPORT_HEADER_BYTES_MAX).fill(0xaa);
  const end = encodeTransportHeader(header, bytes, 10);
  assert.is(end, 10 + TRANSPORT_HEADER_BYTES_MAX);
  assert.ok(bytes.subarray(0, 10).every((byte) => byte === 0xaa));
  assert.equal(decodeTransportHeader(bytes, 10, end), { ...header, end });
});

test("every prefix of a header is incomplete, and what follows is left alone", () => {
  const longest: TransportHeader = { port: 65_535, name: LONGEST_NAME, protocol: "http2" };
  for (const header of [...EXAMPLES.map(([each]) => each), longest]) {
    const bytes = encoded(header);
    forEachPrefix(bytes, (prefix) => assert.is(decode(prefix), "incomplete"));
    const more = Uint8Array.from([...bytes, 0xff, 0x08, 0x01]);
    assert.equal(decode(more), { ...header, end: bytes.length });
    // What lies behind the end is not looked at.
    assert.is(decodeTransportHeader(more, 0, bytes.length - 1), "incomplete");
  }
});

test("another preface is refused at its first byte that differs", () => {
  const bytes = framed("08 50");
  for (let at = 0; at < PREFACE.length; at += 1) {
    const wrong = bytes.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 0x20;
    for (let length = 0; length <= bytes.length; length += 1) {
      const expected = length > at ? { error: "another preface" } : "incomplete";
      assert.equal(decodeTransportHeader(wrong, 0, length), expected);
    }
  }
});

test("a length above the limit is refused before the message comes", () => {
  const field = (length: number): string =>
    `08 50 7a ${((length & 0x7f) | 0x80).toString(16)} ${(length >> 7).toString(16)} ${"00".repeat(length)}`;
  const full = framed(field(MESSAGE_BYTES_MAX - 5));
  assert.equal(decode(full), { port: 80, name: "", protocol: null, end: full.length });
  for (const length of [MESSAGE_BYTES_MAX + 1, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    assert.equal(decode(framed("", length)), { error: "a message above 4096 bytes" });
  }
  assert.is(decode(framed("", MESSAGE_BYTES_MAX)), "incomplete");
});

test("a port is 1 to 65535", () => {
  for (const message of [
    "08 00",
    "08 80 80 04",
    "08 ff ff ff ff 0f",
    "08 ff ff ff ff ff ff ff ff ff 01",
    // 2^32 + 80, of which an int32 would keep 80.
    "08 d0 80 80 80 10",
  ]) {
    assert.is(errorOf(message), "a port out of range", message);
  }
  for (const message of ["", "12 03 77 65 62", "1a 02 0a 00"])
    assert.is(errorOf(message), "no port");
  // Protobuf lets a varint be padded.
  const padded = framed("08 d0 80 00");
  assert.equal(decode(padded), { port: 80, name: "", protocol: null, end: padded.length });
});

test("a name is a host name or nothing", () => {
  const withName = (name: string): string => {
    const bytes = Buffer.from(name);
    const size =
      bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
    return `08 50 12 ${Buffer.from([...size, ...bytes]).toString("hex")}`;
  };
  const nameOf = (message: string): unknown => {
    const result = decode(framed(message));
    return typeof result === "object" && "name" in result ? result.name : result;
  };
  assert.is(nameOf(withName("Web.Example.")), "web.example");
  assert.is(nameOf(withName(LONGEST_NAME)), LONGEST_NAME);
  assert.is(nameOf(withName("")), "");
  for (const name of [
    `${LONGEST_NAME}l`,
    "a b",
    "a\0b",
    "*.a",
    "10.0.0.1",
    "a..b",
    "wéb",
    "web:80",
  ]) {
    assert.is(errorOf(withName(name)), "a name that is no host name", name);
  }
  assert.is(errorOf("08 50 12 02 77 ff"), "a name that is no host name");
});

test("a protocol that is not known yet is none", () => {
  const protocolOf = (message: string): unknown => {
    const result = decode(framed(message));
    return typeof result === "object" && "protocol" in result ? result.protocol : result;
  };
  assert.is(protocolOf("08 50 1a 00"), null);
  assert.is(protocolOf("08 50 1a 02 1a 00"), null);
  assert.is(protocolOf("08 50 1a 04 1a 00 12 00"), "http2");
  // Fields to come inside Http1.
  assert.is(protocolOf("08 50 1a 06 0a 04 08 01 08 02"), "http1");
  assert.is(errorOf("08 50 1a 04 0a 00 12 00"), "two protocols");
  assert.is(errorOf("08 50 1a 03 0a 01 08"), "not a varint");
});

test("unknown fields are passed over by their wire type", () => {
  for (const unknown of [
    "20 ff ff ff ff ff ff ff ff ff 01",
    "21 01 02 03 04 05 06 07 08",
    "25 01 02 03 04",
    "22 03 08 00 08",
    "22 00 22 00",
    "f8 ff ff ff 0f 01",
  ]) {
    const bytes = framed(`${unknown} 08 50 ${unknown}`);
    assert.equal(decode(bytes), { port: 80, name: "", protocol: null, end: bytes.length }, unknown);
  }
});

test("what is no protobuf, or could be read in two ways, is refused", () => {
  const table: [string, string][] = [
    ["08", "not a varint"],
    ["08 80", "not a varint"],
    ["08 ff ff ff ff ff ff ff ff ff 02", "not a varint"],
    ["08 80 80 80 80 80 80 80 80 80 80 01", "not a varint"],
    ["08 50 12", "not a varint"],
    ["08 50 12 01", "a length beyond the end"],
    ["08 50 12 ff ff ff ff 0f 61", "a length beyond the end"],
    ["08 50 12 ff ff ff ff ff ff ff ff ff 01 61", "a length beyond the end"],
    ["08 50 1a 05 0a 00", "a length beyond the end"],
    ["08 50 1a 02 0a 01", "a length beyond the end"],
    ["08 50 21 01 02", "a value beyond the end"],
    ["08 50 25 01 02", "a value beyond the end"],
    ["08 50 23 24", "an unknown wire type"],
    ["08 50 26 00", "an unknown wire type"],
    ["08 50 00 01", "not a field"],
    ["08 50 02 00", "not a field"],
    ["08 50 80 80 80 80 10 01", "not a field"],
    ["08 50 08 51", "a field twice"],
    ["12 01 61 08 50 12 01 62", "a field twice"],
    ["08 50 1a 02 0a 00 1a 02 0a 00", "a field twice"],
    ["08 50 1a 04 0a 00 0a 00", "a field twice"],
    ["0d 50 00 00 00", "a field of another type"],
    ["0a 01 50", "a field of another type"],
    ["08 50 10 01", "a field of another type"],
    ["08 50 18 01", "a field of another type"],
    ["08 50 1a 02 08 01", "a field of another type"],
  ];
  for (const [message, reason] of table) assert.is(errorOf(message), reason, message);
});

test("encodeTransportHeader() does not take what decoders would refuse", () => {
  for (const port of [0, -1, 65_536, 1.5, Number.NaN]) {
    assert.throws(() => encoded({ port, name: "", protocol: null }), /a port/);
  }
  assert.throws(() => encoded({ port: 1, name: `${LONGEST_NAME}l`, protocol: null }), /a name/);
  assert.throws(() => encoded({ port: 1, name: "wéb", protocol: null }), /a name/);
});

test.run();
