import * as assert from "uvu/assert";
import {
  encodeJoinProof,
  formatJoinToken,
  type JoinToken,
  parseJoinProof,
  parseJoinToken,
} from "../../src/identity/join-token.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("identity/join-token");

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function tokenWith(parts: Partial<JoinToken> = {}): JoinToken {
  const random = seeded("join-token");
  return {
    host: "control.example",
    port: 8_443,
    trustDomain: "cluster.local",
    pins: [random.bytes(32)],
    id: random.bytes(8),
    secret: random.bytes(32),
    ...parts,
  };
}

test("a token is one word and is read as it was written", () => {
  const random = seeded("round-trip");
  const longest = `${"a".repeat(63)}.`.repeat(3) + "a".repeat(61);
  const table: Partial<JoinToken>[] = [
    {},
    { host: "127.0.0.1", port: 1 },
    { host: "2001:db8::1", port: 65_535 },
    { pins: [random.bytes(32), random.bytes(32)] },
    { host: longest, trustDomain: longest, pins: [random.bytes(32), random.bytes(32)] },
  ];
  for (const parts of table) {
    const token = tokenWith(parts);
    const text = formatJoinToken(token);
    assert.match(text, /^or1_[A-Za-z0-9_-]+$/);
    assert.equal(parseJoinToken(text), token);
    assert.equal(parseJoinToken(` ${text}\r\n`), token);
  }
});

test("formatJoinToken() throws for fields that a reader would refuse", () => {
  const table: Partial<JoinToken>[] = [
    { host: "" },
    { host: "a b" },
    { host: "[::1]" },
    { port: 0 },
    { port: 65_536 },
    { trustDomain: "" },
    { trustDomain: "Cluster.local" },
    { pins: [] },
    { pins: [new Uint8Array(31)] },
    { pins: [1, 2, 3].map(() => new Uint8Array(32)) },
    { id: new Uint8Array(7) },
    { secret: new Uint8Array(33) },
    { host: "a".repeat(300) },
  ];
  for (const parts of table) {
    assert.throws(() => formatJoinToken(tokenWith(parts)), RangeError, JSON.stringify(parts));
  }
});

test("no prefix of a token is one, and none with a character changed, added or left out", () => {
  const text = formatJoinToken(tokenWith());
  for (let end = 0; end < text.length; end += 1) {
    assert.is(parseJoinToken(text.slice(0, end)), null, `prefix of ${end}`);
    assert.is(parseJoinToken(text.slice(0, end) + text.slice(end + 1)), null, `without ${end}`);
    for (const char of ["A", "b", "_", "-", "=", "+", " ", "\0", "\u0661"]) {
      const after = text.slice(end + 1);
      if (text[end] !== char) {
        assert.is(parseJoinToken(text.slice(0, end) + char + after), null, `${char} at ${end}`);
      }
      const added = text.slice(0, end) + char + text.slice(end);
      if (added.trimStart() !== text)
        assert.is(parseJoinToken(added), null, `${char} before ${end}`);
    }
  }
});

test("what is not a token is null, however long", () => {
  const text = formatJoinToken(tokenWith());
  const encoded = text.slice(4);
  const table = [
    "",
    "or1_",
    "or1_AAAA",
    `or2_${encoded}`,
    `OR1_${encoded}`,
    encoded,
    `${text}=`,
    `${text} ${text}`,
    `${text}${"\n".repeat(5_000)}`,
    `or1_${"A".repeat(1_000_000)}`,
  ];
  for (const each of table) assert.is(parseJoinToken(each), null, each.slice(0, 40));
});

test("a proof is 40 bytes, or the text of a token as a stock proxy sends it", () => {
  const token = tokenWith();
  const proof = { id: token.id, secret: token.secret };
  const bytes = encodeJoinProof(token);
  assert.is(bytes.length, 40);
  assert.equal(parseJoinProof(bytes), proof);
  const { id, secret } = parseJoinProof(ascii(`${formatJoinToken(token)}\n`)) ?? proof;
  assert.equal({ id, secret }, proof);
  for (const bad of [new Uint8Array(0), new Uint8Array(39), new Uint8Array(41)]) {
    assert.is(parseJoinProof(bad), null);
  }
  assert.is(parseJoinProof(new Uint8Array(1_000_000)), null);
  assert.is(parseJoinProof(Uint8Array.of(0xff, ...ascii(formatJoinToken(token)))), null);
});

test.run();
