import * as assert from "uvu/assert";
import { FieldFlag, HpackDecoder, OUT_ROOM_BYTES } from "../../../src/codec/hpack/decoder.ts";
import { Field } from "../../../src/codec/http1/field-names.ts";
import { bytesOfBits, EOS_CODE, huffmanEncode } from "../../support/hpack-huffman.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { suite } from "../../support/test.ts";
import {
  DecoderSession,
  hex,
  indexedField,
  joined,
  literal,
  rawString,
  tableBytes,
} from "./harness.ts";

const test = suite("codec/hpack/decoder");

const { neverIndexed, badName, badValue } = FieldFlag;
const INCREMENTAL = 0x40;
const WITHOUT = 0x00;
const NEVER = 0x10;
const FORMS = [INCREMENTAL, WITHOUT, NEVER];

function huffmanString(text: string): Uint8Array {
  const bytes = huffmanEncode(text);
  assert.ok(bytes.length < 127);
  return joined(Uint8Array.of(0x80 | bytes.length), bytes);
}

/** What a new decoder says of a block. */
function decode(bytes: Uint8Array): ReturnType<DecoderSession["decode"]> {
  return new DecoderSession().decode(bytes);
}

test("every index of the static table is the field of Appendix A", () => {
  for (let index = 1; index <= 61; index++) {
    const [expected] = new HpackReader().decode(indexedField(index));
    const { fields } = decode(indexedField(index));
    assert.equal(
      fields.map(({ name, value, flags }) => [name, value, flags]),
      [[expected?.name, expected?.value, 0]],
    );
  }
});

test("fields carry the number that field-names.ts gives their name, from each representation", () => {
  const table: [string, number][] = [
    [":method", Field.method],
    [":scheme", Field.scheme],
    [":authority", Field.authority],
    [":path", Field.path],
    [":status", Field.status],
    [":protocol", Field.protocol],
    [":other", Field.badPseudo],
    ["host", Field.host],
    ["cookie", Field.cookie],
    ["connection", Field.connection],
    ["content-length", Field.contentLength],
    ["x-request-id", Field.other],
  ];
  for (const [name, id] of table) {
    for (const form of FORMS) {
      const { fields } = decode(literal(form, name, "v"));
      assert.equal(
        fields.map((field) => field.id),
        [id],
        name,
      );
    }
    // By the entry, and by its name with another value.
    const session = new DecoderSession();
    session.decode(literal(INCREMENTAL, name, "v"));
    const { fields } = session.decode(joined(hex("be 0f 2f"), rawString("w"), hex("be")));
    assert.equal(
      fields.map((field) => [field.name, field.value, field.id]),
      [
        [name, "v", id],
        [name, "w", id],
        [name, "v", id],
      ],
    );
  }
});

test("a field without a name has no number, whatever lay where its name would be", () => {
  const session = new DecoderSession();
  const nameless = joined(hex("00 00"), rawString(":l5d-"));
  for (const before of [literal(WITHOUT, ":path", "/"), literal(WITHOUT, "l5d-x", "y"), nameless]) {
    session.decode(before);
    const [field] = session.decode(nameless).fields;
    assert.is(field?.id, Field.other);
    assert.is(field?.flags, badName);
  }
});

test("never-indexed fields are marked, and only they; none of them enters the table", () => {
  const session = new DecoderSession();
  const block = joined(literal(NEVER, "a", "1"), literal(WITHOUT, "b", "2"), hex("1f 08 01 33 82"));
  const { fields } = session.decode(block);
  assert.equal(
    fields.map(({ name, value, flags }) => [name, value, flags]),
    [
      ["a", "1", neverIndexed],
      ["b", "2", 0],
      ["authorization", "3", neverIndexed],
      [":method", "GET", 0],
    ],
  );
  assert.equal(session.table(), []);
});

test("names are marked unless they are tokens in lower case, perhaps behind a colon", () => {
  const bad = [
    "",
    ":",
    "A",
    "aB",
    "a b",
    " a",
    "a ",
    "a:",
    "::a",
    "a\0",
    "a\r\nb",
    "a\x7f",
    "\xe9",
  ];
  const good = ["a", "0", "x-y_z", "!#$%&'*+-.^_`|~", ":a", ":method", "a".repeat(300)];
  for (const name of [...bad, ...good]) {
    const expected = bad.includes(name) ? badName : 0;
    for (const form of FORMS) {
      const { isGood, fields } = decode(literal(form, name, "v"));
      assert.ok(isGood, "no error of compression");
      assert.is((fields[0]?.flags ?? 0) & badName, expected, JSON.stringify(name));
      assert.is(fields[0]?.name, name);
    }
    if (name.length > 100) continue;
    const coded = joined(hex("40"), huffmanString(name), rawString("v"));
    assert.is(decode(coded).fields[0]?.flags, expected, JSON.stringify(name));
  }
});

