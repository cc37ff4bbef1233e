/**
 * Counters of 63 bits in two words. Each thread has its own, so each has one writer and a plain
 * store is enough; readers add the threads up. The low word has 31 bits of the count and, on top,
 * the parity of the high part. On a carry the low word is written first: a reader (or a successor)
 * whose high word disagrees with the parity knows that the high word is one behind. Nobody waits
 * for the writer, which may die between the two stores. Counters outlive the thread: a replacement
 * goes on where its predecessor stopped.
 */
import { COUNTERS_MAX, SERIES_COUNTERS, SERIES_MAX } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

const LOW_MAX = 0x7fff_ffff;
const TWO_31 = 2 ** 31;

/** The high part that a low word belongs to: the high word, or one more while a carry is under way. */
function highOf(high: number, low: number): number {
  return high + ((high ^ (low >>> 31)) & 1);
}

/** Adds `amount` (an integer, 0 to 2^32 - 1) to the counter at word `at`. For its one writer. */
function bump(words: Words, at: number, amount: number): void {
  const low = words[at] ?? 0;
  const sum = (low & LOW_MAX) + amount;
  if (sum < TWO_31) words[at] = low + amount;
  else carry(words, at, sum);
}

/** Raises the high part by one at a time: parity tells no more than one step. */
function carry(words: Words, at: number, sum: number): void {
  let high = highOf(Atomics.load(words, at + 1), Atomics.load(words, at));
  // Changes nothing, unless a predecessor died in the middle of its carry.
  Atomics.store(words, at + 1, high);
  for (let rest = sum; rest >= TWO_31; ) {
    high++;
    rest -= TWO_31;
    const low = Math.min(rest, LOW_MAX);
    Atomics.store(words, at, low | (high << 31));
    Atomics.store(words, at + 1, high);
  }
}

/** Reads the counter at word `at`, exact up to 2^53. */
function read(words: Words, at: number): number {
  for (;;) {
    const high = Atomics.load(words, at + 1);
    const low = Atomics.load(words, at);
    if (Atomics.load(words, at + 1) === high) return highOf(high, low) * TWO_31 + (low & LOW_MAX);
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
