/**
 * Runs the HPACK codec as a connection would, and tells in text what came out. Each decode checks
 * what the decoder promises of its output: lines in a row, in their one form, and nothing written
 * outside of the room that it has.
 */
import * as assert from "uvu/assert";
import { type FieldSink, HpackDecoder, OUT_ROOM_BYTES } from "../../../src/codec/hpack/decoder.ts";
import {
  BEGIN_BYTES_MAX,
  FIELD_GROWTH_BYTES,
  type HpackEncoder,
  Indexing,
} from "../../../src/codec/hpack/encoder.ts";
import { latin1, textOf } from "../../support/read-http1.ts";

export interface DecodedField {
  readonly name: string;
  readonly value: string;
  readonly id: number;
  readonly flags: number;
}

export interface Decoded {
  readonly isGood: boolean;
  readonly isFull: boolean;
  readonly isTooLarge: boolean;
  readonly fields: readonly DecodedField[];
}

/** Where in `memory` a block lies when it shares the array with the output. */
const SHARED_BLOCK = 64;
const OUT = 70_000;
const GUARD_BYTES = 64;
const POISON = 0xa5;
const memory = new Uint8Array(OUT + OUT_ROOM_BYTES + GUARD_BYTES);

export class DecoderSession {
  readonly #decoder: HpackDecoder;
  /** The block in the array of the output, or in one of its own that ends with it. */
  readonly #isShared: boolean;

  constructor(options: { tableBytesMax?: number; isShared?: boolean } = {}) {
    this.#decoder = new HpackDecoder(options.tableBytesMax);
    this.#isShared = options.isShared ?? false;
  }

  /** Decodes a block for a sink that takes `fieldsMax` fields. */
  decode(bytes: Uint8Array, fieldsMax = Number.POSITIVE_INFINITY): Decoded {
    memory.fill(POISON, OUT - GUARD_BYTES, OUT);
    memory.fill(POISON, OUT + OUT_ROOM_BYTES);
    const fields: DecodedField[] = [];
    let end = OUT;
    let isTaking = true;
    const sink: FieldSink = {
      field: (id, nameStart, nameEnd, valueStart, valueEnd, flags) => {
        assert.ok(isTaking, "no field is handed in after the sink was full");
        assert.is(nameStart, end, "lines are in a row");
        assert.is(textOf(memory, nameEnd, valueStart), ": ");
        assert.is(textOf(memory, valueEnd, valueEnd + 2), "\r\n");
        isTaking = fields.length < fieldsMax;
        if (!isTaking) return false;
        const name = textOf(memory, nameStart, nameEnd);
        fields.push({ name, value: textOf(memory, valueStart, valueEnd), id, flags });
        end = valueEnd + 2;
        return true;
      },
    };
    const isGood = this.#run(bytes, sink);
    assert.is(this.#decoder.outEnd, end, "the output ends behind the last line");
    const kept = fields.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
    assert.is(textOf(memory, OUT, end), kept, "lines stay as they were handed in");
    const guards = [memory.subarray(OUT - GUARD_BYTES, OUT), memory.subarray(OUT + OUT_ROOM_BYTES)];
    assert.ok(
      guards.every((guard) => guard.every((byte) => byte === POISON)),
      "the room is kept to",
    );
    const { isFull, isTooLarge } = this.#decoder;
    assert.is(isFull, !isTaking);
    return { isGood, isFull, isTooLarge, fields };
  }

  /** The dynamic table's entries, newest first, found by asking for each index. */
  table(): DecodedField[] {
    const entries: DecodedField[] = [];
    for (let index = 62; ; index++) {
      const { isGood, fields } = this.decode(indexedField(index));
      if (!isGood) return entries;
      entries.push(...fields);
    }
  }

  #run(bytes: Uint8Array, sink: FieldSink): boolean {
    if (!this.#isShared) {
      const block = bytes.slice();
      return this.#decoder.decode(block, 0, block.length, memory, OUT, sink);
    }
    memory.set(bytes, SHARED_BLOCK);
    const end = SHARED_BLOCK + bytes.length;
    memory.fill(POISON, end, end + GUARD_BYTES);
    return this.#decoder.decode(memory, SHARED_BLOCK, end, memory, OUT, sink);
  }
}

/** What the entries of a table count by RFC 7541 §4.1. */
export function tableBytes(entries: readonly { name: string; value: string }[]): number {
  return entries.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0);
}

/** RFC 7541 §6.1, for an index below 190. */
export function indexedField(index: number): Uint8Array {
  return index < 127 ? Uint8Array.of(0x80 | index) : Uint8Array.of(0xff, index - 127);
}

/** Bytes from hexadecimal digits, blanks aside. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  const pairs = digits.replace(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** The parts in a row. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A string of RFC 7541 §5.2 without Huffman's code. */
export function rawString(text: string): Uint8Array {
  const bytes = latin1(text);
  if (bytes.length < 127) return joined(Uint8Array.of(bytes.length), bytes);
  const continued: number[] = [];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) continued.push(128 + (rest % 128));
  return joined(Uint8Array.of(127, ...continued, rest), bytes);
}

/** A literal with a new name; the first byte says how it is indexed: 0x40, 0 or 0x10. */
export function literal(first: number, name: string, value: string): Uint8Array {
  return joined(Uint8Array.of(first), rawString(name), rawString(value));
}

export interface FieldToSend {
  readonly name: string;
  readonly value: string;
  readonly indexing?: Indexing;
  /** The name's static index: the field is then sent by `named`. */
  readonly nameIndex?: number;
}

/** Encodes a block, with the fields in the array of the output, and checks the growth of each. */
export function encodeBlock(
  encoder: HpackEncoder,
  fields: readonly FieldToSend[],
): Uint8Array<ArrayBuffer> {
  const texts = fields.map(({ name, value }) => name + value);
  const source = latin1(texts.join(""));
  const bytes = new Uint8Array(
    source.length * 2 + fields.length * FIELD_GROWTH_BYTES + BEGIN_BYTES_MAX,
  );
  bytes.set(source);
  let to = encoder.begin(bytes, source.length);
  assert.ok(to - source.length <= BEGIN_BYTES_MAX, "begin() keeps to its bound");
  let nameStart = 0;
  for (const { name, value, indexing = Indexing.incremental, nameIndex } of fields) {
    const nameEnd = nameStart + name.length;
    const end = nameEnd + value.length;
    const before = to;
    to =
      nameIndex === undefined
        ? encoder.field(bytes, to, bytes, nameStart, nameEnd, nameEnd, end, indexing)
        : encoder.named(bytes, to, nameIndex, bytes, nameEnd, end, indexing);
    assert.ok(to - before <= name.length + value.length + FIELD_GROWTH_BYTES, "growth is bounded");
    nameStart = end;
  }
  assert.is(textOf(bytes, 0, source.length), textOf(source), "the fields are left as they were");
  return bytes.slice(source.length, to);
}
