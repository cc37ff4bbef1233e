import * as assert from "uvu/assert";
import {
  formatHostPort,
  formatIp,
  isHostName,
  isLinkLocalIp,
  isLoopbackIp,
  isUnspecifiedIp,
  parseHostPort,
  parseIp,
  parsePort,
  unmapIp,
} from "../../src/mesh/address.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/address");

function hex(text: string): string | null {
  const ip = parseIp(text);
  return ip === null ? null : Buffer.from(ip).toString("hex");
}

/** The bytes of an address that the test knows to be one. */
function bytes(text: string): Uint8Array {
  const ip = parseIp(text);
  if (ip === null) throw new Error(`${text} was not read`);
  return ip;
}

test("parseIp() reads dotted IPv4", () => {
  assert.is(hex("127.0.0.1"), "7f000001");
  assert.is(hex("0.0.0.0"), "00000000");
  assert.is(hex("255.255.255.255"), "ffffffff");
});

test("parseIp() refuses what is not strictly dotted IPv4", () => {
  const table = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "256.0.0.1",
    "1.2.3.4 ",
  ];
  const tricky = [
    "01.2.3.4",
    "127.0.0.00",
    "0x7f.0.0.1",
    "1.2.3.-4",
    "+1.2.3.4",
    "1e1.2.3.4",
    "127.1",
  ];
  const odd = ["１.2.3.4", "1.2.3.4/8", "1.2.3.4\n", "2130706433", "[1.2.3.4]"];
  for (const text of [...table, ...tricky, ...odd]) assert.is(parseIp(text), null, text);
});

test("parseIp() reads every text form of RFC 4291 §2.2", () => {
  const table: [string, string][] = [
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["1::", `0001${"0".repeat(28)}`],
    ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::2:3:4:5:6:7:8", "00000002000300040005000600070008"],
    ["0:0:0:0:0:0:13.1.68.3", "0000000000000000000000000d014403"],
    ["::13.1.68.3", "0000000000000000000000000d014403"],
    ["::ffff:129.144.52.38", "00000000000000000000ffff81903426"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
  ];
  for (const [text, expected] of table) assert.is(hex(text), expected, text);
});

test("parseIp() refuses what is not IPv6", () => {
  const table = [":", ":::", "1:", ":1", "1::2::3", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9"];
  const more = [
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "[::1]",
  ];
  const v4 = [
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
    "::01.2.3.4",
    "::256.1.1.1",
    "1:2:3:4:5:6:7:1.2.3.4",
  ];
  for (const text of [...table, ...more, ...v4, ":".repeat(10_000)]) {
    assert.is(parseIp(text), null, text.slice(0, 40));
  }
});

test("formatIp() writes the form of RFC 5952 §4 and §5", () => {
  const table: [string, string][] = [
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::A", "2001:db8::a"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::ffff:c000:0201", "::ffff:192.0.2.1"],
    ["10.0.0.255", "10.0.0.255"],
  ];
  for (const [text, expected] of table) assert.is(formatIp(bytes(text)), expected, text);
  assert.throws(() => formatIp(new Uint8Array(5)), "5 bytes");
});

test("parseIp(formatIp()) gives the same bytes", () => {
  const random = seeded();
  for (let round = 0; round < 2_000; round++) {
    const ip = random.bytes(random.chance(0.2) ? 4 : 16);
    // Zero groups are what the short form is about.
    for (let at = 0; at < ip.length; at += 2) {
      if (random.chance(0.6)) ip.fill(0, at, at + 2);
    }
    assert.equal([...bytes(formatIp(ip))], [...ip]);
  }
});

test("isLoopbackIp(), isUnspecifiedIp() and isLinkLocalIp() see through mapped addresses", () => {
  for (const text of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopbackIp(bytes(text)), text);
  }
  for (const text of ["128.0.0.1", "::", "::2", "::127.0.0.1", "::ffff:10.0.0.1", "100::1"]) {
    assert.not.ok(isLoopbackIp(bytes(text)), text);
  }
  for (const text of ["0.0.0.0", "::", "::ffff:0.0.0.0"])
    assert.ok(isUnspecifiedIp(bytes(text)), text);
  for (const text of ["0.0.0.1", "::1"]) assert.not.ok(isUnspecifiedIp(bytes(text)), text);
  for (const text of ["169.254.169.254", "fe80::1", "febf::", "::ffff:169.254.0.1"]) {
    assert.ok(isLinkLocalIp(bytes(text)), text);
  }
  for (const text of ["169.253.0.1", "fec0::1", "fe7f::", "a9fe::"]) {
    assert.not.ok(isLinkLocalIp(bytes(text)), text);
  }
});

test("unmapIp() unwraps mapped addresses only", () => {
  assert.equal([...unmapIp(bytes("::ffff:1.2.3.4"))], [1, 2, 3, 4]);
  assert.is(unmapIp(bytes("::1.2.3.4")).length, 16);
  assert.is(unmapIp(bytes("1.2.3.4")).length, 4);
});

test("parseHostPort() reads names, IPv4 and bracketed IPv6", () => {
  assert.equal(parseHostPort("web:80"), { host: "web", port: 80 });
  assert.equal(parseHostPort("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.equal(parseHostPort("[::1]:65535"), { host: "::1", port: 65_535 });
  assert.equal(parseHostPort("a.b_c.example.:8"), { host: "a.b_c.example.", port: 8 });
});

test("parseHostPort() refuses a missing, doubtful or huge half", () => {
  const hosts = [
    "80",
    ":80",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[]:80",
    "[web]:80",
    "[127.0.0.1]:80",
    "*:80",
  ];
  const ports = [
    "web",
    "web:",
    "web:65536",
    "web:080",
    "web:+80",
    "web:-1",
    "web:1e3",
    "web: 80",
    "web:0x50",
  ];
  const more = [
    "http://web:80",
    "web:80/",
    "u@web:80",
    "10.0.0.256:80",
    "[fe80::1%eth0]:80",
    "we b:80",
    "",
  ];
  for (const text of [...hosts, ...ports, ...more]) assert.is(parseHostPort(text), null, text);
});

test("parsePort() reads plain digits up to 65535", () => {
  assert.is(parsePort("0"), 0);
  assert.is(parsePort("65535"), 65_535);
  for (const text of ["", "65536", "99999999999", "00", "1.0", "８０"])
    assert.is(parsePort(text), null, text);
});

test("formatHostPort() brackets IPv6 only", () => {
  assert.is(formatHostPort("web", 80), "web:80");
  assert.is(formatHostPort("::1", 80), "[::1]:80");
});

test("isHostName() wants labels of 63 and names of 253 that are no numbers", () => {
  const label = "a".repeat(63);
  const longest = `${label}.${label}.${label}.${"a".repeat(61)}`;
  for (const text of [
    "web",
    "a",
    "A-1.b",
    "_grpc._tcp.web",
    "xn--bcher-kva",
    "web.",
    "1a",
    longest,
  ]) {
    assert.ok(isHostName(text), text);
  }
  const table = [
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a..",
    "-a",
    "a-",
    "a b",
    "a/b",
    "a:1",
    "bücher",
    "a\n",
    "é",
  ];
  const numbers = ["1", "10.0.0.256", "1.2.3", "a.0x1F", "127.0.0.01", "0x"];
  for (const text of [...table, ...numbers, `${label}a`, `${longest}a`]) {
    assert.not.ok(isHostName(text), text);
  }
});

test.run();
