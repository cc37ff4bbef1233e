/**
 * Bytes of one stream that cannot be sent yet, in one piece that grows by doubling: no object for
 * each frame, so that a peer's one-byte frames cannot make memory grow a hundredfold. All of a
 * worker's streams draw on one budget.
 */
import { KEPT_BYTES_MAX } from "./limits.ts";

const BYTES_MIN = 512;
/** Reused by the next: most streams that wait, wait for little. */
const SPARE_MAX = 64;

/** What all connections of a worker keep together. */
export class KeptBudget {
  usedBytes = 0;
  readonly #spare: Uint8Array[] = [];

  /** Takes room for `bytes`, or null: there is no more. */
  take(bytes: number): Uint8Array | null {
    if (this.usedBytes + bytes > KEPT_BYTES_MAX) return null;
    this.usedBytes += bytes;
    const spare = bytes === BYTES_MIN ? this.#spare.pop() : undefined;
    return spare ?? new Uint8Array(bytes);
  }

  give(room: Uint8Array): void {
    this.usedBytes -= room.length;
    if (room.length === BYTES_MIN && this.#spare.length < SPARE_MAX) this.#spare.push(room);
  }
}

export class KeptData {
  readonly #budget: KeptBudget;
  #room: Uint8Array | null = null;
  #start = 0;
  #end = 0;

  constructor(budget: KeptBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Keeps a copy of `bytes[start, end)`. False: the budget is spent; nothing was kept. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    const count = end - start;
    if (count === 0) return true;
    const room = this.#roomFor(count);
    if (room === null) return false;
    if (count < 32) for (let i = 0; i < count; i++) room[this.#end + i] = bytes[start + i] ?? 0;
    else room.set(bytes.subarray(start, end), this.#end);
    this.#end += count;
    return true;
  }

  /** Moves `count` bytes to `bytes[at, …)`; there are as many. */
  take(count: number, bytes: Uint8Array, at: number): void {
    const room = this.#room;
    if (room === null) return;
    bytes.set(room.subarray(this.#start, this.#start + count), at);
    this.#start += count;
    if (this.#start === this.#end) this.clear();
  }

  /** Copies all of it to `bytes[at, …)`, and keeps it; returns where the copy ends. */
  copyTo(bytes: Uint8Array, at: number): number {
    if (this.#room !== null) bytes.set(this.#room.subarray(this.#start, this.#end), at);
    return at + this.length;
  }

  clear(): void {
    if (this.#room !== null) this.#budget.give(this.#room);
    this.#room = null;
    this.#start = 0;
    this.#end = 0;
  }

  #roomFor(count: number): Uint8Array | null {
    const room = this.#room;
    const wanted = this.length + count;
    if (room !== null && this.#end + count <= room.length) return room;
    if (room !== null && wanted <= room.length) {
      room.copyWithin(0, this.#start, this.#end);
    } else {
      let size = BYTES_MIN;
      while (size < wanted) size *= 2;
      const grown = this.#budget.take(size);
      if (grown === null) return null;
      if (room !== null) {
        grown.set(room.subarray(this.#start, this.#end));
        this.#budget.give(room);
      }
      this.#room = grown;
    }
    this.#end -= this.#start;
    this.#start = 0;
    return this.#room;
  }
}
