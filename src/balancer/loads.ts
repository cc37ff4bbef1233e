/**
 * What a worker makes of the endpoints' shared rows: their loads, and which of them are set aside.
 */
import { backoffMs } from "../lib/backoff.ts";
import { below } from "../lib/random.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { FAILING_ONE } from "./failing.ts";
import { DEFAULT_RTT_US, decayedUs, elapsedMs } from "./peak-ewma.ts";
import { PoolView, REFRESH_MS, SAMPLED_MAX } from "./pool-view.ts";
import { estimateUs, expectedUs, loadUs, rampOf } from "./score.ts";
import type { Tuning } from "./tuning.ts";

/** In place of a load: the endpoint is set aside, and its trial is due and this request's. */
export const TRIAL = -1;
/** In place of a load: see what `weigh` says. */
const UNKNOWN = -2;

/**
 * Which of two endpoints is better, whatever their loads; the lesser is. One that fails is worse than
 * one that is slow: when most of a pool is slow, requests must not go where they fail instead.
 */
export const Rank = { fit: 0, slow: 1, failing: 2 } as const;

/** One that is welcomed back has half of the ramp before it. */
const WELCOME_PART = 0.5;
/** Up to this share more of the time between trials that are rare. */
const SPREAD = 1 / 8;
const UINT32 = 0x1_0000_0000;

export class Loads {
  readonly #rows: EndpointRows;
  readonly #tuning: Tuning;
  readonly #random: () => number;
  readonly #views = new WeakMap<readonly Endpoint[], PoolView>();
  #lastView = new PoolView([]);
  readonly #sample = new Float64Array(SAMPLED_MAX);
  /** Of the endpoint that was weighed last: one of Rank. */
  rank: number = Rank.fit;

  constructor(rows: EndpointRows, tuning: Tuning, random: () => number) {
    this.#rows = rows;
    this.#tuning = tuning;
    this.#random = random;
  }

