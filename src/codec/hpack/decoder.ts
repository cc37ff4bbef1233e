/**
 * Decodes header blocks, RFC 7541 §3 and §6, into lines `name: value` CRLF. A field that is
 * malformed for HTTP but not for HPACK is marked, not refused, since only its stream is to blame.
 * What is too much is not kept, but the block is read to its end, for the dynamic table must go the
 * way of the peer's (RFC 9113 §4.3). Every limit keeps the work linear in the block's length.
 */
import { assert } from "../../lib/assert.ts";
import { copyBytes, ViewedBytes } from "../../lib/viewed-bytes.ts";
import { Field, fieldOf, hashName, NAME_HASH_SEED } from "../http1/field-names.ts";
import { DynamicTable, ENTRY_OVERHEAD_BYTES, TABLE_BYTES_DEFAULT } from "./dynamic-table.ts";
import { isFieldName, isFieldValue } from "./field-syntax.ts";
import { IntegerReader, Prefix } from "./integer.ts";
import {
  LINE_END_BYTES,
  LINE_OVERHEAD_BYTES,
  putLineEnd,
  putSeparator,
  SEPARATOR_BYTES,
} from "./line.ts";
import { Form } from "./representation.ts";
import {
  STATIC_COUNT,
  STATIC_FIELD,
  STATIC_LINES,
  STATIC_NAME_BYTES,
  STATIC_START,
  STATIC_VALUE_BYTES,
} from "./static-table.ts";
import { StringReader } from "./string.ts";

/** What is to be known of a field besides its bytes. */
export const FieldFlag = {
  /** §6.2.3: no table may hold it, here or further on. */
  neverIndexed: 1,
  /** Not a token in lower case, perhaps behind a colon (RFC 9113 §8.2.1, §8.3). */
  badName: 2,
  /** Has bytes that no field value may hold, or begins or ends with a blank (RFC 9113 §8.2.1). */
  badValue: 4,
} as const;

export interface FieldSink {
  /**
   * One field, as a line `name: value` CRLF at `[nameStart, valueEnd + 2)` of `out`. `id` is from
   * field-names.ts, `flags` are of FieldFlag. Returns false when the sink is full: the line is not
   * kept, and nothing more of the block is handed in.
   */
  field(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): boolean;
}

/** A header block with its CONTINUATION frames: as much as a head of HTTP/1 may have. */
export const BLOCK_BYTES_MAX = 65_536;

/** Sum of name, value and 32 over a block, as SETTINGS_MAX_HEADER_LIST_SIZE counts. */
export const DECODED_BYTES_MAX = 65_536;

/** The largest table that may be offered; with a larger one OUT_ROOM_BYTES would not do. */
const TABLE_BYTES_MAX = 16_384;

/** What is kept, a name from the table, and a block's literals, which had been coded to 5/8. */
export const OUT_ROOM_BYTES = 196_608;

/**
 * Bytes of names that a block may take from the dynamic table for new entries once it is refused.
 * Nobody needs so many, and without a limit each two bytes would copy a name as long as the table.
 * A block that takes more is treated as malformed, which ends the connection.
 */
const REFUSED_NAME_BYTES_MAX = 65_536;

/** §4.2: the smallest size since the last block and the last one; nobody has to send more. */
const SIZE_UPDATES_MAX = 2;

export class HpackDecoder {
  /** Where the output of the last decode ends. */
  outEnd = 0;
  /** The sink took no more of the last block. */
  isFull = false;
  /** The last block had more than DECODED_BYTES_MAX; the fields up to there were handed in. */
  isTooLarge = false;
  readonly #tableBytesMax: number;
  readonly table: DynamicTable;
  readonly #integer = new IntegerReader();
  readonly #string = new StringReader();
  readonly #block = new ViewedBytes(new Uint8Array(0));
  /** Where the block ends. */
  #end = 0;
  readonly #out = new ViewedBytes(new Uint8Array(0));
  /** Where the next line goes. */
  #to = 0;
  #decodedBytes = 0;
  #refusedNameBytes = 0;
  /** Of the name that was read or copied last. */
  #nameEnd = 0;
  #nameField = 0;
  #nameFlags = 0;

  /** `tableBytesMax` is the SETTINGS_HEADER_TABLE_SIZE that the peer is told, at most 16 KiB. */
  constructor(tableBytesMax: number = TABLE_BYTES_DEFAULT) {
    assert(tableBytesMax <= TABLE_BYTES_MAX, "hpack: the output has room for such a table");
    this.#tableBytesMax = tableBytesMax;
    this.table = new DynamicTable(tableBytesMax, Math.min(tableBytesMax, TABLE_BYTES_DEFAULT));
  }

