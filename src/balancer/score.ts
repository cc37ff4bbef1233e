/**
 * What an endpoint is expected to take, and what that makes of its load. Pure; microseconds for
 * costs, milliseconds for time. "Median" is that of the pool's estimates, see pool-view.ts.
 */
import { leftAfter } from "./peak-ewma.ts";

/**
 * Less silence than this says nothing: our own turns last that long now and then, and then all
 * endpoints seem silent.
 */
export const SILENCE_MIN_MS = 25;
/** A new endpoint begins with this part of its fair share. */
export const RAMP_MIN = 0.1;
/** What a failing endpoint's load is multiplied by, on top of 1, if all its requests fail. */
const FAILING_FACTOR = 8;

/**
 * Returns the latency of an endpoint whose cost was `costUs` (0: nothing was measured) `elapsedMs`
 * ago: forgotten exponentially, towards the pool's median. Never towards nothing: an endpoint of
 * which one knows little is like the others, and not better.
 */
export function estimateUs(costUs: number, elapsedMs: number, medianUs: number): number {
  if (costUs === 0) return medianUs;
  return medianUs + (costUs - medianUs) * leftAfter(elapsedMs);
}

/** Returns what is to be expected of an endpoint that has been silent for `silentMs`: at least that. */
export function expectedUs(estimateUs: number, silentMs: number): number {
  return silentMs < SILENCE_MIN_MS ? estimateUs : Math.max(estimateUs, silentMs * 1_000);
}

/**
 * Returns the load by which two endpoints are compared. `weight` is relative to the pool's mean. It
 * divides what is pending and not the whole: two idle endpoints are equal, and who is drawn more
 * often gets more.
 */
export function loadUs(
  expectedUs: number,
  pending: number,
  weight: number,
  failingShare: number,
): number {
  return expectedUs * (pending / weight + 1) * (1 + FAILING_FACTOR * failingShare);
}

/** Returns the part of its fair share that an endpoint gets `ageMs` after it joined: up to 1. */
export function rampOf(ageMs: number, rampMs: number): number {
  return ageMs >= rampMs ? 1 : RAMP_MIN + ((1 - RAMP_MIN) * ageMs) / rampMs;
}
