import * as assert from "uvu/assert";
import { hostName } from "../../../src/codec/tls/host-name.ts";
import { latin1 } from "../../support/client-hello.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/tls/host-name");

const L63 = "a".repeat(63);
const LONGEST = `${L63}.${L63}.${L63}.${"a".repeat(61)}`;

const NAMES: readonly (readonly [string, string])[] = [
  ["orders.example.com", "orders.example.com"],
  ["ORDERS.Example.COM", "orders.example.com"],
  ["orders.example.com.", "orders.example.com"],
  ["localhost", "localhost"],
  ["a", "a"],
  ["_grpc._tcp.orders", "_grpc._tcp.orders"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["a--b.example", "a--b.example"],
  ["3com.com", "3com.com"],
  ["1.2.3.4.example", "1.2.3.4.example"],
  ["a.0x7g", "a.0x7g"],
  [LONGEST, LONGEST],
  [`${LONGEST}.`, LONGEST],
];

const OTHERS: readonly string[] = [
  "",
  ".",
  "..",
  ".a",
  "a..b",
  "a..",
  "-a",
  "a-",
  "a.-b.c",
  "a-.b",
  `${L63}a`,
  `${L63}a.b`,
  `${LONGEST}a`,
  `${LONGEST}a.`,
  "*.example.com",
  "*",
  "a b",
  "a\0b",
  "orders.example.com\0",
  "b\u00fccher.example",
  "\u00ff",
  "a/b",
  "a:443",
  "user@host",
  "[::1]",
  "::1",
  "2001:db8::1",
  "127.0.0.1",
  "127.0.0.1.",
  "1",
  "127.1",
  "0x7f000001",
  "a.0X7F",
  "a.0x",
  "example.123",
];

test("hostName() lowers the case and takes off one trailing dot", () => {
  for (const [text, name] of NAMES) {
    const bytes = latin1(text);
    assert.is(hostName(bytes, 0, bytes.length), name, text);
  }
});

test("hostName() is null for what is not a DNS host name", () => {
  for (const text of OTHERS) {
    const bytes = latin1(text);
    assert.is(hostName(bytes, 0, bytes.length), null, text);
  }
});

test("hostName() reads its range only", () => {
  const bytes = latin1("-orders.example-");
  assert.is(hostName(bytes, 1, bytes.length - 1), "orders.example");
  assert.is(hostName(bytes, 8, 8), null);
});

test("hostName() accepts no byte but letters, digits, hyphen, underscore and dot", () => {
  for (let byte = 0; byte < 256; byte += 1) {
    const isAllowed = /[0-9A-Za-z_.-]/.test(String.fromCharCode(byte));
    const isName = hostName(Uint8Array.of(0x61, byte, 0x61), 0, 3) !== null;
    assert.is(isName, isAllowed, String(byte));
  }
});

test.run();
