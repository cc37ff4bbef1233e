/**
 * The dynamic table, RFC 7541 §4: a queue of entries, newest first. Entries lie as lines in one
 * array, oldest at the left, each behind the one before it; a ring of numbers says where. Entries
 * have sequence numbers, so that an index beside the table (table-index.ts) needs no care when they
 * leave: a number that is too old is gone.
 */
import { assert } from "../../lib/assert.ts";
import { ViewedBytes } from "../../lib/viewed-bytes.ts";
import { LINE_OVERHEAD_BYTES } from "./line.ts";

/** §4.1: what an entry counts besides name and value. */
export const ENTRY_OVERHEAD_BYTES = 32;

/** SETTINGS_HEADER_TABLE_SIZE before anybody said anything, RFC 9113 §6.5.2. */
export const TABLE_BYTES_DEFAULT = 4_096;

/** A few dozen short fields; many connections never need more. */
const BYTES_MIN = 1_024;

/** Numbers of an entry in the ring: start of the line, lengths, and field number and flags in one. */
const STRIDE = 4;
const NAME_BYTES = 1;
const VALUE_BYTES = 2;
const MARKS = 3;
const FLAGS_SHIFT = 8;

const NOTHING = new Uint8Array(0);

export class DynamicTable {
  /** The lines; `reserve` may go over to a larger array. */
  readonly lines = new ViewedBytes(NOTHING);
  /** Entries in the table. */
  count = 0;
  /** What they count by §4.1. */
  sizeBytes = 0;
  /** Sequence number of the newest entry, in 32 bits that wrap; the first one gets 1. */
  newest = 0;
  /** How often an entry came or left, or the limit changed. */
  changes = 0;
  #limitBytes: number;
  /** Slots of the ring less one. */
  readonly #mask: number;
  /** Made with the first entry. */
  #ring = new Int32Array(0);
  /** Where the next line goes. */
  #tail = 0;

  /** `bytesMax` bounds all later limits; `limitBytes` is the first one. */
  constructor(bytesMax: number, limitBytes: number) {
    assert(limitBytes <= bytesMax, "dynamic table: limit within its bound");
    this.#limitBytes = limitBytes;
    this.#mask = slotsFor(bytesMax) - 1;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Slots that the ring has: a power of two, at least as many as there can be entries. */
  get slots(): number {
    return this.#mask + 1;
  }

  /** Slot of the entry that is `age` entries older than the newest; `age` is below `count`. */
  slot(age: number): number {
    return (this.newest - age) & this.#mask;
  }

  /** Offset of the entry's line. */
  start(slot: number): number {
    return this.#ring[slot * STRIDE] ?? 0;
  }

  nameBytes(slot: number): number {
    return this.#ring[slot * STRIDE + NAME_BYTES] ?? 0;
  }

  valueBytes(slot: number): number {
    return this.#ring[slot * STRIDE + VALUE_BYTES] ?? 0;
  }

  field(slot: number): number {
    return (this.#ring[slot * STRIDE + MARKS] ?? 0) & 0xff;
  }

  flags(slot: number): number {
    return (this.#ring[slot * STRIDE + MARKS] ?? 0) >> FLAGS_SHIFT;
  }

  /** Sets the limit (§4.3) and drops what is beyond it. */
  resize(limitBytes: number): void {
    assert(slotsFor(limitBytes) <= this.slots, "dynamic table: limit within its bound");
    if (limitBytes !== this.#limitBytes) this.changes++;
    this.#limitBytes = limitBytes;
    this.#evictTo(limitBytes);
  }

  /**
   * Adds an entry (§4.4) and returns the offset in `lines` where its line must be written. Returns
   * -1 when it is larger than the table, which leaves the table empty.
   */
  reserve(nameBytes: number, valueBytes: number, field: number, flags: number): number {
    const size = nameBytes + valueBytes + ENTRY_OVERHEAD_BYTES;
    this.#evictTo(this.#limitBytes - size);
    if (size > this.#limitBytes) return -1;
    const lineBytes = nameBytes + valueBytes + LINE_OVERHEAD_BYTES;
    if (this.#tail + lineBytes > this.lines.array.length) this.#makeRoom(lineBytes);
    const start = this.#tail;
    this.#tail += lineBytes;
    this.newest = (this.newest + 1) | 0;
    this.count++;
    this.changes++;
    this.sizeBytes += size;
    const at = (this.newest & this.#mask) * STRIDE;
    this.#ring[at] = start;
    this.#ring[at + NAME_BYTES] = nameBytes;
    this.#ring[at + VALUE_BYTES] = valueBytes;
    this.#ring[at + MARKS] = (flags << FLAGS_SHIFT) | field;
    return start;
  }

  #evictTo(bytes: number): void {
    while (this.count > 0 && this.sizeBytes > bytes) {
      const slot = this.slot(--this.count);
      this.changes++;
      this.sizeBytes -= this.nameBytes(slot) + this.valueBytes(slot) + ENTRY_OVERHEAD_BYTES;
    }
    if (this.count === 0) this.#tail = 0;
  }

  /**
   * Moves the lines to the left, into a larger array if they would fill more than half. Then as many
   * bytes must come as are moved before it happens again. Lines are shorter than their entries
   * count, so the array never has more than four times the table's limit.
   */
  #makeRoom(lineBytes: number): void {
    if (this.#ring.length === 0) this.#ring = new Int32Array(this.slots * STRIDE);
    const head = this.count === 0 ? 0 : this.start(this.slot(this.count - 1));
    const needed = this.#tail - head + lineBytes;
    let capacity = Math.max(BYTES_MIN, this.lines.array.length);
    while (capacity < 2 * needed) capacity *= 2;
    if (capacity > this.lines.array.length) {
      const old = this.lines.array;
      this.lines.use(new Uint8Array(capacity));
      this.lines.array.set(old.subarray(head, this.#tail));
    } else {
      this.lines.array.copyWithin(0, head, this.#tail);
    }
    for (let age = 0; age < this.count; age++) {
      const at = this.slot(age) * STRIDE;
      this.#ring[at] = (this.#ring[at] ?? 0) - head;
    }
    this.#tail -= head;
  }
}

function slotsFor(bytesMax: number): number {
  let slots = 1;
  while (slots < bytesMax / ENTRY_OVERHEAD_BYTES) slots *= 2;
  return slots;
}
