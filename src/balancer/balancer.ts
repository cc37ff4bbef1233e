/**
 * Chooses the endpoint for each request or connection. One per worker; what the workers know of
 * endpoints they share through the endpoint rows, so that each sees the load of all.
 *
 * Power of two choices (Mitzenmacher 2001): of two endpoints drawn at random, by weight, the less
 * loaded. docs/balancing.md tells the whole of it. In short, an endpoint that takes much longer than
 * is usual in its pool, or fails more often, or is silent, is set aside: another is drawn in its
 * place, and it gets single requests, trials, until one of them goes well.
 *
 * A row may be given to another endpoint once its worker has taken a snapshot without it and has
 * nothing pending there. Hence: pick from the newest snapshot, acquire in the same turn, and call
 * `answered`, `observe`, `failed` and `connectFailed` before `release`.
 */
import { assert } from "../lib/assert.ts";
import { below } from "../lib/random.ts";
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
import { Loads, Rank, TRIAL } from "./loads.ts";
import { Observations } from "./observations.ts";
import type { PoolView } from "./pool-view.ts";
import { TUNINGS, type Tuning } from "./tuning.ts";

/**
 * So many endpoints are looked at for one request, at most, to find two that are not set aside. An
 * endpoint is among them in no more than so many times its fair share of picks: this bounds what the
 * others must carry however many are set aside, and what any one gets however good it looks.
 */
export const SHARE_MAX = 4;
/** In place of a load. */
const NOT_ELIGIBLE = -3;
const UINT32 = 0x1_0000_0000;

export class Balancer {
  readonly #rows: EndpointRows;
  readonly #worker: number;
  readonly #loads: Loads;
  readonly #observations: Observations;
  readonly #tuning: Tuning;
  /** Returns 32 random bits; also for whatever else is left to chance on a request's way. */
  readonly random: () => number;

  /**
   * What the circuit breaker is to be told with the answer of the endpoint that was picked last
   * (Breaker); 0: it is not its trial.
   */
  trial = 0;

  /** `random` returns 32 random bits. */
  constructor(
    rows: EndpointRows,
    worker: number,
    random: () => number,
    tuning: Tuning = TUNINGS.ewma,
  ) {
    this.#rows = rows;
    this.#worker = worker;
    this.#loads = new Loads(rows, tuning, random);
    this.#observations = new Observations(rows, tuning, random);
    this.#tuning = tuning;
    this.random = random;
  }

  /**
   * Returns the less loaded of two endpoints drawn at random, of those that were not tried and are
   * eligible. If none is, one that can be reached though it is ejected or asked to be left alone: an
   * ejection never makes a pool empty. If none can be, one that may be tried again, or null, as when
   * there are none or all were tried. See `trial`.
   */
  pick(endpoints: readonly Endpoint[], nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    this.trial = 0;
    const count = endpoints.length;
    if (count === 0) return null;
    const view = this.#loads.viewOf(endpoints, nowMs);
    if (count === 1) return this.#pickOfAll(view, nowMs, tried);
    const drawn =
      this.#tuning.by === "turns"
        ? this.#pickInTurn(view, nowMs, tried)
        : this.#pickOfTwo(view, nowMs, tried);
    return drawn ?? this.#pickOfAll(view, nowMs, tried);
  }

