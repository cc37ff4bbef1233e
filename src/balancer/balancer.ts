/**
 * Chooses the endpoint for each request or connection: power of two choices (Mitzenmacher 2001) on
 * peak EWMA x (pending + 1). One per worker; what the workers know of endpoints they share through
 * the endpoint rows, so that each sees the load of all.
 *
 * A row may be given to another endpoint once its worker has taken a snapshot without it and has
 * nothing pending there. Hence: pick from the newest snapshot, acquire in the same turn, and call
 * `observe` and `connectFailed` before `release`.
 */
import { assert } from "../lib/assert.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import {
  eligibilityOf,
  isReachable,
  NO_TRIAL,
  type Outlook,
  outlookOf,
  returnsInMs,
  takeRetryEarly,
  takeTrial,
} from "./eligible.ts";
import { DEFAULT_RTT_US, decayedUs, elapsedMs, observedUs, SAMPLE_MS } from "./peak-ewma.ts";

/** Linkerd's reconnect backoff. A restarting process is back within a second more often than not. */
export const BACKOFF_MIN_MS = 100;
export const BACKOFF_MAX_MS = 60_000;
/** Another worker won each time: then its measurement is as fresh as ours, and ours may be lost. */
const OBSERVE_TRIES_MAX = 4;

export class Balancer {
  readonly #rows: EndpointRows;
  readonly #worker: number;
  /** Returns 32 random bits; also for whatever else is left to chance on a request's way. */
  readonly random: () => number;

  /**
   * What the circuit breaker is to be told with the answer of the endpoint that was picked last
   * (Breaker); 0: it is not its trial.
   */
  trial = 0;

  /** `random` returns 32 random bits. */
  constructor(rows: EndpointRows, worker: number, random: () => number) {
    this.#rows = rows;
    this.#worker = worker;
    this.random = random;
  }

