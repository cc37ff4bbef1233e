/**
 * Counters of 64 bits in two 32-bit words. Each thread has its own, so each has one writer and a
 * plain store is enough; readers add the threads up. The high word's top bit is raised while a
 * carry is under way, so a reader never sees the new low word with the old high one. Counters
 * outlive the thread: a replacement goes on where its predecessor stopped.
 */
import { COUNTERS_MAX, SERIES_COUNTERS, SERIES_MAX } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

const CARRY = 0x80000000 | 0;
const TWO_32 = 2 ** 32;

/** Adds `amount` (0 to 2^32 - 1) to the counter at word `at`. Only its one writer calls this. */
function bump(words: Words, at: number, amount: number): void {
  const low = (words[at] ?? 0) >>> 0;
  const sum = low + amount;
  if (sum < TWO_32) {
    words[at] = sum;
    return;
  }
  const high = Atomics.load(words, at + 1);
  Atomics.store(words, at + 1, high | CARRY);
  Atomics.store(words, at, (sum - TWO_32) | 0);
  Atomics.store(words, at + 1, (high + 1) & ~CARRY);
}

/** Reads the counter at word `at`, exact up to 2^53. */
function read(words: Words, at: number): number {
  for (;;) {
    const high = Atomics.load(words, at + 1);
    const low = Atomics.load(words, at) >>> 0;
    if ((high & CARRY) === 0 && Atomics.load(words, at + 1) === high) return high * TWO_32 + low;
  }
}

/** The counters of one thread. */
export class Counters {
  readonly #words: Words;
  readonly #counters: number;
  readonly #series: number;

  /** `thread` is a worker's number, or `layout.workers` for the acceptor. */
  constructor(memory: Memory, thread: number) {
    this.#words = memory.words;
    this.#counters = memory.layout.counters + thread * COUNTERS_MAX * 2;
    this.#series = memory.layout.series + thread * SERIES_MAX * SERIES_COUNTERS * 2;
  }

  add(counter: number, amount: number): void {
    bump(this.#words, this.#counters + counter * 2, amount);
  }

  addTo(series: number, field: number, amount: number): void {
    bump(this.#words, this.#series + (series * SERIES_COUNTERS + field) * 2, amount);
  }

  get(counter: number): number {
    return read(this.#words, this.#counters + counter * 2);
  }

  getFrom(series: number, field: number): number {
    return read(this.#words, this.#series + (series * SERIES_COUNTERS + field) * 2);
  }

  /** Clears a series before its number is given to other labels. Main only, see metrics/series.ts. */
  clearSeries(series: number): void {
    const base = this.#series + series * SERIES_COUNTERS * 2;
    this.#words.fill(0, base, base + SERIES_COUNTERS * 2);
  }
}

/** Adds a counter up over all threads. */
export function sumCounter(threads: readonly Counters[], counter: number): number {
  let sum = 0;
  for (const thread of threads) sum += thread.get(counter);
  return sum;
}

/** Adds a field of a series up over all threads. */
export function sumSeries(threads: readonly Counters[], series: number, field: number): number {
  let sum = 0;
  for (const thread of threads) sum += thread.getFrom(series, field);
  return sum;
}
