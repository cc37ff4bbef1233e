/**
 * What all workers know of each endpoint: cost, failures, backoff, and (in-flight-rows.ts) what is in
 * flight. Words that several workers write are won by compare-exchange.
 */
import { InFlightRows } from "./in-flight-rows.ts";
import { AsideRow, CIRCUIT_PHASE, EndpointRow } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/**
 * A backoff is never longer (the balancer's 60 s and its jitter), so a row that seems to have more
 * left was not tried for 24.8 days and its clock has come round: it may be tried.
 */
export const BACKOFF_MAX_MS = 120_000;

/** Longest time for which an endpoint may ask to be left alone; Linkerd's bound of Retry-After. */
export const HOLD_MAX_MS = 300_000;

export class EndpointRows extends InFlightRows {
  readonly #words: Words;
  readonly #rows: number;
  readonly #asideRows: number;

  constructor(memory: Memory) {
    super(memory);
    this.#words = memory.words;
    this.#rows = memory.layout.endpointRows;
    this.#asideRows = memory.layout.asideRows;
  }

  /** Peak-EWMA round trip, microseconds, as of `stampMs(row)`. */
  costUs(row: number): number {
    return this.#read(row, EndpointRow.costUs) >>> 0;
  }

  stampMs(row: number): number {
    return this.#read(row, EndpointRow.stampMs) >>> 0;
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
    return this.#read(row, EndpointRow.failures) >>> 0;
  }

