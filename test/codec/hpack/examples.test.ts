import * as assert from "uvu/assert";
import { FieldFlag } from "../../../src/codec/hpack/decoder.ts";
import { HpackEncoder, Indexing } from "../../../src/codec/hpack/encoder.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { forEachPrefix } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";
import { EXAMPLES, type Example } from "./examples.ts";
import { DecoderSession, encodeBlock, hex, joined, tableBytes } from "./harness.ts";

const test = suite("codec/hpack/examples");

/** How our encoder tells that the table of C.5 and C.6 is smaller, which the RFC leaves out. */
const TABLE_OF_256 = hex("3fe1 01");

function pairs(fields: readonly { name: string; value: string }[]): [string, string][] {
  return fields.map(({ name, value }) => [name, value]);
}

/** A decoder that has had the first blocks. */
function sessionAfter({ tableBytesMax, blocks }: Example, count: number): DecoderSession {
  const session = new DecoderSession({ tableBytesMax });
  for (const block of blocks.slice(0, count)) session.decode(hex(block.hex));
  return session;
}

for (const example of EXAMPLES) {
  const { blocks, isHuffman, tableBytesMax } = example;
  for (const [index, block] of blocks.entries()) {
    test(`${block.name} is decoded, and leaves the table as told`, () => {
      for (const isShared of [false, true]) {
        const session = new DecoderSession({ tableBytesMax, isShared });
        for (const before of blocks.slice(0, index)) session.decode(hex(before.hex));
        const { isGood, fields } = session.decode(hex(block.hex));
        assert.ok(isGood);
        assert.equal(pairs(fields), block.fields);
        const flags = block.indexing === Indexing.never ? FieldFlag.neverIndexed : 0;
        assert.ok(fields.every((field) => field.flags === flags));
        const table = session.table();
        assert.equal(pairs(table), block.table);
        assert.is(tableBytes(table), block.tableBytes);
      }
    });

    test(`${block.name} cut short is refused, or has fewer fields`, () => {
      const whole = sessionAfter(example, index).decode(hex(block.hex));
      let isRefused = false;
      forEachPrefix(hex(block.hex), (prefix) => {
        const { isGood, fields } = sessionAfter(example, index).decode(prefix);
        assert.equal(fields, whole.fields.slice(0, fields.length));
        assert.ok(fields.length < whole.fields.length);
        isRefused ||= !isGood;
      });
      assert.is(isRefused, block.hex.length > 2 * block.fields.length);
    });
  }

  test(`${blocks[0]?.name} and on are encoded to the same bytes`, () => {
    const encoder = new HpackEncoder({ isHuffman });
    const reader = new HpackReader();
    encoder.setTableBytesMax(tableBytesMax);
    for (const [index, block] of blocks.entries()) {
      const { indexing } = block;
      const fields = block.fields.map(([name, value]) => ({ name, value, indexing }));
      const update = index === 0 && tableBytesMax === 256 ? TABLE_OF_256 : hex("");
      const expected = joined(update, hex(block.hex));
      assert.equal(encodeBlock(encoder, fields), expected, block.name);
      reader.decode(expected);
      assert.equal(reader.entries, block.table);
    }
  });
}

test.run();
