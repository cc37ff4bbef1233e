import * as assert from "uvu/assert";
import { HpackEncoder, Indexing } from "../../../src/codec/hpack/encoder.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { latin1 } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";
import { encodeBlock, hex, joined, literal, rawString } from "./harness.ts";

const test = suite("codec/hpack/encoder");

const { incremental, without, never } = Indexing;
const TABLE_BYTES = 4_096;

/** Encodes a block of one field. */
function encode(
  encoder: HpackEncoder,
  name: string,
  value: string,
  indexing: Indexing,
  nameIndex?: number,
): Uint8Array {
  const field = { name, value, indexing };
  return encodeBlock(encoder, [nameIndex === undefined ? field : { ...field, nameIndex }]);
}

function begin(encoder: HpackEncoder): Uint8Array {
  const out = new Uint8Array(6);
  return out.slice(0, encoder.begin(out, 0));
}

test("indexed() writes a field of the static table in a byte", () => {
  const encoder = new HpackEncoder();
  const out = new Uint8Array(61);
  for (let index = 1; index <= 61; index++) {
    assert.is(encoder.indexed(out, index - 1, index), index);
    const [expected] = new HpackReader().decode(Uint8Array.of(0x80 | index));
    const [field] = new HpackReader().decode(out.slice(index - 1, index));
    assert.equal(field, expected);
  }
});

test("a field of the static table becomes its index, by name and by number, unless it is never", () => {
  for (let index = 1; index <= 61; index++) {
    const whole = Uint8Array.of(0x80 | index);
    const [field] = new HpackReader().decode(whole);
    const { name = "", value = "" } = field ?? {};
    for (const indexing of [incremental, without]) {
      assert.equal(encode(new HpackEncoder(), name, value, indexing), whole, name);
      assert.equal(encode(new HpackEncoder(), name, value, indexing, index), whole, name);
    }
    const reader = new HpackReader();
    for (const nameIndex of [undefined, index]) {
      const block = encode(new HpackEncoder(), name, value, never, nameIndex);
      assert.equal(reader.decode(block), [{ name, value, isNeverIndexed: true }]);
    }
  }
});

test("a name may be given by any of its indexes", () => {
  for (const index of [8, 11, 14]) {
    const encoder = new HpackEncoder();
    assert.equal(encode(encoder, ":status", "404", incremental, index), hex("8d"));
    assert.equal(new HpackReader().decode(encode(encoder, ":status", "418", without, index)), [
      { name: ":status", value: "418", isNeverIndexed: false },
    ]);
  }
});

test("incremental fields enter the table and are indexed from then on, by both calls", () => {
  const encoder = new HpackEncoder();
  const first = joined(hex("7a"), rawString("curl/8"));
  assert.equal(encode(encoder, "user-agent", "curl/8", incremental), first);
  for (const indexing of [incremental, without]) {
    assert.equal(encode(encoder, "user-agent", "curl/8", indexing), hex("be"));
    assert.equal(encode(encoder, "User-Agent", "curl/8", indexing), hex("be"));
    assert.equal(encode(encoder, "user-agent", "curl/8", indexing, 58), hex("be"));
  }
  assert.equal(encode(encoder, "x-a", "1", incremental), literal(0x40, "x-a", "1"));
  assert.equal(encode(encoder, "user-agent", "curl/8", incremental), hex("bf"));
  assert.equal(encode(encoder, "x-a", "1", incremental), hex("be"));
  assert.equal(encode(encoder, "x-a", "2", incremental), joined(hex("7e"), rawString("2")));
  assert.equal(encode(encoder, "x-a", "1", without), hex("bf"));
});

test("fields sent without indexing do not enter the table", () => {
  const encoder = new HpackEncoder();
  for (let i = 0; i < 3; i++) {
    assert.equal(encode(encoder, "x-a", "1", without), literal(0x00, "x-a", "1"));
    assert.equal(encode(encoder, "etag", "1", without), joined(hex("0f13"), rawString("1")));
  }
});

// H2-21: a secret stays one.
test("a field that is never to be indexed is not, though the table has it", () => {
  const encoder = new HpackEncoder();
  assert.equal(encode(encoder, "x-a", "1", incremental), literal(0x40, "x-a", "1"));
  const byName = joined(hex("1f2f"), rawString("1"));
  for (let i = 0; i < 2; i++) assert.equal(encode(encoder, "x-a", "1", never), byName);
  const authorization = joined(hex("1f08"), rawString("Basic YTpi"));
  for (const nameIndex of [undefined, 23]) {
    assert.equal(encode(encoder, "authorization", "Basic YTpi", never, nameIndex), authorization);
  }
  const secret = literal(0x10, "x-secret", "s");
  for (let i = 0; i < 2; i++) assert.equal(encode(encoder, "x-secret", "s", never), secret);
});

test("names become lower case in the block and in the table; values stay", () => {
  const encoder = new HpackEncoder();
  const block = encode(encoder, "X-Request-ID@[`{", "ABC", incremental);
  assert.equal(block, literal(0x40, "x-request-id@[`{", "ABC"));
  const reader = new HpackReader();
  reader.decode(block);
  assert.equal(reader.entries, [["x-request-id@[`{", "ABC"]]);
  assert.equal(encode(encoder, "x-request-id@[`{", "ABC", incremental), hex("be"));
  // The bit of the letters' case tells other bytes apart too, of which none may be taken for another.
  assert.equal(
    encode(encoder, "x-request-id`[`{", "ABC", without),
    literal(0x00, "x-request-id`[`{", "ABC"),
  );
  assert.equal(
    encode(encoder, "x-request-id@[`{", "abc", without),
    joined(hex("0f2f"), rawString("abc")),
  );
});

