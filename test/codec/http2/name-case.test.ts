// The case of HTTP/1 names: told in signs and given back, whoever wrote the signs.
import * as assert from "uvu/assert";
import {
  bytesOf,
  fieldOf,
  hashName,
  NAME_HASH_SEED,
} from "../../../src/codec/http1/field-names.ts";
import { FieldSection, Step } from "../../../src/codec/http1/field-section.ts";
import {
  applyNameCase,
  isPlainCase,
  nameCaseBytesMax,
  writeNameCase,
  writeNameSign,
} from "../../../src/codec/http2/name-case.ts";
import { type Random, seeded } from "../../support/random.ts";
import { latin1, textOf } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http2/name-case");

const TEXT_ROOM = 65_536;
const CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~|";

/** The signs that these names get. */
function signsOf(names: readonly string[]): string {
  const lines = names.map((name) => `${name}: v\r\n`).join("");
  const bytes = latin1(`${lines}\r\n`);
  const fields = new FieldSection();
  fields.reset(0);
  assert.is(fields.parse(bytes, 0, bytes.length), Step.done);
  const out = new Uint8Array(nameCaseBytesMax(fields.count) + 1);
  const end = writeNameCase(bytes, 0, fields, out, 0);
  assert.ok(end <= nameCaseBytesMax(fields.count), "the room is enough");
  return textOf(out, 0, end);
}

/** The names that come out when these, in lower case, come with the signs. */
function restored(names: readonly string[], signs: string, isChunked = false): string[] {
  const base = 32;
  const lines = names.map((name) => `${name.toLowerCase()}: v\r\n`).join("");
  const bytes = new Uint8Array(TEXT_ROOM);
  const fields = new FieldSection();
  fields.reset(0);
  bytes.set(latin1(lines), base);
  let at = 0;
  for (const name of names) {
    const lower = bytesOf(name.toLowerCase());
    const id = fieldOf(lower, 0, lower.length, lower.reduce(hashName, NAME_HASH_SEED));
    fields.add(id, at, at + name.length, at + name.length + 2, at + name.length + 3);
    at += name.length + 5;
  }
  const start = base + at;
  bytes.set(latin1(signs), start);
  const textEnd = start + signs.length;
  const to = applyNameCase(bytes, base, fields, start, textEnd, textEnd, isChunked);
  assert.ok(to >= textEnd && to <= textEnd + "transfer-encoding: chunked\r\n".length);
  assert.is(textOf(bytes, start, textEnd), signs, "the signs stay");
  return Array.from({ length: fields.count }, (_, i) => {
    return textOf(bytes, base + fields.nameStart(i), base + fields.nameEnd(i));
  });
}

function anyName(random: Random): string {
  const length = random.pick([1, 2, 3, 4, 5, 7, 8, 20, 126, 127, 128]);
  let name = "";
  while (name.length < length) name += random.pick([...CHARS]);
  // TE is the one name so short that it could come up by chance and has no sign.
  if (name.toLowerCase() === "te") name = "xx";
  return random.pick([name, name.toLowerCase(), name.toUpperCase()]);
}

test("each kind of case has its sign", () => {
  const rows: readonly (readonly [name: string, sign: string])[] = [
    ["X-Request-Id", "t"],
    ["X", "t"],
    ["X-REQUEST-ID", "u"],
    ["X-REQUEST-1d", "mbf8."],
    ["eTag", "m4."],
    ["ETag", "mc."],
    ["X-Request-ID", "ma03."],
    ["1X", "u"],
  ];
  for (const [name, sign] of rows) assert.is(signsOf([name]), sign, name);
  assert.is(signsOf(["x-a", "1", "x--b"]), "", "all lower case says nothing");
  assert.is(signsOf(["x-a", "X-A", "x-b"]), "ltl");
});

test("names come back as they were", () => {
  const random = seeded("name-case");
  for (let round = 0; round < 300; round++) {
    const names = Array.from({ length: random.below(12) }, () => anyName(random));
    const signs = signsOf(names);
    assert.equal(restored(names, signs), names, names.join());
  }
});

test("names of more than 128 bytes stay in lower case, the others do not", () => {
  const long = `X-${"Ab".repeat(64)}`;
  const signs = signsOf(["eTag", long, "ETag"]);
  assert.is(signs, "m4.lmc.");
  assert.equal(restored(["eTag", long, "ETag"], signs), ["eTag", long.toLowerCase(), "ETag"]);
});

test("what does not travel has no sign", () => {
  const names = ["Connection", "TE", "Keep-Alive", "Upgrade", "X-A", "L5d-Anything"];
  assert.is(signsOf(names), "t");
});

test("chunked comes back at its place", () => {
  assert.is(signsOf(["Host", "Transfer-Encoding", "X-A"]), "tCt");
  assert.is(signsOf(["host", "transfer-encoding", "X-A"]), "lct");
  for (const [signs, at, name] of [
    ["Ctt", 0, "Transfer-Encoding"],
    ["tct", 1, "transfer-encoding"],
    ["ttC", 2, "Transfer-Encoding"],
  ] as const) {
    const expected = ["Host", "X-A"];
    assert.equal(restored(["Host", "X-A"], signs), expected, "not for a message with a length");
    expected.splice(at, 0, name);
    assert.equal(restored(["Host", "X-A"], signs, true), expected, signs);
  }
});

test("signs that do not fit are ignored as a whole", () => {
  const names = ["host", "x-a", "etag"];
  const hostile = [
    "",
    "t",
    "tt",
    "tttt",
    "ttx",
    "ttT",
    "ttm",
    "ttm.",
    "ttm4",
    "ttm40.",
    "ttm4.t",
    "ttmG.",
    "ttmF.",
    "ttm-.",
    "CCttt",
    "CtCtt",
    "tttCC",
    "cttc",
    "ttt\0",
    " ttt",
    "m.m.m.",
    "m0.m0.m0.",
    "tt m4.",
    "m0.m.m0.",
    "mmm",
    "C",
    "cc",
    "\xff\xff\xff",
    "m0000000000.tt",
  ];
  for (const signs of hostile) {
    assert.equal(restored(names, signs, true), names, JSON.stringify(signs));
    assert.equal(restored(names, signs), names, JSON.stringify(signs));
  }
  assert.equal(restored(names, "tum4."), ["Host", "X-A", "eTag"], "while these fit");
});

test("whatever the signs, names change in case only, and chunked comes at most once", () => {
  const random = seeded("hostile name-case");
  for (let round = 0; round < 3_000; round++) {
    const names = Array.from({ length: random.below(6) }, () => anyName(random).toLowerCase());
    let signs = "";
    for (let i = random.below(9); i > 0; i--) {
      signs += random.pick(["l", "t", "u", "m4.", "mf.", "m", ".", "c", "C", "0", "mzz."]);
    }
    const isChunked = random.chance(0.5);
    const after = restored(names, signs, isChunked).map((name) => name.toLowerCase());
    const at = after.indexOf("transfer-encoding");
    if (at !== -1) {
      assert.ok(isChunked && /[cC]/.test(signs));
      after.splice(at, 1);
    }
    assert.equal(after, names);
  }
});

test("a sign alone, and whether signs say anything", () => {
  const out = new Uint8Array(40);
  const end = writeNameSign(latin1("xx eTag"), 3, 7, out, 5);
  assert.is(textOf(out, 5, end), "m4.");
  assert.not(isPlainCase(out, 5, end));
  assert.ok(isPlainCase(latin1("tllt"), 1, 3));
  assert.ok(isPlainCase(out, 0, 0));
});

test.run();
