import * as assert from "uvu/assert";
import { FieldFlag } from "../../../src/codec/hpack/decoder.ts";
import { HpackEncoder, Indexing } from "../../../src/codec/hpack/encoder.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { type Random, seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";
import { anyFields, anyTableBytes } from "./generate.ts";
import { DecoderSession, encodeBlock, tableBytes } from "./harness.ts";

const test = suite("codec/hpack/round-trip");
test.timeout(60_000);

const CONNECTIONS = 150;
const BLOCKS_MAX = 30;

interface Connection {
  readonly random: Random;
  readonly encoder: HpackEncoder;
  readonly session: DecoderSession;
  readonly reader: HpackReader;
}

function connectionsOf(salt: string): Connection[] {
  return Array.from({ length: CONNECTIONS }, (_, i) => {
    const random = seeded(`${salt} ${i}`);
    const encoder = new HpackEncoder({ isHuffman: random.chance(0.5) });
    const session = new DecoderSession({ isShared: random.chance(0.5) });
    return { random, encoder, session, reader: new HpackReader() };
  });
}

function namesAndValues(fields: readonly { name: string; value: string }[]): [string, string][] {
  return fields.map(({ name, value }) => [name, value]);
}

test("what is encoded is decoded by both decoders, and the tables stay the same", () => {
  let evictions = 0;
  for (const { random, encoder, session, reader } of connectionsOf("connections")) {
    let entries = 0;
    for (let blocks = random.between(1, BLOCKS_MAX); blocks > 0; blocks--) {
      if (random.chance(0.15)) {
        for (let i = random.between(1, 3); i > 0; i--)
          encoder.setTableBytesMax(anyTableBytes(random));
      }
      const fields = anyFields(random);
      const block = encodeBlock(encoder, fields);
      const { isGood, isTooLarge, fields: decoded } = session.decode(block);
      assert.ok(isGood && !isTooLarge);
      const sent = fields.map(({ name, value, indexing }) => ({
        name: name.toLowerCase(),
        value,
        isNeverIndexed: indexing === Indexing.never,
      }));
      const got = decoded.map(({ name, value, flags }) => ({
        name,
        value,
        isNeverIndexed: (flags & FieldFlag.neverIndexed) !== 0,
      }));
      assert.equal(got, sent);
      assert.equal(reader.decode(block), sent);
      const { entries: table } = reader;
      if (table.length < entries) evictions++;
      entries = table.length;
    }
    const table = session.table();
    assert.equal(namesAndValues(table), reader.entries);
    assert.ok(tableBytes(table) <= 4_096);
  }
  assert.ok(evictions > 20, `${evictions} blocks left fewer entries than they found`);
});

test("a decoder whose sink is full now and then stays in step", () => {
  for (const { random, encoder, session, reader } of connectionsOf("full sinks")) {
    for (let blocks = random.between(1, BLOCKS_MAX); blocks > 0; blocks--) {
      const fields = anyFields(random);
      const block = encodeBlock(encoder, fields);
      const fieldsMax = random.chance(0.5) ? random.below(fields.length + 2) : fields.length;
      const { isGood, isFull, fields: decoded } = session.decode(block, fieldsMax);
      assert.ok(isGood);
      assert.is(isFull, fieldsMax < fields.length);
      const expected = namesAndValues(reader.decode(block)).slice(0, fieldsMax);
      assert.equal(namesAndValues(decoded), expected);
    }
    assert.equal(namesAndValues(session.table()), reader.entries);
  }
});

test("marks and numbers of a field do not depend on how it was sent", () => {
  for (const { random, encoder, session } of connectionsOf("marks")) {
    const seen = new Map<string, string>();
    for (let blocks = random.between(1, BLOCKS_MAX); blocks > 0; blocks--) {
      const block = encodeBlock(encoder, anyFields(random));
      for (const { name, value, id, flags } of session.decode(block).fields) {
        const judged = `${id} ${flags & ~FieldFlag.neverIndexed}`;
        const key = `${name}\n${value}`;
        assert.is(seen.get(key) ?? judged, judged, JSON.stringify(key));
        seen.set(key, judged);
      }
    }
  }
});

test.run();
