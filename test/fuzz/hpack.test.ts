// timeout: 180s
// HPACK against a second decoder that shares nothing with it; see test/support/fuzz.ts to run longer.
import * as assert from "uvu/assert";
import { DECODED_BYTES_MAX, FieldFlag } from "../../src/codec/hpack/decoder.ts";
import { HpackEncoder, Indexing } from "../../src/codec/hpack/encoder.ts";
import { anyFields, anyTableBytes } from "../codec/hpack/generate.ts";
import {
  DecoderSession,
  encodeBlock,
  type FieldToSend,
  joined,
  tableBytes,
} from "../codec/hpack/harness.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzz.ts";
import { HpackReader } from "../support/hpack-reader.ts";
import type { Random } from "../support/random.ts";
import { textOf } from "../support/read-http1.ts";
import { suite } from "../support/test.ts";
import { mutatedBytes } from "./mutate.ts";

const test = suite("fuzz/hpack");
test.timeout(FUZZ_TIMEOUT_MS);

const BLOCKS_MAX = 6;
const TABLE_BYTES = 4_096;

type Triple = readonly [name: string, value: string, isNeverIndexed: boolean];
type Read = ReturnType<HpackReader["decode"]>;

function triples(fields: Read): Triple[] {
  return fields.map(({ name, value, isNeverIndexed }) => [name, value, isNeverIndexed]);
}

function decodedTriples(fields: ReturnType<DecoderSession["decode"]>["fields"]): Triple[] {
  return fields.map(({ name, value, flags }) => [
    name,
    value,
    (flags & FieldFlag.neverIndexed) !== 0,
  ]);
}

/** What the second decoder reads, or null when it refuses the block. */
function readOrNull(reader: HpackReader, block: Uint8Array): Triple[] | null {
  try {
    return triples(reader.decode(block));
  } catch {
    return null;
  }
}

/** The second decoder takes integers with any padding and any number of size updates. */
function isStricterHere(block: Uint8Array): boolean {
  let highs = 0;
  for (const byte of block) {
    highs = byte >= 0x80 ? highs + 1 : 0;
    if (highs >= 5) return true;
  }
  const first = block[0] ?? 0;
  return first >= 0x20 && first < 0x40;
}

function assertSameTable(session: DecoderSession, reader: HpackReader): void {
  const table = session.table();
  assert.equal(
    table.map(({ name, value }) => [name, value]),
    reader.entries,
  );
  assert.ok(tableBytes(table) <= TABLE_BYTES, "the table is within its limit");
}

function encoderOf(random: Random): HpackEncoder {
  return new HpackEncoder({ isHuffman: random.chance(0.5) });
}

/** A block that is good, nearly good, or noise. */
function anyBlock(random: Random, encoder: HpackEncoder): Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.below(80));
  if (random.chance(0.1)) encoder.setTableBytesMax(anyTableBytes(random));
  const block = encodeBlock(encoder, anyFields(random));
  return random.chance(0.5) ? mutatedBytes(random, block) : block;
}

test("any bytes are decoded as by the second decoder, wherever the output is", () => {
  fuzz("any bytes", (random) => {
    const apart = new DecoderSession();
    const shared = new DecoderSession({ isShared: true });
    const reader = new HpackReader();
    const encoder = encoderOf(random);
    for (let blocks = random.between(1, BLOCKS_MAX); blocks > 0; blocks--) {
      const block = anyBlock(random, encoder);
      const result = apart.decode(block);
      assert.equal(shared.decode(block), result, "the same, in the array of the block");
      assert.ok(tableBytes(result.fields) <= DECODED_BYTES_MAX);
      const expected = readOrNull(reader, block);
      if (!result.isGood) {
        if (expected !== null) assert.ok(isStricterHere(block) || result.isTooLarge, "refused");
        return;
      }
      const got = decodedTriples(result.fields);
      assert.equal(got, result.isTooLarge ? expected?.slice(0, got.length) : expected);
    }
    assertSameTable(apart, reader);
    assertSameTable(shared, reader);
  });
});

/** Blocks that are often too much: with many references to whatever the table holds. */
function anyLongBlock(random: Random, encoder: HpackEncoder): Uint8Array {
  const before = encodeBlock(encoder, anyFields(random));
  const count = random.pick([0, 10, 3_000]);
  const references = Uint8Array.from({ length: count }, () => random.pick([0x82, 0x90, 0xbe]));
  return joined(before, references, encodeBlock(encoder, anyFields(random)));
}

test("what a full sink and the limit leave out is all that they change", () => {
  fuzz("refused blocks", (random) => {
    const whole = new DecoderSession();
    const limited = new DecoderSession({ isShared: true });
    const reader = new HpackReader();
    const encoder = encoderOf(random);
    for (let blocks = random.between(1, BLOCKS_MAX); blocks > 0; blocks--) {
      const block = anyLongBlock(random, encoder);
      const fieldsMax = random.below(30);
      const all = whole.decode(block);
      const some = limited.decode(block, fieldsMax);
      const expected = readOrNull(reader, block);
      assert.is(some.isGood, all.isGood);
      assert.is(all.isGood, expected !== null);
      if (expected === null) return;
      assert.equal(some.fields, all.fields.slice(0, fieldsMax));
      assert.is(some.isFull, all.fields.length > fieldsMax);
      assert.is(all.isTooLarge, all.fields.length < expected.length);
      if (all.isTooLarge) {
        const [next = ["", "", false] as const] = expected.slice(all.fields.length);
        const beyond = tableBytes([...all.fields, { name: next[0], value: next[1] }]);
        assert.ok(beyond > DECODED_BYTES_MAX, "it was the limit");
      }
      assert.equal(decodedTriples(all.fields), expected.slice(0, all.fields.length));
    }
    assertSameTable(whole, reader);
    assertSameTable(limited, reader);
  });
});

/** Fields of any bytes and many lengths, those around the bounds of prefixes among them. */
function anyOddFields(random: Random): FieldToSend[] {
  const lengths = [0, 1, 3, 4, 5, 14, 30, 126, 127, 128, 254, 255, 382, 2_016, 2_017, 4_100];
  const text = (): string => {
    const bytes = random.bytes(random.pick(lengths));
    return textOf(random.chance(0.5) ? bytes.map((byte) => byte & 0x7f) : bytes);
  };
  return Array.from({ length: random.below(5) }, () => ({
    name: text().replace(/[^\0-\x7f]/g, "x"),
    value: text(),
    indexing: random.pick([Indexing.incremental, Indexing.without, Indexing.never]),
  }));
}

test("what is encoded is what both decoders read, whatever size the table has", () => {
  fuzz("encoded blocks", (random) => {
    const session = new DecoderSession({ isShared: random.chance(0.5) });
    const reader = new HpackReader();
    const encoder = encoderOf(random);
    for (let blocks = random.between(1, 2 * BLOCKS_MAX); blocks > 0; blocks--) {
      for (let i = random.below(4); i > 1; i--) encoder.setTableBytesMax(anyTableBytes(random));
      const fields = random.chance(0.3) ? anyOddFields(random) : anyFields(random);
      const sent = fields.map(
        ({ name, value, indexing }): Triple => [
          name.toLowerCase(),
          value,
          indexing === Indexing.never,
        ],
      );
      const block = encodeBlock(encoder, fields);
      assert.equal(triples(reader.decode(block)), sent);
      const { isGood, fields: decoded } = session.decode(block);
      assert.ok(isGood);
      assert.equal(decodedTriples(decoded), sent);
    }
    assertSameTable(session, reader);
  });
});

test.run();
