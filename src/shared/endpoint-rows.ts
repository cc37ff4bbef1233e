/**
 * What all workers know of each endpoint: cost, backoff, and requests pending. Costs are shared
 * words won by compare-exchange. Pending is one word per worker and endpoint, in a region of the
 * worker's own: it has one writer, it cannot lose an update, and a dead worker's share is given
 * back exactly, by zeroing its region. One shared word is faster under contention, up to twice (7 to
 * 65 ns per request on Bun, bench/micro/pending.bench.ts), but keeps a dead worker's share for ever.
 */
import { ENDPOINTS_MAX, EndpointRow } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/**
 * A backoff is never longer (the balancer's 60 s and its jitter), so a row that seems to have more
 * left was not tried for 24.8 days and its clock has come round: it may be tried.
 */
export const BACKOFF_MAX_MS = 120_000;

export class EndpointRows {
  readonly #words: Words;
  readonly #rows: number;
  readonly #pending: number;
  readonly #workers: number;

  constructor(memory: Memory) {
    this.#words = memory.words;
    this.#rows = memory.layout.endpointRows;
    this.#pending = memory.layout.pending;
    this.#workers = memory.layout.workers;
  }

  /** Peak-EWMA round trip, microseconds, as of `stampMs(row)`. */
  costUs(row: number): number {
    return (
      Atomics.load(this.#words, this.#rows + row * EndpointRow.$stride + EndpointRow.costUs) >>> 0
    );
  }

  stampMs(row: number): number {
    return (
      Atomics.load(this.#words, this.#rows + row * EndpointRow.$stride + EndpointRow.stampMs) >>> 0
    );
  }

  /** Publishes a cost if nobody else did since `seenUs` was read. Returns whether it won. */
  publishCost(row: number, seenUs: number, costUs: number, nowMs: number): boolean {
    const base = this.#rows + row * EndpointRow.$stride;
    const seen = seenUs | 0;
    const word = base + EndpointRow.costUs;
    if (Atomics.compareExchange(this.#words, word, seen, costUs | 0) !== seen) return false;
    Atomics.store(this.#words, base + EndpointRow.stampMs, nowMs | 0);
    return true;
  }

  /** Connection failures in a row. */
  failures(row: number): number {
    return (
      Atomics.load(this.#words, this.#rows + row * EndpointRow.$stride + EndpointRow.failures) >>> 0
    );
  }

  /** Milliseconds from now until the endpoint may be tried again; 0 or less: now. */
  retryInMs(row: number, nowMs: number): number {
    const base = this.#rows + row * EndpointRow.$stride;
    if (Atomics.load(this.#words, base + EndpointRow.failures) === 0) return 0;
    const leftMs = (Atomics.load(this.#words, base + EndpointRow.retryAtMs) - nowMs) | 0;
    return leftMs > BACKOFF_MAX_MS ? 0 : leftMs;
  }

  /** Notes a connection failure; the endpoint is passed over for `backoffMs`, or BACKOFF_MAX_MS. */
  fail(row: number, nowMs: number, backoffMs: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    const retryAtMs = nowMs + Math.min(backoffMs, BACKOFF_MAX_MS);
    Atomics.store(this.#words, base + EndpointRow.retryAtMs, retryAtMs | 0);
    Atomics.add(this.#words, base + EndpointRow.failures, 1);
  }

  /** Notes a success: failures are forgotten. */
  succeed(row: number): void {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.failures;
    if (Atomics.load(this.#words, word) !== 0) Atomics.store(this.#words, word, 0);
  }

  /** Requests in flight to the endpoint over all workers. */
  pending(row: number): number {
    let sum = 0;
    let word = this.#pending + row;
    for (let worker = 0; worker < this.#workers; worker++) {
      sum += Atomics.load(this.#words, word);
      word += ENDPOINTS_MAX;
    }
    return sum;
  }

  /** Adds one request in flight. Only `worker` itself may call this. */
  acquire(row: number, worker: number): void {
    const word = this.#pending + worker * ENDPOINTS_MAX + row;
    Atomics.store(this.#words, word, Atomics.load(this.#words, word) + 1);
  }

  /** Takes one request in flight away. In pairs with `acquire`. */
  release(row: number, worker: number): void {
    const word = this.#pending + worker * ENDPOINTS_MAX + row;
    Atomics.store(this.#words, word, Atomics.load(this.#words, word) - 1);
  }

  /** Takes back all that a dead worker had in flight. Only once that worker runs no more. */
  forget(worker: number): void {
    const base = this.#pending + worker * ENDPOINTS_MAX;
    for (let row = 0; row < ENDPOINTS_MAX; row++) Atomics.store(this.#words, base + row, 0);
  }

  /** Prepares a row for a new endpoint. Only for a row that no snapshot names and nobody pends on. */
  reset(row: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    for (let word = 0; word < EndpointRow.$stride; word++) {
      Atomics.store(this.#words, base + word, 0);
    }
  }
}