  /**
   * Returns the less loaded of two random endpoints that were not tried and are eligible; if one of
   * the two is not, the other; if both are not, any that is. If none is, one that can be reached though
   * it is ejected or asked to be left alone: an ejection never makes a pool empty. If none can be, one
   * that may be tried again, or null, as when there are none or all were tried. See `trial`.
   */
  pick(endpoints: readonly Endpoint[], nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    this.trial = 0;
    const count = tried.length === 0 ? endpoints.length : countUntried(endpoints, tried);
    if (count === 0) return null;
    if (count === 1) return this.#pickAny(endpoints, nowMs, tried);
    const firstRank = this.random() % count;
    const otherRank = this.random() % (count - 1);
    const first = untriedAt(endpoints, tried, firstRank);
    const second = untriedAt(endpoints, tried, otherRank < firstRank ? otherRank : otherRank + 1);
    const firstIs = eligibilityOf(this.#rows, first.row, nowMs);
    if (firstIs === "trial" && this.#takeTrial(first.row, nowMs)) return first;
    const secondIs = eligibilityOf(this.#rows, second.row, nowMs);
    if (secondIs === "trial" && this.#takeTrial(second.row, nowMs)) return second;
    if (firstIs !== "eligible") {
      return secondIs === "eligible" ? second : this.#pickAny(endpoints, nowMs, tried);
    }
    if (secondIs !== "eligible") return first;
    return this.#load(second.row, nowMs) < this.#load(first.row, nowMs) ? second : first;
  }

  /** The first that was not tried, whatever is known of it: where there is no choice. */
  first(endpoints: readonly Endpoint[], tried: readonly Endpoint[]): Endpoint | null {
    this.trial = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = at(endpoints, i);
      if (!isTried(endpoint, tried)) return endpoint;
    }
    return null;
  }

  /** What a pick would find now, nothing tried. */
  outlook(endpoints: readonly Endpoint[], nowMs: number): Outlook {
    return outlookOf(this.#rows, endpoints, nowMs);
  }

  #takeTrial(row: number, nowMs: number): boolean {
    const trial = takeTrial(this.#rows, row, nowMs, this.#worker);
    if (trial === NO_TRIAL) return false;
    this.trial = trial;
    return true;
  }

  /** Notes one more request in flight to the endpoint, or a connection that is being made. */
  acquire(endpoint: Endpoint, nowMs: number): void {
    this.#rows.acquire(endpoint.row, this.#worker, nowMs);
  }

  /** Notes one more tunnel that is open to the endpoint. */
  acquireTunnel(endpoint: Endpoint): void {
    this.#rows.acquireTunnel(endpoint.row, this.#worker);
  }

  /** Notes one request less. In pairs with `acquire`. */
  release(endpoint: Endpoint): void {
    this.#rows.release(endpoint.row, this.#worker);
  }

  /** Notes that the endpoint answered after `rttUs`: to the first byte, or to be connected. */
  observe(endpoint: Endpoint, rttUs: number, nowMs: number): void {
    this.#rows.answered(endpoint.row, this.#worker);
    this.#measured(endpoint.row, rttUs, nowMs);
  }

  /**
   * Notes that a request came to nothing by the endpoint's fault after `rttUs`: it answered that it
   * failed (5xx, 429), or broke off, or did not answer in time. A failure may be slow, but never
   * makes an endpoint look fast.
   */
  failed(endpoint: Endpoint, rttUs: number, nowMs: number): void {
    const { row } = endpoint;
    this.#rows.answered(row, this.#worker);
    if (rttUs > decayedUs(this.#rows.costUs(row), 0)) this.#measured(row, rttUs, nowMs);
  }

  #measured(row: number, rttUs: number, nowMs: number): void {
    for (let attempt = 0; attempt < OBSERVE_TRIES_MAX; attempt++) {
      const seenUs = this.#rows.costUs(row);
      const elapsed = elapsedMs(nowMs, this.#rows.stampMs(row));
      const costUs = observedUs(seenUs, elapsed, rttUs);
      if (costUs === seenUs && elapsed < SAMPLE_MS) return;
      if (this.#rows.publishCost(row, seenUs, costUs, nowMs)) return;
    }
  }

  /** Notes that the endpoint could not be connected to: it is passed over for a while. */
  connectFailed(endpoint: Endpoint, nowMs: number): void {
    const { row } = endpoint;
    // Those that were on their way when the first failed say nothing new. Each counted, one burst
    // of 64 connections would mean the longest backoff. The one that was to see whether it is back does.
    if (this.#rows.retryInMs(row, nowMs) > 0 && !this.#rows.isRetried(row)) return;
    const failures = this.#rows.failures(row) + 1;
    const waitMs = backoffMs(failures, BACKOFF_MIN_MS, BACKOFF_MAX_MS, this.random);
    this.#rows.fail(row, nowMs, waitMs);
  }

  /** Notes that the endpoint was connected to: it may be chosen again. */
  connectSucceeded(endpoint: Endpoint): void {
    this.#rows.succeed(endpoint.row);
  }

  #load(row: number, nowMs: number): number {
    const costUs = this.#rows.costUs(row);
    const stampMs = this.#rows.stampMs(row);
    if (costUs === 0 && stampMs === 0) {
      // From now on the guess is forgotten like a measurement. Otherwise an endpoint that joins a
      // pool of faster ones would never be chosen, and never be measured.
      this.#rows.publishCost(row, 0, 0, nowMs);
      return DEFAULT_RTT_US * (this.#rows.pending(row) + 1);
    }
    return decayedUs(costUs, elapsedMs(nowMs, stampMs)) * (this.#rows.pending(row) + 1);
  }

  /** Any untried endpoint that is eligible, from a random one on; else see `pick`. */
  #pickAny(
    endpoints: readonly Endpoint[],
    nowMs: number,
    tried: readonly Endpoint[],
  ): Endpoint | null {
    const count = endpoints.length;
    const start = count > 1 ? this.random() % count : 0;
    let soonest: Endpoint | null = null;
    let soonestMs = Number.POSITIVE_INFINITY;
    for (let step = 0; step < count; step++) {
      const endpoint = at(endpoints, (start + step) % count);
      if (isTried(endpoint, tried)) continue;
      const eligibility = eligibilityOf(this.#rows, endpoint.row, nowMs);
      if (eligibility === "eligible") return endpoint;
      if (eligibility === "trial" && this.#takeTrial(endpoint.row, nowMs)) return endpoint;
      if (!isReachable(this.#rows, endpoint.row)) continue;
      const waitMs = returnsInMs(this.#rows, endpoint.row, nowMs);
      if (waitMs >= soonestMs) continue;
      soonest = endpoint;
      soonestMs = waitMs;
    }
    return soonest ?? this.#retryEarly(endpoints, nowMs, tried, start);
  }

  /** One that is out of reach, as all are, and was not tried for a while. */
  #retryEarly(
    endpoints: readonly Endpoint[],
    nowMs: number,
    tried: readonly Endpoint[],
    start: number,
  ): Endpoint | null {
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = at(endpoints, (start + step) % endpoints.length);
      if (isTried(endpoint, tried)) continue;
      if (takeRetryEarly(this.#rows, endpoint.row, nowMs)) return endpoint;
    }
    return null;
  }
}

/** By row: each snapshot brings new objects for the same endpoints. */
function isTried(endpoint: Endpoint, tried: readonly Endpoint[]): boolean {
  for (let i = 0; i < tried.length; i++) {
    if (tried[i]?.row === endpoint.row) return true;
  }
  return false;
}

function countUntried(endpoints: readonly Endpoint[], tried: readonly Endpoint[]): number {
  let count = 0;
  for (let i = 0; i < endpoints.length; i++) {
    if (!isTried(at(endpoints, i), tried)) count++;
  }
  return count;
}

/** Returns the endpoint before which there are `rank` untried ones. */
function untriedAt(
  endpoints: readonly Endpoint[],
  tried: readonly Endpoint[],
  rank: number,
): Endpoint {
  if (tried.length === 0) return at(endpoints, rank);
  let left = rank;
  for (let i = 0; ; i++) {
    const endpoint = at(endpoints, i);
    if (!isTried(endpoint, tried) && left-- === 0) return endpoint;
  }
}

function at(endpoints: readonly Endpoint[], index: number): Endpoint {
  const endpoint = endpoints[index];
  assert(endpoint !== undefined, "endpoint index");
  return endpoint;
}