  #pickOfTwo(view: PoolView, nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    const { endpoints, isWeighted } = view;
    const count = endpoints.length;
    const loads = this.#loads;
    let best = -1;
    let bestLoad = 0;
    let bestRank: number = Rank.failing;
    let fit = 0;
    let index = isWeighted ? view.indexAt(this.random() / UINT32) : below(this.random(), count);
    const step = isWeighted ? 0 : 1 + below(this.random(), count - 1);
    for (let drawn = 0; drawn < SHARE_MAX && fit < 2; drawn++) {
      if (drawn > 0) {
        index = isWeighted ? view.indexAt(this.random() / UINT32) : index + step;
        if (index >= count) index -= count;
      }
      const row = view.rowAt(index);
      if (index === best || isTried(row, tried)) continue;
      const soundLoad = loads.soundLoad(view, index, row, nowMs);
      const load = soundLoad >= 0 ? soundLoad : this.#weigh(view, index, row, nowMs);
      if (load === TRIAL) return at(endpoints, index);
      if (load === NOT_ELIGIBLE) continue;
      const rank = soundLoad >= 0 ? Rank.fit : loads.rank;
      if (rank === Rank.fit) fit++;
      if (best !== -1 && (rank === bestRank ? load >= bestLoad : rank > bestRank)) continue;
      best = index;
      bestLoad = load;
      bestRank = rank;
    }
    return best === -1 ? null : at(endpoints, best);
  }

  /** Returns the load of an endpoint, TRIAL, which is taken, or NOT_ELIGIBLE. */
  #weigh(view: PoolView, index: number, row: number, nowMs: number): number {
    const eligibility = eligibilityOf(this.#rows, row, nowMs);
    if (eligibility === "eligible") return this.#loads.weigh(view, index, nowMs);
    return eligibility === "trial" && this.#takeTrial(row, nowMs) ? TRIAL : NOT_ELIGIBLE;
  }

  #pickInTurn(view: PoolView, nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    const { endpoints } = view;
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = at(endpoints, view.nextTurn());
      if (isTried(endpoint.row, tried)) continue;
      const eligibility = eligibilityOf(this.#rows, endpoint.row, nowMs);
      if (eligibility === "eligible") return endpoint;
      if (eligibility === "trial" && this.#takeTrial(endpoint.row, nowMs)) return endpoint;
    }
    return null;
  }

  /**
   * The drawn ones were of no use: the less loaded of two of all that are untried and eligible, each
   * as likely as any other; else see `pick`.
   */
  #pickOfAll(view: PoolView, nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    const { endpoints } = view;
    let soonest: Endpoint | null = null;
    let soonestMs = Number.POSITIVE_INFINITY;
    let first = -1;
    let second = -1;
    let seen = 0;
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = at(endpoints, index);
      if (isTried(endpoint.row, tried)) continue;
      const eligibility = eligibilityOf(this.#rows, endpoint.row, nowMs);
      if (eligibility === "trial" && this.#takeTrial(endpoint.row, nowMs)) return endpoint;
      if (eligibility === "eligible") {
        // Two of those that were seen so far (Vitter's reservoir).
        const place = seen < 2 ? seen : below(this.random(), seen + 1);
        if (place === 0) first = index;
        else if (place === 1) second = index;
        seen++;
        continue;
      }
      if (!isReachable(this.#rows, endpoint.row)) continue;
      const waitMs = returnsInMs(this.#rows, endpoint.row, nowMs);
      if (waitMs >= soonestMs) continue;
      soonest = endpoint;
      soonestMs = waitMs;
    }
    if (first === -1) return soonest ?? this.#retryEarly(endpoints, nowMs, tried);
    return at(endpoints, second === -1 ? first : this.#loads.less(view, first, second, nowMs));
  }

  /** One that is out of reach, as all are, and was not tried for a while. */
  #retryEarly(
    endpoints: readonly Endpoint[],
    nowMs: number,
    tried: readonly Endpoint[],
  ): Endpoint | null {
    const start = below(this.random(), endpoints.length);
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = at(endpoints, (start + step) % endpoints.length);
      if (isTried(endpoint.row, tried)) continue;
      if (takeRetryEarly(this.#rows, endpoint.row, nowMs)) return endpoint;
    }
    return null;
  }

  #takeTrial(row: number, nowMs: number): boolean {
    const trial = takeTrial(this.#rows, row, nowMs, this.#worker);
    if (trial === NO_TRIAL) return false;
    this.trial = trial;
    return true;
  }

  /** The first that was not tried, whatever is known of it: where there is no choice. */
  first(endpoints: readonly Endpoint[], tried: readonly Endpoint[]): Endpoint | null {
    this.trial = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = at(endpoints, i);
      if (!isTried(endpoint.row, tried)) return endpoint;
    }
    return null;
  }

  /** What a pick would find now, nothing tried. */
  outlook(endpoints: readonly Endpoint[], nowMs: number): Outlook {
    return outlookOf(this.#rows, endpoints, nowMs);
  }

  /** Notes one more request in flight to the endpoint, or a connection that is being made. */
  acquire(endpoint: Endpoint, nowMs: number): void {
    this.#rows.acquire(endpoint.row, this.#worker, nowMs);
  }

  /** Notes that it is the endpoint's turn again, after `answered`. */
  awaits(endpoint: Endpoint, nowMs: number): void {
    this.#rows.awaits(endpoint.row, this.#worker, nowMs);
  }

  /** Notes one more tunnel that is open to the endpoint. */
  acquireTunnel(endpoint: Endpoint): void {
    this.#rows.acquireAnswered(endpoint.row, this.#worker);
  }

  /** Notes that the endpoint answered, well or not, or that its answer is not waited for any more. */
  answered(endpoint: Endpoint): void {
    this.#rows.answered(endpoint.row, this.#worker);
  }

  /** Notes one less in flight. In pairs with `acquire`. `isAnswered`: `answered` was called. */
  release(endpoint: Endpoint, isAnswered: boolean): void {
    if (!isAnswered) this.#rows.answered(endpoint.row, this.#worker);
    this.#rows.release(endpoint.row, this.#worker);
  }

  /** Notes that the endpoint has answered, whatever: it is there, and does not hang (silence.ts). */
  answers({ row }: Endpoint, nowMs: number): void {
    this.#rows.reached(row);
    this.#rows.noteAnswer(row, nowMs);
  }

  /**
   * Notes that the endpoint answered after `rttUs`: to the first byte, or to be connected. `isWell`
   * false: it is not known yet whether well; `ended` follows.
   */
  observe(endpoint: Endpoint, rttUs: number, nowMs: number, isWell = true): void {
    this.answers(endpoint, nowMs);
    this.#observations.answered(endpoint.row, rttUs, nowMs);
    if (isWell) this.#observations.wentWell(endpoint.row, rttUs, nowMs);
  }

  /** The usual latency in a pool, microseconds; as far as is known, if this worker has not picked from it yet. */
  usualUs(endpoints: readonly Endpoint[], nowMs: number): number {
    return this.#loads.usualUs(endpoints, nowMs);
  }

  /** Notes what it came to in the end, `tookUs` after it was sent: gRPC says so in its trailers. */
  ended(endpoint: Endpoint, isFailure: boolean, tookUs: number, nowMs: number): void {
    if (isFailure) this.#observations.failed(endpoint.row, 0, nowMs);
    else this.#observations.wentWell(endpoint.row, tookUs, nowMs);
  }

  /**
   * Notes that a request came to nothing by the endpoint's fault after `rttUs`: it answered that it
   * failed (5xx, 429), or broke off, or did not answer in time.
   */
  failed(endpoint: Endpoint, rttUs: number, nowMs: number): void {
    this.#observations.failed(endpoint.row, rttUs, nowMs);
  }

  /** Notes that the endpoint could not be connected to: it is passed over for a while. `isRefusal`: it said so. */
  connectFailed(endpoint: Endpoint, nowMs: number, isRefusal = false): void {
    this.#observations.notConnected(endpoint.row, nowMs, isRefusal);
  }

  /** Notes that the endpoint was connected to: it may be chosen again. */
  connectSucceeded(endpoint: Endpoint): void {
    this.#rows.succeed(endpoint.row);
  }
}

/** By row: each snapshot brings new objects for the same endpoints. */
function isTried(row: number, tried: readonly Endpoint[]): boolean {
  for (let i = 0; i < tried.length; i++) {
    if (tried[i]?.row === row) return true;
  }
  return false;
}

function at(endpoints: readonly Endpoint[], index: number): Endpoint {
  const endpoint = endpoints[index];
  assert(endpoint !== undefined, "endpoint index");
  return endpoint;
}