  /** Milliseconds from now until the endpoint may be tried again; 0 or less: now. */
  retryInMs(row: number, nowMs: number): number {
    if (this.#read(row, EndpointRow.failures) === 0) return 0;
    const leftMs = (this.#read(row, EndpointRow.retryAtMs) - nowMs) | 0;
    return leftMs > BACKOFF_MAX_MS ? 0 : leftMs;
  }

  /** Notes a connection failure; the endpoint is passed over for `backoffMs`, or BACKOFF_MAX_MS. */
  fail(row: number, nowMs: number, backoffMs: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    const retryAtMs = nowMs + Math.min(backoffMs, BACKOFF_MAX_MS);
    Atomics.store(this.#words, base + EndpointRow.retryAtMs, retryAtMs | 0);
    Atomics.store(this.#words, base + EndpointRow.isRetried, 0);
    Atomics.store(this.#words, base + EndpointRow.triedMs, nowMs | 0);
    Atomics.add(this.#words, base + EndpointRow.failures, 1);
  }

  /**
   * Takes the one attempt to connect to an endpoint whose backoff is over, or has lasted `leastMs` when
   * that is given; it is to be made within `leaseMs`, or another may. False: another worker did, or it
   * is not time.
   */
  takeRetry(row: number, nowMs: number, leaseMs: number, leastMs = -1): boolean {
    const base = this.#rows + row * EndpointRow.$stride;
    const seen = Atomics.load(this.#words, base + EndpointRow.retryAtMs);
    if (this.retryInMs(row, nowMs) > 0 && !this.#hasRested(base, nowMs, leastMs)) return false;
    const word = base + EndpointRow.retryAtMs;
    const leasedMs = (nowMs + leaseMs) | 0;
    if (Atomics.compareExchange(this.#words, word, seen, leasedMs) !== seen) return false;
    Atomics.store(this.#words, base + EndpointRow.isRetried, 1);
    Atomics.store(this.#words, base + EndpointRow.triedMs, nowMs | 0);
    return true;
  }

  /** Whether an endpoint that backs off may be tried all the same, see `takeRetry`. */
  mayRetryEarly(row: number, nowMs: number, leastMs: number): boolean {
    return this.#hasRested(this.#rows + row * EndpointRow.$stride, nowMs, leastMs);
  }

  #hasRested(base: number, nowMs: number, leastMs: number): boolean {
    if (leastMs < 0 || Atomics.load(this.#words, base + EndpointRow.isRetried) !== 0) return false;
    return ((nowMs - Atomics.load(this.#words, base + EndpointRow.triedMs)) | 0) >= leastMs;
  }

  /** An attempt to connect is under way by which it is seen whether the endpoint is back. */
  isRetried(row: number): boolean {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.isRetried;
    return Atomics.load(this.#words, word) !== 0;
  }

  /** Notes a success: failures are forgotten. */
  succeed(row: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    if (this.failures(row) === 0) return;
    Atomics.store(this.#words, base + EndpointRow.isRetried, 0);
    Atomics.store(this.#words, base + EndpointRow.failures, 0);
  }

  /**
   * Notes that it answered a request. If it is being tried whether it is back, it is: who is tried on a
   * connection that was kept will not be connected to.
   */
  reached(row: number): void {
    if (this.failures(row) !== 0 && this.isRetried(row)) this.succeed(row);
  }

  /**
   * Leaves the endpoint alone until `untilMs` (monotonic), as it asked; the last word counts. More
   * than HOLD_MAX_MS ahead is no hold: whoever parses what it asked bounds it.
   */
  hold(row: number, untilMs: number): void {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.heldUntilMs;
    Atomics.store(this.#words, word, untilMs | 0 || 1);
  }

  /** Milliseconds for which the endpoint wants to be left alone; 0 or less: it does not. */
  heldMs(row: number, nowMs: number): number {
    const untilMs = this.#read(row, EndpointRow.heldUntilMs);
    if (untilMs === 0) return 0;
    const leftMs = (untilMs - nowMs) | 0;
    return leftMs > HOLD_MAX_MS ? 0 : leftMs;
  }

  /** Milliseconds for which it keeps idle connections, as was seen; 0: nothing was. */
  keptIdleMs(row: number): number {
    return this.#read(row, EndpointRow.keptIdleMs) >>> 0;
  }

  /** Notes for how long it keeps idle connections. The last word counts; another one comes soon. */
  keepsIdle(row: number, ms: number): void {
    Atomics.store(
      this.#words,
      this.#rows + row * EndpointRow.$stride + EndpointRow.keptIdleMs,
      ms | 0,
    );
  }

  /** It can be connected to, did not ask to be left alone, and is not ejected: three reads at once. */
  isUsual(row: number): boolean {
    const base = this.#rows + row * EndpointRow.$stride;
    const phase = (this.#words[base + EndpointRow.circuit] ?? 0) & CIRCUIT_PHASE;
    const failures = this.#words[base + EndpointRow.failures] ?? 0;
    return (phase | failures | (this.#words[base + EndpointRow.heldUntilMs] ?? 0)) === 0;
  }

  /** It is usual, none of its latest requests failed, and it is not set aside: one cache line is read. */
  isSound(row: number): boolean {
    const base = this.#rows + row * EndpointRow.$stride;
    const failing = this.#words[base + EndpointRow.failing] ?? 0;
    return (failing | (this.#words[base + EndpointRow.trialAtMs] ?? 0)) === 0 && this.isUsual(row);
  }

  /** The circuit breaker's word, see balancer/circuit.ts. */
  circuit(row: number): number {
    return this.#read(row, EndpointRow.circuit) >>> 0;
  }

  /** Makes `next` of a circuit breaker if it still is `seen`. Returns whether it was. */
  moveCircuit(row: number, seen: number, next: number): boolean {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.circuit;
    return Atomics.compareExchange(this.#words, word, seen | 0, next | 0) === (seen | 0);
  }

  /** It is not ejected. */
  isClosed(row: number): boolean {
    return (this.circuit(row) & CIRCUIT_PHASE) === 0;
  }

  /** How the endpoint's answers fare, see balancer/health.ts. */
  health(row: number): number {
    return this.#read(row, EndpointRow.health) >>> 0;
  }

  /** Makes `next` of it if it still is `seen`. Returns whether it was. */
  moveHealth(row: number, seen: number, next: number): boolean {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.health;
    return Atomics.compareExchange(this.#words, word, seen | 0, next | 0) === (seen | 0);
  }

  /** When the window of `health` was opened. */
  healthMs(row: number): number {
    return this.#read(row, EndpointRow.healthMs) >>> 0;
  }

  openHealth(row: number, nowMs: number): void {
    Atomics.store(
      this.#words,
      this.#rows + row * EndpointRow.$stride + EndpointRow.healthMs,
      nowMs | 0,
    );
  }

  /** Monotonic milliseconds at which it was first seen, or welcomed back; 0: never. */
  joinedMs(row: number): number {
    return this.#read(row, EndpointRow.joinedMs) >>> 0;
  }

  /** Notes that the endpoint is new since `nowMs`. */
  join(row: number, nowMs: number): void {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.joinedMs;
    Atomics.store(this.#words, word, nowMs | 0 || 1);
  }

  /** Share of its latest requests that failed. */
  failing(row: number): number {
    return this.#read(row, EndpointRow.failing) >>> 0;
  }

  /** Writes the share of failures, if nobody else did since `seen` was read. */
  moveFailing(row: number, seen: number, next: number): void {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.failing;
    Atomics.compareExchange(this.#words, word, seen, next);
  }

  /** Monotonic milliseconds of the next trial of an endpoint that is set aside; 0: it is not. */
  trialAtMs(row: number): number {
    return this.#read(row, EndpointRow.trialAtMs) >>> 0;
  }

  /** Sets the next trial if it still is `seenMs`. Returns whether it was. `null`: not aside. */
  moveTrial(row: number, seenMs: number, nextMs: number | null): boolean {
    const word = this.#rows + row * EndpointRow.$stride + EndpointRow.trialAtMs;
    const next = nextMs === null ? 0 : nextMs | 0 || 1;
    return Atomics.compareExchange(this.#words, word, seenMs | 0, next) === (seenMs | 0);
  }

  trials(row: number): number {
    return this.#read(row, EndpointRow.trials) >>> 0;
  }

  /** Monotonic milliseconds at which it was set aside, or its last trial began. */
  asideMs(row: number): number {
    return this.#read(row, EndpointRow.asideMs) >>> 0;
  }

  /** Notes a trial, or that the endpoint was set aside; only for who won `moveTrial`. */
  noteTrial(row: number, trials: number, nowMs: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    Atomics.store(this.#words, base + EndpointRow.trials, trials);
    Atomics.store(this.#words, base + EndpointRow.asideMs, nowMs | 0);
  }

  /** Monotonic milliseconds of its last answer to anybody while it was set aside; 0: there was none. */
  answeredMs(row: number): number {
    const word = this.#asideRows + row * AsideRow.$stride + AsideRow.answeredMs;
    return (this.#words[word] ?? 0) >>> 0;
  }

  /** Notes that an endpoint has said something, whatever, if it is set aside. */
  noteAnswer(row: number, nowMs: number): void {
    if (this.trialAtMs(row) === 0) return;
    const word = this.#asideRows + row * AsideRow.$stride + AsideRow.answeredMs;
    Atomics.store(this.#words, word, nowMs | 0 || 1);
  }

  /**
   * A word as it was a moment ago. Not by Atomics: a pick reads some twenty, at 9 ns each on Deno
   * instead of 0.5. A word of 32 bits is never torn (ECMA-262 §29.10), all that is decided by one is
   * won by compare-exchange, and the rest is compared with what is as old.
   */
  #read(row: number, field: number): number {
    return this.#words[this.#rows + row * EndpointRow.$stride + field] ?? 0;
  }

  /** Prepares a row for a new endpoint. Only for a row that no snapshot names and nobody pends on. */
  reset(row: number): void {
    const base = this.#rows + row * EndpointRow.$stride;
    for (let word = 0; word < EndpointRow.$stride; word++) {
      Atomics.store(this.#words, base + word, 0);
    }
    Atomics.store(this.#words, this.#asideRows + row * AsideRow.$stride + AsideRow.answeredMs, 0);
  }
}