test("an entry of half the table is added, a larger one is not and leaves the table alone", () => {
  const encoder = new HpackEncoder();
  encode(encoder, "x-a", "1", incremental);
  const half = TABLE_BYTES / 2 - 32;
  const name = "n".repeat(half / 2);
  encode(encoder, name, "v".repeat(half / 2), incremental);
  assert.is(encode(encoder, name, "v".repeat(half / 2), incremental).length, 1);
  const larger = encode(encoder, name, "v".repeat(half / 2 + 1), incremental);
  assert.is((larger[0] ?? 0) & 0xf0, 0x00, "without indexing");
  assert.is(encode(encoder, name, "v".repeat(half / 2 + 1), incremental).length, larger.length);
  assert.equal(encode(encoder, "x-a", "1", incremental), hex("bf"));
});

test("old entries leave as the peer's do, and are not referred to any more", () => {
  const encoder = new HpackEncoder();
  const reader = new HpackReader();
  for (let i = 0; i < 2_000; i++) {
    const name = `x-${i % 150}`;
    const value = String(i % 700);
    const block = encode(encoder, name, value, incremental);
    assert.equal(reader.decode(block), [{ name, value, isNeverIndexed: false }]);
  }
  assert.ok(reader.entries.length > 90, `${reader.entries.length} entries`);
});

test("many names that hash alike cost a bounded time and are still right", () => {
  // Letters and symbols that the folding of case mixes up: all these names have one hash.
  const alike = Array.from({ length: 64 }, (_, i) =>
    [..."nnnnnn"].map((_, bit) => ((i >> bit) & 1 ? "@" : "`")).join(""),
  );
  const encoder = new HpackEncoder();
  const reader = new HpackReader();
  for (let round = 0; round < 3; round++) {
    for (const name of alike) {
      const block = encode(encoder, name, "v", incremental);
      assert.equal(reader.decode(block), [{ name, value: "v", isNeverIndexed: false }]);
    }
  }
  assert.ok(reader.entries.length > 64, "a look-up gives up and adds the field again");
});

test("the default size is not announced, nor what does not change it", () => {
  const encoder = new HpackEncoder();
  assert.equal(begin(encoder), hex(""));
  encoder.setTableBytesMax(4_096);
  encoder.setTableBytesMax(65_536);
  encoder.setTableBytesMax(2 ** 32 - 1);
  assert.equal(begin(encoder), hex(""));
});

test("a change of size is announced once, and the lowest before it where that was lower (§4.2)", () => {
  const table: [number[], string][] = [
    [[0], "20"],
    [[100], "3f45"],
    [[4_095], "3fe01f"],
    [[0, 4_096], "20 3fe11f"],
    [[0, 1_000_000], "20 3fe11f"],
    [[100, 0, 50, 30], "20 3e"],
    [[50, 100], "3f13 3f45"],
    [[100, 50], "3f13"],
  ];
  for (const [sizes, digits] of table) {
    const encoder = new HpackEncoder();
    for (const bytes of sizes) encoder.setTableBytesMax(bytes);
    assert.equal(begin(encoder), hex(digits), sizes.join());
    assert.equal(begin(encoder), hex(""));
  }
  const encoder = new HpackEncoder();
  encoder.setTableBytesMax(0);
  begin(encoder);
  encoder.setTableBytesMax(200);
  encoder.setTableBytesMax(4_096);
  assert.equal(begin(encoder), hex("3fa901 3fe11f"));
});

test("with no table nothing is indexed but what the static table has", () => {
  const encoder = new HpackEncoder();
  encode(encoder, "x-a", "1", incremental);
  encoder.setTableBytesMax(0);
  begin(encoder);
  for (let i = 0; i < 2; i++) {
    assert.equal(encode(encoder, "x-a", "1", incremental), literal(0x00, "x-a", "1"));
  }
  assert.equal(encode(encoder, ":method", "GET", incremental), hex("82"));
});

test("Huffman's code is taken when it is not longer, for name and value each", () => {
  const encoder = new HpackEncoder({ isHuffman: true });
  assert.equal(encode(encoder, ":status", "307", without), hex("08 83 640eff"), "as long as raw");
  assert.equal(encode(encoder, "\x01", "a", without), hex("00 01 01 81 1f"), "a longer name");
  assert.equal(encode(encoder, "A", "\x01", without), hex("00 81 1f 01 01"), "a longer value");
  assert.equal(encode(encoder, "b", "", without), hex("00 81 8f 00"), "nothing");
});

test("fields may be taken from another array than they go to, of exactly their length", () => {
  const encoder = new HpackEncoder();
  const bytes = latin1("x-long-namesome value");
  const out = new Uint8Array(1 + 1 + 11 + 1 + 10);
  assert.is(encoder.field(out, 0, bytes, 0, 11, 11, 21, incremental), out.length);
  assert.equal(out, literal(0x40, "x-long-name", "some value"));
});

test.run();
