/**
 * Bytes of one stream that cannot be sent yet, in one piece: no object for each frame, so that a
 * peer's one-byte frames cannot make memory grow a hundredfold. All of a worker's streams draw on
 * one budget, and rooms are used again: what thousands of streams give up together would else wait
 * for the collector.
 */
import { KEPT_BYTES_MAX } from "./limits.ts";

/** Sizes of rooms: a few fields, an ordinary response, a window. */
const ROOM_BYTES: readonly number[] = [1_024, 8_192, 65_536];
const WINDOW_BYTES = 65_536;
/** Rooms of each size that are kept for the next, together 17 MiB. */
const SPARE_MAX: readonly number[] = [1_024, 1_024, 128];

/** What all connections of a worker keep together. */
export class KeptBudget {
  usedBytes = 0;
  readonly #maxBytes: number;
  readonly #spare: readonly Uint8Array[][] = ROOM_BYTES.map(() => []);

  constructor(maxBytes: number = KEPT_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  /** Takes room for `wanted` bytes or more, or null: there is no more. */
  take(wanted: number): Uint8Array | null {
    const size = ROOM_BYTES.findIndex((each) => wanted <= each);
    let bytes = ROOM_BYTES[size] ?? 2 * WINDOW_BYTES;
    while (bytes < wanted) bytes *= 2;
    if (this.usedBytes + bytes > this.#maxBytes) return null;
    this.usedBytes += bytes;
    return this.#spare[size]?.pop() ?? new Uint8Array(bytes);
  }

  /** So much is kept that who does not take what is his must make room soon. */
  get isPressed(): boolean {
    return this.usedBytes > this.#maxBytes / 2;
  }

  give(room: Uint8Array): void {
    this.usedBytes -= room.length;
    const size = ROOM_BYTES.indexOf(room.length);
    const spare = this.#spare[size];
    if (spare !== undefined && spare.length < (SPARE_MAX[size] ?? 0)) spare.push(room);
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
      const grown = this.#budget.take(wanted);
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