  /** Returns the view of a pool, for one pick. */
  viewOf(endpoints: readonly Endpoint[], nowMs: number): PoolView {
    let view = this.#lastView;
    if (view.endpoints !== endpoints) {
      view = this.#views.get(endpoints) ?? this.#newView(endpoints, nowMs);
      this.#lastView = view;
    }
    view.picks++;
    if (nowMs >= view.staleMs && this.#tuning.leansOnPool) this.#refresh(view, nowMs);
    return view;
  }

  /**
   * Returns what `weigh` would, for an endpoint that may be chosen, is not new, and against which nothing
   * speaks: so they are nearly always, and that takes half as long to see. Or less than 0.
   */
  soundLoad(view: PoolView, index: number, row: number, nowMs: number): number {
    const rows = this.#rows;
    const { countsSilence, leansOnPool, outlierRatio, rampMs } = this.#tuning;
    if (!leansOnPool || !rows.isSound(row)) return UNKNOWN;
    if (view.isRamping && (nowMs - rows.joinedMs(row)) >>> 0 < rampMs) return UNKNOWN;
    const { medianUs } = view;
    const pending = rows.pending(row);
    let expected = estimateUs(rows.costUs(row), elapsedMs(nowMs, rows.stampMs(row)), medianUs);
    if (pending !== 0 && countsSilence) expected = expectedUs(expected, rows.silentMs(row, nowMs));
    if (expected > outlierRatio * medianUs) return UNKNOWN;
    return expected * (view.isWeighted ? pending / view.weightAt(index) + 1 : pending + 1);
  }

  /** The usual latency in a pool. */
  usualUs(endpoints: readonly Endpoint[], nowMs: number): number {
    return (this.#views.get(endpoints) ?? this.#newView(endpoints, nowMs)).medianUs;
  }

  /** Returns the load of the endpoint at `index`, or TRIAL. Sets `rank`. */
  weigh(view: PoolView, index: number, nowMs: number): number {
    const rows = this.#rows;
    const tuning = this.#tuning;
    const row = view.rowAt(index);
    this.rank = Rank.fit;
    const pending = rows.pending(row);
    if (tuning.by === "pending") return loadUs(1, pending, view.weightAt(index), 0);
    if (!tuning.leansOnPool) return this.#plainLoad(view, index, row, pending, nowMs);
    const trialAtMs = rows.trialAtMs(row);
    const expected = this.#expectedUs(view, row, pending, trialAtMs, nowMs);
    const failing = rows.failing(row);
    if (expected > tuning.outlierRatio * view.medianUs) this.rank = Rank.slow;
    if (failing - view.failingFloor > tuning.failingMargin) this.rank = Rank.failing;
    if (this.rank !== Rank.fit) {
      if (this.#isTrial(view, row, trialAtMs, nowMs)) return TRIAL;
    } else if (trialAtMs !== 0) this.#welcome(view, row, trialAtMs, nowMs);
    let weight = view.weightAt(index);
    if (view.isRamping) {
      const ramp = this.#ramp(view, row, nowMs);
      const isDrawn = ramp === 1 || this.#random() <= ramp * UINT32;
      if (!isDrawn && this.rank === Rank.fit) this.rank = Rank.slow;
      weight *= ramp;
    }
    return loadUs(expected, pending, weight, failing / FAILING_ONE);
  }

  /** Returns which of two has the smaller load. */
  less(view: PoolView, first: number, second: number, nowMs: number): number {
    const firstLoad = this.weigh(view, first, nowMs);
    const firstRank = this.rank;
    const secondLoad = this.weigh(view, second, nowMs);
    if (firstRank !== this.rank) return firstRank > this.rank ? second : first;
    return secondLoad < firstLoad ? second : first;
  }

  /** Peak EWMA as Linkerd has it. */
  #plainLoad(view: PoolView, index: number, row: number, pending: number, nowMs: number): number {
    const rows = this.#rows;
    const costUs = rows.costUs(row);
    const stampMs = rows.stampMs(row);
    // From now on the guess is forgotten like a measurement. Otherwise an endpoint that joins a
    // pool of faster ones would never be chosen, and never be measured.
    if (costUs === 0 && stampMs === 0) rows.publishCost(row, 0, 0, nowMs);
    const latencyUs = decayedUs(
      costUs,
      costUs === 0 && stampMs === 0 ? 0 : elapsedMs(nowMs, stampMs),
    );
    return loadUs(latencyUs, pending, view.weightAt(index), 0);
  }

  #expectedUs(
    view: PoolView,
    row: number,
    pending: number,
    trialAtMs: number,
    nowMs: number,
  ): number {
    const rows = this.#rows;
    // Of one that is set aside nothing is forgotten: it is a trial that tells whether it is well.
    const elapsed = trialAtMs === 0 ? elapsedMs(nowMs, rows.stampMs(row)) : 0;
    const estimate = estimateUs(rows.costUs(row), elapsed, view.medianUs);
    if (pending === 0 || !this.#tuning.countsSilence) return estimate;
    return expectedUs(estimate, rows.silentMs(row, nowMs));
  }

  /** Takes the trial of a suspect if it is due; who sees it first only sets the time of the first one. */
  #isTrial(view: PoolView, row: number, trialAtMs: number, nowMs: number): boolean {
    if (trialAtMs !== 0 && ((trialAtMs - nowMs) | 0) > 0) return false;
    const rows = this.#rows;
    const trials = rows.trials(row);
    if (!rows.moveTrial(row, trialAtMs, nowMs + this.#trialWaitMs(view, trials))) return false;
    rows.noteTrial(row, trials + 1, nowMs);
    return trialAtMs !== 0;
  }

  #trialWaitMs(view: PoolView, trials: number): number {
    const { trialLongestMs, trialMaxMs, trialMinMs, trialRequests } = this.#tuning;
    const waitMs = backoffMs(trials + 1, trialMinMs, trialMaxMs, this.#random);
    if (view.ratePerMs === 0) return waitMs;
    // The others of this process have as much to do, more or less.
    const ratePerMs = view.ratePerMs * this.#rows.workers;
    const sparingMs = Math.min(trialRequests / ratePerMs, trialLongestMs);
    // Sidecars that set it aside at one moment do not try it at one moment.
    const spreadMs = sparingMs * (1 + (SPREAD * this.#random()) / UINT32);
    return Math.round(Math.max(waitMs, spreadMs));
  }

  /** It is as good as the others again. */
  #welcome(view: PoolView, row: number, trialAtMs: number, nowMs: number): void {
    const rows = this.#rows;
    if (!rows.moveTrial(row, trialAtMs, null)) return;
    // It was silent for a moment, and nobody had to try it.
    const isTried = rows.trials(row) > 1;
    // What it did to be set aside is not forgotten at once: one that flaps is tried ever less often.
    rows.noteTrial(row, rows.trials(row) >> 1, nowMs);
    if (!isTried) return;
    rows.join(row, nowMs - this.#tuning.rampMs * WELCOME_PART);
    view.isRamping = true;
  }

  #ramp(view: PoolView, row: number, nowMs: number): number {
    const { rampMs } = this.#tuning;
    const ageMs = (nowMs - this.#rows.joinedMs(row)) >>> 0;
    return ageMs >= rampMs ? 1 : Math.min(1, rampOf(ageMs, rampMs) / view.rampMax);
  }

  #newView(endpoints: readonly Endpoint[], nowMs: number): PoolView {
    const view = new PoolView(endpoints);
    const rows = this.#rows;
    this.#views.set(endpoints, view);
    for (const { row } of endpoints) if (rows.joinedMs(row) === 0) rows.join(row, nowMs);
    // What estimates lean on is not known yet, so they are taken as they are.
    view.medianUs = this.#medianUs(view, nowMs, false);
    // A snapshot's new list of endpoints that are known.
    if (view.isMeasured) view.refreshMs = REFRESH_MS;
    return view;
  }

  /** Looks at what is usual in the pool. */
  #refresh(view: PoolView, nowMs: number): void {
    const { endpoints } = view;
    const { rampMs } = this.#tuning;
    const rows = this.#rows;
    const looks = Math.min(endpoints.length, SAMPLED_MAX);
    let rampMax = 0;
    view.sampledFrom = looks < endpoints.length ? below(this.#random(), endpoints.length) : 0;
    for (let i = 0; i < looks; i++) {
      const row = view.rowAt((view.sampledFrom + i) % endpoints.length);
      const ageMs = (nowMs - rows.joinedMs(row)) >>> 0;
      rampMax = Math.max(rampMax, rampOf(ageMs, rampMs));
      this.#sample[i] = rows.failing(row);
    }
    view.rampMax = rampMax;
    view.isRamping = this.#isRamping(endpoints, nowMs);
    view.failingFloor = rankOf(this.#sample, looks, looks >> 2);
    view.medianUs = this.#medianUs(view, nowMs, true);
    const tookMs = nowMs - view.refreshedMs;
    const isTelling = tookMs >= REFRESH_MS && tookMs <= 10 * REFRESH_MS;
    view.ratePerMs = isTelling ? view.picks / tookMs : 0;
    view.picks = 0;
    view.refreshedMs = nowMs;
    view.staleMs = nowMs + view.refreshMs;
    if (view.isMeasured) view.refreshMs = Math.min(2 * view.refreshMs, REFRESH_MS);
  }

  #isRamping(endpoints: readonly Endpoint[], nowMs: number): boolean {
    for (let i = 0; i < endpoints.length; i++) {
      const ageMs = (nowMs - this.#rows.joinedMs(endpoints[i]?.row ?? 0)) >>> 0;
      if (ageMs < this.#tuning.rampMs) return true;
    }
    return false;
  }

  /**
   * Returns the median of the endpoints that were measured. Silence does not count here: when our own
   * loop stands still all seem silent, and who is slow must not look usual for that.
   */
  #medianUs(view: PoolView, nowMs: number, leans: boolean): number {
    const { endpoints, sampledFrom } = view;
    const rows = this.#rows;
    const looks = Math.min(endpoints.length, SAMPLED_MAX);
    let known = 0;
    for (let i = 0; i < looks; i++) {
      const row = view.rowAt((sampledFrom + i) % endpoints.length);
      const costUs = rows.costUs(row);
      if (costUs === 0) continue;
      this.#sample[known++] = leans
        ? this.#expectedUs(view, row, 0, rows.trialAtMs(row), nowMs)
        : costUs;
    }
    view.isMeasured = known > 0;
    return known === 0 ? view.medianUs : rankOf(this.#sample, known, (known - 1) >> 1);
  }
}

/** Returns the value of a rank (0: the least) among the first `count`, and sorts them. */
function rankOf(values: Float64Array, count: number, rank: number): number {
  const some = values.subarray(0, count).sort();
  return some[rank] ?? DEFAULT_RTT_US;
}