test("each byte of a name and of a value is judged by itself, at each place of a word", () => {
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    const isName = /[!#$%&'*+\-.^_`|~0-9a-z]/.test(char);
    const isValue = byte === 9 || (byte >= 32 && byte !== 127);
    for (let before = 1; before < 7; before++) {
      for (const after of [1, 5]) {
        const text = "m".repeat(before) + char + "m".repeat(after);
        const [name] = decode(literal(WITHOUT, text, "v")).fields;
        assert.is(name?.flags, isName ? 0 : badName, JSON.stringify(text));
        const [value] = decode(literal(WITHOUT, "n", text)).fields;
        assert.is(value?.flags, isValue ? 0 : badValue, JSON.stringify(text));
        assert.is(value?.value, text);
      }
    }
  }
});

test("values are marked when they begin or end with a blank; inside it may be", () => {
  const table: [string, number][] = [
    ["", 0],
    [" ", badValue],
    ["\t", badValue],
    [" a", badValue],
    ["a ", badValue],
    ["\ta", badValue],
    ["a\t", badValue],
    ["a b\tc", 0],
    ["abcd efg ", badValue],
    ["\xff\x80", 0],
    ["a\r\nb: c", badValue],
    ["a\n", badValue],
    ["\0", badValue],
  ];
  for (const [value, flags] of table) {
    for (const form of FORMS) {
      const kept = form === NEVER ? flags | neverIndexed : flags;
      assert.is(decode(literal(form, "a", value)).fields[0]?.flags, kept, JSON.stringify(value));
    }
    const coded = joined(hex("40"), rawString("a"), huffmanString(value));
    assert.is(decode(coded).fields[0]?.flags, flags, JSON.stringify(value));
  }
});

test("the table remembers the marks; a name's mark goes with the name, a value's does not", () => {
  const session = new DecoderSession();
  session.decode(literal(INCREMENTAL, "A", " x"));
  const [whole] = session.decode(hex("be")).fields;
  assert.is(whole?.flags, badName | badValue);
  const { fields } = session.decode(
    joined(hex("0f 2f"), rawString("y"), hex("1f 2f"), rawString("z")),
  );
  assert.equal(
    fields.map(({ flags }) => flags),
    [badName, badName | neverIndexed],
  );
});

// H2-18.
test("no index is 0 or beyond the table", () => {
  for (const digits of ["80", "be", "ff00", "ff80 8080 8000", "ff01", "ffff ffff ff07"]) {
    assert.not(decode(hex(digits)).isGood, digits);
  }
  for (const first of ["7e", "7f00", "0f2f", "1f2f", "7f80 8001", "0fff ffff ff07"]) {
    assert.not(decode(joined(hex(first), rawString("v"))).isGood, first);
  }
  const session = new DecoderSession();
  session.decode(literal(INCREMENTAL, "a", "1"));
  assert.not(session.decode(hex("bf")).isGood);
  assert.ok(session.decode(hex("be")).isGood);
});

test("integers beyond 2^31 - 1 are refused as index, length and size", () => {
  const large = [
    "80 80 80 80 08",
    "80 80 80 80 80 01",
    "80 80 80 80 80 80 80 10",
    "ff ff ff ff ff 7f",
  ];
  for (const rest of large) {
    const blocks = [
      hex(`ff ${rest}`),
      joined(hex(`7f ${rest}`), rawString("v")),
      joined(hex(`0f ${rest}`), rawString("v")),
      hex(`00 7f ${rest} 61 61`),
      hex(`00 ff ${rest} 61 61`),
      joined(hex("00"), rawString("a"), hex(`7f ${rest} 61 61`)),
      hex(`3f ${rest}`),
    ];
    for (const block of blocks) {
      assert.not(decode(block).isGood);
      assert.not(decode(joined(block, new Uint8Array(1_000))).isGood);
    }
  }
});

