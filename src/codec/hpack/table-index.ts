/**
 * Finds entries of a dynamic table by hash, of name and value or of the name alone. Chains in typed
 * arrays, newest entry first: each bucket holds a sequence number, each entry the number of the next
 * in its chain. A number that has left the table ends a chain, so nothing is ever taken out. Whatever
 * a chain says, bytes are compared, so a hash or a wrapped number can only cost time.
 */

import { isSame, type ViewedBytes } from "../../lib/viewed-bytes.ts";
import type { DynamicTable } from "./dynamic-table.ts";
import { isSameName, SEPARATOR_BYTES } from "./line.ts";

/** Entries looked at in a chain. Only hashes chosen to collide make long ones. */
const PROBES_MAX = 8;

/** Numbers of an entry: hash and next in chain, for name and value and for the name alone. */
const STRIDE = 4;
const FIELD_NEXT = 1;
const NAME_HASH = 2;
const NAME_NEXT = 3;

export class TableIndex {
  readonly #table: DynamicTable;
  /** Slots of the table less one, and buckets less one. */
  readonly #mask: number;
  readonly #byField: Int32Array;
  readonly #byName: Int32Array;
  readonly #chains: Int32Array;

  constructor(table: DynamicTable) {
    this.#table = table;
    this.#mask = table.slots - 1;
    this.#byField = new Int32Array(table.slots);
    this.#byName = new Int32Array(table.slots);
    this.#chains = new Int32Array(table.slots * STRIDE);
  }

  /** Adds the table's newest entry. */
  addNewest(fieldHash: number, nameHash: number): void {
    const newest = this.#table.newest;
    const at = (newest & this.#mask) * STRIDE;
    const fieldBucket = fieldHash & this.#mask;
    const nameBucket = nameHash & this.#mask;
    this.#chains[at] = fieldHash;
    this.#chains[at + FIELD_NEXT] = this.#byField[fieldBucket] ?? 0;
    this.#chains[at + NAME_HASH] = nameHash;
    this.#chains[at + NAME_NEXT] = this.#byName[nameBucket] ?? 0;
    this.#byField[fieldBucket] = newest;
    this.#byName[nameBucket] = newest;
  }

  /**
   * Returns the age of the newest entry with the name `names[nameStart, nameEnd)`, letters folded to
   * lower case, and the value `bytes[valueStart, valueEnd)`, or -1.
   */
  findField(
    fieldHash: number,
    names: ViewedBytes,
    nameStart: number,
    nameEnd: number,
    bytes: ViewedBytes,
    valueStart: number,
    valueEnd: number,
  ): number {
    const table = this.#table;
    let sequence = this.#byField[fieldHash & this.#mask] ?? 0;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const age = (table.newest - sequence) >>> 0;
      if (age >= table.count) return -1;
      const slot = sequence & this.#mask;
      if (
        this.#chains[slot * STRIDE] === fieldHash &&
        table.nameBytes(slot) === nameEnd - nameStart &&
        table.valueBytes(slot) === valueEnd - valueStart
      ) {
        const name = table.start(slot);
        const value = name + (nameEnd - nameStart) + SEPARATOR_BYTES;
        if (
          isSame(bytes, valueStart, valueEnd, table.lines, value) &&
          isSameName(names, nameStart, nameEnd, table.lines, name)
        ) {
          return age;
        }
      }
      sequence = this.#chains[slot * STRIDE + FIELD_NEXT] ?? 0;
    }
    return -1;
  }

  /**
   * Returns the age of the entry with sequence number `number` if it has the name `bytes[nameStart, nameEnd)`,
   * letters folded to lower case, and the value `bytes[valueStart, valueEnd)`; else -1.
   */
  ageIf(
    number: number,
    bytes: ViewedBytes,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const table = this.#table;
    const age = (table.newest - number) >>> 0;
    if (number === 0 || age >= table.count) return -1;
    const slot = number & this.#mask;
    const nameBytes = table.nameBytes(slot);
    if (nameBytes !== nameEnd - nameStart || table.valueBytes(slot) !== valueEnd - valueStart)
      return -1;
    const name = table.start(slot);
    const value = name + nameBytes + SEPARATOR_BYTES;
    if (!isSame(bytes, valueStart, valueEnd, table.lines, value)) return -1;
    return isSameName(bytes, nameStart, nameEnd, table.lines, name) ? age : -1;
  }

  /** Returns the age of the newest entry with the name, letters folded to lower case, or -1. */
  findName(nameHash: number, names: ViewedBytes, nameStart: number, nameEnd: number): number {
    const table = this.#table;
    let sequence = this.#byName[nameHash & this.#mask] ?? 0;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const age = (table.newest - sequence) >>> 0;
      if (age >= table.count) return -1;
      const slot = sequence & this.#mask;
      if (
        this.#chains[slot * STRIDE + NAME_HASH] === nameHash &&
        table.nameBytes(slot) === nameEnd - nameStart &&
        isSameName(names, nameStart, nameEnd, table.lines, table.start(slot))
      ) {
        return age;
      }
      sequence = this.#chains[slot * STRIDE + NAME_NEXT] ?? 0;
    }
    return -1;
  }
}