  /**
   * Decodes a whole header block, `block[start, end)` of at most BLOCK_BYTES_MAX, and hands its
   * fields to `sink` in order. Their lines go to `out[at, …)` one behind the other; OUT_ROOM_BYTES
   * there may be overwritten. Both may be one array if the ranges do not overlap. Returns false for
   * COMPRESSION_ERROR (§2.3.3, §4.2, §5, §6.3), after which the decoder is of no more use.
   */
  decode(
    block: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    at: number,
    sink: FieldSink,
  ): boolean {
    assert(end - start <= BLOCK_BYTES_MAX, "hpack: block too long");
    const roomEnd = at + OUT_ROOM_BYTES;
    assert(roomEnd <= out.length, "hpack: no room for the output");
    assert(out !== block || end <= at || roomEnd <= start, "hpack: block and output overlap");
    this.isFull = false;
    this.isTooLarge = false;
    this.#block.use(block);
    this.#end = end;
    this.#out.use(out);
    this.#to = at;
    this.#decodedBytes = 0;
    this.#refusedNameBytes = 0;
    let next = this.#readSizeUpdates(start);
    while (next !== -1 && next < end) {
      const isIndexed = (block[next] ?? 0) >= Form.indexed;
      next = isIndexed ? this.#readIndexed(next, sink) : this.#readLiteral(next, sink);
    }
    this.outEnd = this.#to;
    return next !== -1;
  }

  /** §6.3; anywhere else they are an error (§4.2). */
  #readSizeUpdates(start: number): number {
    const block = this.#block.array;
    const integer = this.#integer;
    let at = start;
    for (let updates = 0; updates < SIZE_UPDATES_MAX; updates++) {
      const first = at < this.#end ? (block[at] ?? 0) : 0;
      if (first < Form.sizeUpdate || first >= Form.incremental) return at;
      at = integer.read(block, at, this.#end, Prefix.bits5);
      if (at === -1 || integer.value > this.#tableBytesMax) return -1;
      this.table.resize(integer.value);
    }
    return at;
  }

  /** §6.1. */
  #readIndexed(at: number, sink: FieldSink): number {
    const next = this.#integer.read(this.#block.array, at, this.#end, Prefix.bits7);
    const index = this.#integer.value;
    if (next === -1 || !this.#hasIndex(index)) return -1;
    if (this.isFull || this.isTooLarge) return next;
    if (index <= STATIC_COUNT) {
      const start = STATIC_START[index] ?? 0;
      const nameBytes = STATIC_NAME_BYTES[index] ?? 0;
      const valueBytes = STATIC_VALUE_BYTES[index] ?? 0;
      const field = STATIC_FIELD[index] ?? 0;
      this.#copyField(STATIC_LINES, start, nameBytes, valueBytes, field, 0, sink);
    } else {
      const table = this.table;
      const slot = table.slot(index - STATIC_COUNT - 1);
      const start = table.start(slot);
      const nameBytes = table.nameBytes(slot);
      const valueBytes = table.valueBytes(slot);
      const field = table.field(slot);
      this.#copyField(table.lines, start, nameBytes, valueBytes, field, table.flags(slot), sink);
    }
    return next;
  }

  /** §2.3.3: the dynamic table's indexes go on from the static table's. */
  #hasIndex(index: number): boolean {
    return index > 0 && index <= STATIC_COUNT + this.table.count;
  }

