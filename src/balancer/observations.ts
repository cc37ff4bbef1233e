/** What endpoints' answers make of their shared rows. Workers write without locks: one of two wins. */
import { backoffMs } from "../lib/backoff.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { afterFailure, afterSuccess, afterTrial } from "./failing.ts";
import { DEFAULT_RTT_US, elapsedMs, observedUs, SAMPLE_MS } from "./peak-ewma.ts";
import type { Tuning } from "./tuning.ts";

/** Linkerd's reconnect backoff. A restarting process is back within a second more often than not. */
export const BACKOFF_MIN_MS = 100;
export const BACKOFF_MAX_MS = 60_000;
/**
 * … of an endpoint that refuses connections: it costs a round trip to see that it still does, by one request,
 * which then goes elsewhere. One that says nothing at all costs that request a second.
 */
export const REFUSED_MAX_MS = 5_000;
/** Another worker won each time: then its measurement is as fresh as ours, and ours may be lost. */
const OBSERVE_TRIES_MAX = 4;

export class Observations {
  readonly #rows: EndpointRows;
  readonly #riseMax: number;
  readonly #random: () => number;

  /** `random` returns 32 random bits. */
  constructor(rows: EndpointRows, { riseMax }: Tuning, random: () => number) {
    this.#rows = rows;
    this.#riseMax = riseMax;
    this.#random = random;
  }

  /** It answered after `rttUs`, well or not. */
  answered(row: number, rttUs: number, nowMs: number): void {
    const rows = this.#rows;
    if (rows.trialAtMs(row) === 0) return this.#measured(row, rttUs, nowMs);
    const costUs = rows.costUs(row);
    // What it was before counts no more, the last answer alone does.
    if (this.#isOfTrial(row, rttUs, nowMs))
      rows.publishCost(row, costUs, observedUs(0, 0, rttUs), nowMs);
    else if (rttUs > costUs) this.#measured(row, rttUs, nowMs);
  }

  /** A request that was sent `tookUs` ago went well. */
  wentWell(row: number, tookUs: number, nowMs: number): void {
    const rows = this.#rows;
    const failing = rows.failing(row);
    if (failing === 0) return;
    if (rows.trialAtMs(row) === 0) rows.moveFailing(row, failing, afterSuccess(failing));
    else if (this.#isOfTrial(row, tookUs, nowMs)) {
      rows.moveFailing(row, failing, afterTrial(failing));
    }
  }

  /** What was sent before it was set aside, or tried, says nothing good of how it is now. */
  #isOfTrial(row: number, tookUs: number, nowMs: number): boolean {
    const sentMs = nowMs - Math.floor(tookUs / 1_000);
    return ((sentMs - this.#rows.asideMs(row)) | 0) >= 0;
  }

  /** A failure may be slow, but never makes an endpoint look fast. */
  failed(row: number, rttUs: number, nowMs: number): void {
    const rows = this.#rows;
    const knownUs = rows.costUs(row);
    if (rttUs > (knownUs === 0 ? DEFAULT_RTT_US : knownUs)) this.#measured(row, rttUs, nowMs);
    const failing = rows.failing(row);
    rows.moveFailing(row, failing, afterFailure(failing));
  }

  #measured(row: number, rttUs: number, nowMs: number): void {
    const rows = this.#rows;
    for (let attempt = 0; attempt < OBSERVE_TRIES_MAX; attempt++) {
      const seenUs = rows.costUs(row);
      const elapsed = elapsedMs(nowMs, rows.stampMs(row));
      // So are nearly all: no peak, and the last was noted a moment ago.
      if (rttUs <= seenUs && seenUs > 0 && elapsed < SAMPLE_MS) return;
      const costUs = observedUs(seenUs, elapsed, rttUs, this.#riseMax);
      if (costUs === seenUs && elapsed < SAMPLE_MS) return;
      if (rows.publishCost(row, seenUs, costUs, nowMs)) return;
    }
  }

  notConnected(row: number, nowMs: number, isRefusal: boolean): void {
    const rows = this.#rows;
    // Those that were on their way when the first failed say nothing new. Each counted, one burst
    // of 64 connections would mean the longest backoff. The one that was to see whether it is back does.
    if (rows.retryInMs(row, nowMs) > 0 && !rows.isRetried(row)) return;
    const failures = rows.failures(row) + 1;
    const mostMs = isRefusal ? REFUSED_MAX_MS : BACKOFF_MAX_MS;
    const waitMs = backoffMs(failures, BACKOFF_MIN_MS, mostMs, this.#random);
    rows.fail(row, nowMs, waitMs);
  }
}
