/**
 * Encodes header blocks, RFC 7541 §6. Fields are given as bytes, each with how it may be indexed;
 * whole fields and names that a table has become indexes. Nothing is allocated per field or block.
 */

import { copyBytes, hashBytes, hashFolded, ViewedBytes } from "../../lib/viewed-bytes.ts";
import { DynamicTable, ENTRY_OVERHEAD_BYTES, TABLE_BYTES_DEFAULT } from "./dynamic-table.ts";
import { Prefix, writeInteger } from "./integer.ts";
import { AS_IT_IS, copyMapped, LOWER_CASE, putLineEnd, putSeparator } from "./line.ts";
import { Form } from "./representation.ts";
import {
  STATIC_COUNT,
  STATIC_LINES,
  STATIC_NAME_BYTES,
  STATIC_NAME_HASH,
  STATIC_START,
  staticFieldIndex,
  staticNameIndex,
} from "./static-table.ts";
import { writeString } from "./string.ts";
import { TableIndex } from "./table-index.ts";

/** How a field may be sent: added to the table, not added, or marked to be in no table ever. */
export const Indexing = { incremental: 0, without: 1, never: 2 } as const;
export type Indexing = (typeof Indexing)[keyof typeof Indexing];

/** Bytes that a call of `named` or `field` may write besides name and value. */
export const FIELD_GROWTH_BYTES = 16;

/** Bytes that `begin` may write: two updates of three bytes. */
export const BEGIN_BYTES_MAX = 6;

/** Fields of a block of which it is known what they were last time; those behind are looked up. */
const PLACES = 32;

/** A peer may offer more; the default is enough for the fields that repeat, and so is the memory. */
const TABLE_BYTES_MAX = TABLE_BYTES_DEFAULT;

export class HpackEncoder {
  readonly #isHuffman: boolean;
  readonly #table = new DynamicTable(TABLE_BYTES_MAX, TABLE_BYTES_DEFAULT);
  readonly #index = new TableIndex(this.#table);
  /** What the current call writes to and takes values from. */
  readonly #out = new ViewedBytes(new Uint8Array(0));
  readonly #bytes = new ViewedBytes(new Uint8Array(0));
  /** Whether the peer must be told the table's size, and the smallest that was set since it was. */
  #owesUpdate = false;
  #lowestBytes = TABLE_BYTES_MAX;
  /** The block so far has no field that no table may hold. */
  #isPublic = true;
  /**
   * For each place in a block the number of the dynamic entry that it was last time, which is looked at
   * before hashes are made: blocks have much in common with those before. 0: none.
   */
  readonly #last = new Int32Array(PLACES);
  #place = 0;

  /** Without Huffman's code literals stay raw: on a local network it costs more than it saves. */
  constructor(options: { readonly isHuffman?: boolean } = {}) {
    this.#isHuffman = options.isHuffman ?? false;
  }