  #copyField(
    lines: ViewedBytes,
    start: number,
    nameBytes: number,
    valueBytes: number,
    field: number,
    flags: number,
    sink: FieldSink,
  ): void {
    if (!this.#hasRoomFor(nameBytes + valueBytes)) return;
    const nameEnd = this.#to + nameBytes;
    const lineBytes = nameBytes + valueBytes + LINE_OVERHEAD_BYTES;
    const lineEnd = copyBytes(lines, start, start + lineBytes, this.#out, this.#to);
    this.#keep(sink, field, nameEnd, lineEnd - LINE_END_BYTES, flags);
  }

  /** §6.2. */
  #readLiteral(at: number, sink: FieldSink): number {
    const block = this.#block;
    const out = this.#out;
    const first = block.array[at] ?? 0;
    if (first >= Form.sizeUpdate && first < Form.incremental) return -1;
    const isIncremental = first >= Form.incremental;
    const prefix = isIncremental ? Prefix.bits6 : Prefix.bits4;
    let next = this.#integer.read(block.array, at, this.#end, prefix);
    const index = this.#integer.value;
    if (next === -1) return -1;
    if (index === 0) next = this.#readName(next);
    else if (!this.#copyName(index, isIncremental)) return -1;
    if (next === -1) return -1;
    const nameEnd = this.#nameEnd;
    const valueStart = putSeparator(out.array, nameEnd);
    next = this.#string.read(block, next, this.#end, out, valueStart);
    if (next === -1) return -1;
    const valueEnd = this.#string.outEnd;
    putLineEnd(out.array, valueEnd);
    let flags = this.#nameFlags;
    if (!isFieldValue(out, valueStart, valueEnd)) flags |= FieldFlag.badValue;
    if (isIncremental) this.#insert(nameEnd, valueEnd, flags);
    else if (first >= Form.never) flags |= FieldFlag.neverIndexed;
    if (this.isFull || this.isTooLarge) return next;
    if (this.#hasRoomFor(valueEnd - this.#to - SEPARATOR_BYTES)) {
      this.#keep(sink, this.#nameField, nameEnd, valueEnd, flags);
    }
    return next;
  }

  /** Copies a name from a table to where the next line goes, unless nobody will look at it. */
  #copyName(index: number, isIncremental: boolean): boolean {
    if (!this.#hasIndex(index)) return false;
    this.#nameEnd = this.#to;
    const isRefused = this.isFull || this.isTooLarge;
    if (isRefused && !isIncremental) return true;
    if (index <= STATIC_COUNT) {
      const start = STATIC_START[index] ?? 0;
      const end = start + (STATIC_NAME_BYTES[index] ?? 0);
      this.#nameEnd = copyBytes(STATIC_LINES, start, end, this.#out, this.#to);
      this.#nameField = STATIC_FIELD[index] ?? 0;
      this.#nameFlags = 0;
      return true;
    }
    const table = this.table;
    const slot = table.slot(index - STATIC_COUNT - 1);
    const start = table.start(slot);
    const nameBytes = table.nameBytes(slot);
    if (isRefused) this.#refusedNameBytes += nameBytes;
    if (this.#refusedNameBytes > REFUSED_NAME_BYTES_MAX) return false;
    this.#nameEnd = copyBytes(table.lines, start, start + nameBytes, this.#out, this.#to);
    this.#nameField = table.field(slot);
    this.#nameFlags = table.flags(slot) & FieldFlag.badName;
    return true;
  }

  #readName(at: number): number {
    const start = this.#to;
    const next = this.#string.read(this.#block, at, this.#end, this.#out, start);
    if (next === -1) return -1;
    const bytes = this.#out.array;
    const end = this.#string.outEnd;
    let hash = NAME_HASH_SEED;
    for (let i = start; i < end; i++) hash = hashName(hash, bytes[i] ?? 0);
    this.#nameEnd = end;
    this.#nameField = start < end ? fieldOf(bytes, start, end, hash) : Field.other;
    this.#nameFlags = isFieldName(bytes, start, end) ? 0 : FieldFlag.badName;
    return next;
  }

  /** Adds the line at `#to` to the dynamic table. */
  #insert(nameEnd: number, valueEnd: number, flags: number): void {
    const { lines } = this.table;
    const valueBytes = valueEnd - nameEnd - SEPARATOR_BYTES;
    const at = this.table.reserve(nameEnd - this.#to, valueBytes, this.#nameField, flags);
    if (at !== -1) copyBytes(this.#out, this.#to, valueEnd + LINE_END_BYTES, lines, at);
  }

  /** Counts a field of so many bytes, or finds that it is too much. */
  #hasRoomFor(bytes: number): boolean {
    const total = this.#decodedBytes + bytes + ENTRY_OVERHEAD_BYTES;
    this.isTooLarge = total > DECODED_BYTES_MAX;
    if (!this.isTooLarge) this.#decodedBytes = total;
    return !this.isTooLarge;
  }

  /** Hands in the line at `#to`, and keeps it if the sink does. */
  #keep(sink: FieldSink, field: number, nameEnd: number, valueEnd: number, flags: number): void {
    const start = this.#to;
    this.isFull = !sink.field(field, start, nameEnd, nameEnd + SEPARATOR_BYTES, valueEnd, flags);
    if (!this.isFull) this.#to = valueEnd + LINE_END_BYTES;
  }
}
