/**
 * What is in flight to each endpoint, in a region of each worker's own: it has one writer, it cannot
 * lose an update, and a dead worker's share is given back exactly, by zeroing its region. One shared
 * word is faster under contention, up to twice (7 to 65 ns per request on Bun,
 * bench/micro/pending.bench.ts), but keeps a dead worker's share for ever.
 *
 * Reads are plain, see endpoint-rows.ts, and so is a write after which the same worker stores another
 * word by Atomics, which takes 11 ns on Deno and 2 on Bun: what comes before is not seen after it. Two for
 * each request do so: the last of `awaits`, lest somebody sees a request that waits since a time of long
 * ago (not on x86 and hardly on arm64, where a plain read may go ahead of another; one pick would think
 * that the endpoint is slow), and that of `release`, after which the row may be given away.
 */
import { ENDPOINTS_MAX, InFlight } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/** Words from one worker's region to the next one's. */
const WORKER_WORDS = ENDPOINTS_MAX * InFlight.$stride;

export class InFlightRows {
  readonly #words: Words;
  readonly #inFlight: number;
  readonly #workers: number;

  constructor(memory: Memory) {
    this.#words = memory.words;
    this.#inFlight = memory.layout.inFlight;
    this.#workers = memory.layout.workers;
  }

  get workers(): number {
    return this.#workers;
  }

  /** Requests in flight to the endpoint over all workers. */
  pending(row: number): number {
    let sum = 0;
    let word = this.#inFlight + row * InFlight.$stride + InFlight.pending;
    for (let worker = 0; worker < this.#workers; worker++) {
      sum += this.#words[word] ?? 0;
      word += WORKER_WORDS;
    }
    return sum;
  }

  /**
   * A lower bound of the age of the oldest request that the endpoint has not answered, over all
   * workers, milliseconds; 0 when nobody waits.
   */
  silentMs(row: number, nowMs: number): number {
    let longestMs = 0;
    let word = this.#inFlight + row * InFlight.$stride;
    for (let worker = 0; worker < this.#workers; worker++) {
      if ((this.#words[word + InFlight.unanswered] ?? 0) > 0) {
        const sinceMs = this.#words[word + InFlight.waitingSinceMs] ?? 0;
        longestMs = Math.max(longestMs, (nowMs - sinceMs) | 0);
      }
      word += WORKER_WORDS;
    }
    return longestMs;
  }

  /** Requests of `worker` that the endpoint has not answered. */
  unanswered(row: number, worker: number): number {
    return this.#words[this.#wordOf(row, worker) + InFlight.unanswered] ?? 0;
  }

  /** Monotonic milliseconds of the request that `worker` sent last; 0: none. */
  sentMs(row: number, worker: number): number {
    return (this.#words[this.#wordOf(row, worker) + InFlight.sentMs] ?? 0) >>> 0;
  }

  /** Adds one request in flight, to be answered. Only `worker` itself may call this. */
  acquire(row: number, worker: number, nowMs: number): void {
    const word = this.#wordOf(row, worker) + InFlight.pending;
    this.#words[word] = (this.#words[word] ?? 0) + 1;
    this.awaits(row, worker, nowMs);
  }

  /** The endpoint is to answer one in flight, from now on. */
  awaits(row: number, worker: number, nowMs: number): void {
    const words = this.#words;
    const word = this.#wordOf(row, worker);
    words[word + InFlight.sentMs] = nowMs | 0;
    const unanswered = (words[word + InFlight.unanswered] ?? 0) + 1;
    if (unanswered <= 1) words[word + InFlight.waitingSinceMs] = nowMs | 0;
    Atomics.store(words, word + InFlight.unanswered, unanswered);
  }

  /** Adds one tunnel in flight, or another that is answered already. */
  acquireAnswered(row: number, worker: number): void {
    this.#add(this.#wordOf(row, worker) + InFlight.pending, 1);
  }

  /**
   * Notes that the endpoint answered `worker`, or that nobody waits any more; once per `awaits`. Who sees
   * only one of the two writes, or none, sees what was so a moment ago.
   */
  answered(row: number, worker: number): void {
    const words = this.#words;
    const word = this.#wordOf(row, worker);
    const unanswered = (words[word + InFlight.unanswered] ?? 0) - 1;
    words[word + InFlight.unanswered] = unanswered;
    // Which of the others is the oldest is not known. It is not younger than the last one.
    if (unanswered > 0) words[word + InFlight.waitingSinceMs] = words[word + InFlight.sentMs] ?? 0;
  }

  /** Takes one in flight away that was answered. In pairs with `acquire`. */
  release(row: number, worker: number): void {
    this.#add(this.#wordOf(row, worker) + InFlight.pending, -1);
  }

  /** Takes back all that a dead worker had in flight. Only once that worker runs no more. */
  forget(worker: number): void {
    const base = this.#wordOf(0, worker);
    for (let word = 0; word < WORKER_WORDS; word++) Atomics.store(this.#words, base + word, 0);
  }

  #wordOf(row: number, worker: number): number {
    return this.#inFlight + worker * WORKER_WORDS + row * InFlight.$stride;
  }

  /** There is one writer. */
  #add(word: number, by: 1 | -1): void {
    Atomics.store(this.#words, word, (this.#words[word] ?? 0) + by);
  }
}