  /**
   * Takes the peer's SETTINGS_HEADER_TABLE_SIZE, of which at most 4,096 bytes are used; only between
   * blocks. The next block begins with what §4.2 demands.
   */
  setTableBytesMax(bytes: number): void {
    const limit = Math.min(bytes, TABLE_BYTES_MAX);
    if (limit === this.#table.limitBytes) return;
    this.#table.resize(limit);
    this.#owesUpdate = true;
    this.#lowestBytes = Math.min(this.#lowestBytes, limit);
  }

  /** While it stays the same, the same fields make the same block; -1: not the next one. */
  get tableChanges(): number {
    return this.#owesUpdate ? -1 : this.#table.changes;
  }

  /** The block since `begin` may be kept: none of its fields is one that no table may hold. */
  get isPublic(): boolean {
    return this.#isPublic;
  }

  /** Begins a block at `out[at]` and returns where to go on, at most BEGIN_BYTES_MAX further. */
  begin(out: Uint8Array, at: number): number {
    this.#isPublic = true;
    this.#place = 0;
    if (!this.#owesUpdate) return at;
    const limit = this.#table.limitBytes;
    let to = at;
    if (this.#lowestBytes < limit) {
      to = writeInteger(out, to, Form.sizeUpdate, Prefix.bits5, this.#lowestBytes);
    }
    this.#owesUpdate = false;
    this.#lowestBytes = TABLE_BYTES_MAX;
    return writeInteger(out, to, Form.sizeUpdate, Prefix.bits5, limit);
  }

  /** Writes a field that the static table has whole: 2 is `:method: GET`. One byte. */
  indexed(out: Uint8Array, at: number, index: number): number {
    out[at] = Form.indexed | index;
    return at + 1;
  }

  /**
   * Writes a field with the name of a static index (1 to 61) and the value
   * `bytes[valueStart, valueEnd)`; returns where it ends, at most FIELD_GROWTH_BYTES more than name
   * and value have. `out` and `bytes` may be one array if the ranges do not overlap.
   */
  named(
    out: Uint8Array,
    at: number,
    nameIndex: number,
    bytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    this.#bytes.use(bytes);
    const nameStart = STATIC_START[nameIndex] ?? 0;
    const nameEnd = nameStart + (STATIC_NAME_BYTES[nameIndex] ?? 0);
    const hash = STATIC_NAME_HASH[nameIndex] ?? 0;
    this.#out.use(out);
    return this.#write(
      at,
      nameIndex,
      hash,
      STATIC_LINES,
      nameStart,
      nameEnd,
      valueStart,
      valueEnd,
      indexing,
    );
  }

  /**
   * Writes a field with the name `bytes[nameStart, nameEnd)`, whose letters become lower case, as
   * `named` does.
   */
  field(
    out: Uint8Array,
    at: number,
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    const names = this.#bytes;
    names.use(bytes);
    if (indexing !== Indexing.never) {
      const number = this.#last[this.#place] ?? 0;
      const age = this.#index.ageIf(number, names, nameStart, nameEnd, valueStart, valueEnd);
      if (age !== -1) {
        this.#place++;
        return writeIndexed(out, at, age);
      }
    }
    const hash = hashFolded(names, nameStart, nameEnd);
    const nameIndex = staticNameIndex(names, nameStart, nameEnd, hash);
    this.#out.use(out);
    return this.#write(
      at,
      nameIndex,
      hash,
      names,
      nameStart,
      nameEnd,
      valueStart,
      valueEnd,
      indexing,
    );
  }

  /** `nameIndex` is 0 when the static table does not have the name. */
  #write(
    at: number,
    nameIndex: number,
    nameHash: number,
    names: ViewedBytes,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    const out = this.#out;
    const bytes = this.#bytes;
    const table = this.#table;
    const place = this.#place++;
    const size = nameEnd - nameStart + (valueEnd - valueStart) + ENTRY_OVERHEAD_BYTES;
    let fieldHash = 0;
    if (indexing === Indexing.never) this.#isPublic = false;
    // A larger field would throw too much out of the table, so none is in it.
    const isIndexable = indexing !== Indexing.never && 2 * size <= table.limitBytes;
    if (indexing !== Indexing.never && nameIndex !== 0) {
      const index = staticFieldIndex(nameIndex, bytes, valueStart, valueEnd);
      if (index !== 0) return this.indexed(out.array, at, index);
    }
    if (isIndexable) {
      fieldHash = hashBytes(bytes, valueStart, valueEnd, nameHash);
      const age = this.#index.findField(
        fieldHash,
        names,
        nameStart,
        nameEnd,
        bytes,
        valueStart,
        valueEnd,
      );
      if (age !== -1) {
        if (place < PLACES) this.#last[place] = table.newest - age;
        return writeIndexed(out.array, at, age);
      }
    }
    let known = nameIndex;
    if (known === 0) {
      const age = this.#index.findName(nameHash, names, nameStart, nameEnd);
      if (age !== -1) known = STATIC_COUNT + 1 + age;
    }
    const isAdded = isIndexable && indexing === Indexing.incremental;
    let to = isAdded
      ? writeInteger(out.array, at, Form.incremental, Prefix.bits6, known)
      : writeInteger(
          out.array,
          at,
          indexing === Indexing.never ? Form.never : Form.without,
          Prefix.bits4,
          known,
        );
    const isHuffman = this.#isHuffman;
    if (known === 0) to = writeString(out, to, names, nameStart, nameEnd, LOWER_CASE, isHuffman);
    to = writeString(out, to, bytes, valueStart, valueEnd, AS_IT_IS, isHuffman);
    if (isAdded) {
      this.#add(fieldHash, nameHash, names, nameStart, nameEnd, valueStart, valueEnd);
    }
    return to;
  }

  #add(
    fieldHash: number,
    nameHash: number,
    names: ViewedBytes,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const lines = this.#table.lines;
    const at = this.#table.reserve(nameEnd - nameStart, valueEnd - valueStart, 0, 0);
    let to = copyMapped(names.array, nameStart, nameEnd, LOWER_CASE, lines.array, at);
    to = putSeparator(lines.array, to);
    putLineEnd(lines.array, copyBytes(this.#bytes, valueStart, valueEnd, lines, to));
    this.#index.addNewest(fieldHash, nameHash);
  }
}

/** §6.1 with a dynamic index. */
function writeIndexed(out: Uint8Array, at: number, age: number): number {
  return writeInteger(out, at, Form.indexed, Prefix.bits7, STATIC_COUNT + 1 + age);
}