test("a string may not reach behind the block, whatever lies there", () => {
  const value = joined(hex("04"), rawString("/abc"));
  for (let length = 0; length < value.length; length++) {
    for (const isShared of [false, true]) {
      const session = new DecoderSession({ isShared });
      const { isGood, fields } = session.decode(value.slice(0, length));
      assert.is(isGood, length === 0);
      assert.equal(fields, []);
    }
  }
});

test("malformed codes of Huffman are refused in names and in values", () => {
  const strings = [
    bytesOfBits(EOS_CODE),
    bytesOfBits(`00011${EOS_CODE}`),
    hex("ff"),
    hex("1f ff"),
    hex("00"),
    hex("18"),
  ];
  for (const bytes of strings) {
    const coded = joined(Uint8Array.of(0x80 | bytes.length), bytes);
    for (const form of FORMS) {
      const first = Uint8Array.of(form);
      assert.not(decode(joined(first, coded, rawString("v"))).isGood);
      assert.not(decode(joined(first, rawString("n"), coded)).isGood);
    }
  }
});

test("size updates: two at the beginning of a block, not above what was offered", () => {
  const table: [string, boolean][] = [
    ["20", true],
    ["3fe11f", true],
    ["20 3fe11f", true],
    ["3fe11f 20", true],
    ["20 82", true],
    ["20 20 82", true],
    ["3fe21f", false],
    ["20 3fe21f", false],
    ["20 20 20", false],
    ["82 20", false],
    ["20 82 20", false],
    ["40 01 61 01 62 3fe11f", false],
    ["3f", false],
    ["3fe1", false],
  ];
  for (const [digits, isGood] of table) assert.is(decode(hex(digits)).isGood, isGood, digits);
  const none = (): DecoderSession => new DecoderSession({ tableBytesMax: 0 });
  assert.ok(none().decode(hex("20 82")).isGood);
  assert.not(none().decode(hex("21")).isGood);
  assert.ok(none().decode(literal(INCREMENTAL, "a", "1")).isGood);
});

test("a size update drops entries, also the first of two", () => {
  for (const [digits, expected] of [
    ["3f 03", ["b"]],
    ["20 3fe11f", []],
    ["3fe11f", ["b", "a"]],
    ["3f 03 3fe11f", ["b"]],
  ] as const) {
    const session = new DecoderSession();
    session.decode(joined(literal(INCREMENTAL, "a", "1"), literal(INCREMENTAL, "b", "2")));
    assert.ok(session.decode(hex(digits)).isGood);
    assert.equal(
      session.table().map(({ name }) => name),
      expected,
      digits,
    );
  }
});

test("a table above the default is used only after an update says so", () => {
  const session = new DecoderSession({ tableBytesMax: 16_384 });
  const entries = joined(
    ...Array.from({ length: 5 }, (_, i) => literal(INCREMENTAL, `n${i}`, "x".repeat(1_000))),
  );
  session.decode(entries);
  assert.is(tableBytes(session.table()), 3 * 1_034);
  session.decode(hex("3fe17f"));
  session.decode(entries);
  assert.is(session.table().length, 8);
});

test("an entry may take its name from one that it throws out", () => {
  const session = new DecoderSession();
  const name = "n".repeat(2_000);
  session.decode(literal(INCREMENTAL, name, "v"));
  const value = "w".repeat(2_000);
  const { isGood, fields } = session.decode(joined(hex("7e"), rawString(value), hex("be")));
  assert.ok(isGood);
  assert.is(fields.length, 2);
  for (const field of fields) assert.ok(field.name === name && field.value === value);
  assert.is(session.table().length, 1);
});

test("an empty block has no fields", () => {
  const { isGood, fields } = decode(hex(""));
  assert.ok(isGood);
  assert.equal(fields, []);
});

test("misuse is an exception: a block too long, no room, ranges that overlap, a table too large", () => {
  const decoder = new HpackDecoder();
  const sink = { field: () => true };
  const bytes = new Uint8Array(OUT_ROOM_BYTES + 100);
  assert.throws(
    () => decoder.decode(new Uint8Array(65_537), 0, 65_537, bytes, 0, sink),
    /too long/,
  );
  assert.throws(() => decoder.decode(hex("82"), 0, 1, bytes, 101, sink), /room/);
  assert.throws(() => decoder.decode(bytes, 90, 110, bytes, 100, sink), /overlap/);
  assert.ok(decoder.decode(hex("82"), 0, 1, bytes, 100, sink));
  assert.throws(() => new HpackDecoder(16_385), /assertion failed/);
});

test.run();
