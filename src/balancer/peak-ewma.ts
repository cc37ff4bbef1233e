/**
 * The estimate of an endpoint's round trip, as Linkerd and Finagle keep it: it rises to a slow
 * answer at once and falls back over seconds. Pure integers: microseconds for costs, milliseconds
 * for time. A cost of 0 means that nothing was measured yet.
 *
 * Other than Linkerd's, reading does not change the estimate, so that workers need to write to the
 * shared row only when they measured something.
 */

/** What an endpoint costs before its first answer; Linkerd's. Its first answer replaces it. */
export const DEFAULT_RTT_US = 30_000;
/** Time constant of the average and of forgetting; Linkerd's and Finagle's. */
export const DECAY_MS = 10_000;
/**
 * An answer that is not a peak is averaged in when this long has passed since the last one. In
 * whole microseconds the average of a single millisecond, 0.01 % of the way, would round to no step
 * at all; and under load the row is read by all workers far more often than it is written. Reads
 * forget at most 1 % in this time.
 */
export const SAMPLE_MS = 100;

const COST_MAX_US = 0xffff_ffff;
/** A stamp up to this far ahead is of a worker whose turn began later than ours, not 49 days old. */
const AHEAD_MAX_MS = 60_000;

/** Returns milliseconds from `stampMs` to `nowMs`, both modulo 2^32; 0 for a stamp a little ahead. */
export function elapsedMs(nowMs: number, stampMs: number): number {
  const elapsed = (nowMs - stampMs) | 0;
  if (elapsed >= 0) return elapsed;
  return elapsed >= -AHEAD_MAX_MS ? 0 : elapsed >>> 0;
}

/** Returns what a cost is worth `elapsedMs` later: it is forgotten exponentially, down to 1. */
export function decayedUs(costUs: number, elapsedMs: number): number {
  const knownUs = costUs === 0 ? DEFAULT_RTT_US : costUs;
  return elapsedMs === 0 ? knownUs : clamp(knownUs * Math.exp(-elapsedMs / DECAY_MS));
}

/**
 * Returns the cost after an answer that took `rttUs`, `elapsedMs` after the cost was written. Equal
 * to `costUs` when there is nothing to write yet, see SAMPLE_MS. It rises to at most `riseMax` times
 * what it was.
 */
export function observedUs(
  costUs: number,
  elapsedMs: number,
  rttUs: number,
  riseMax = Number.POSITIVE_INFINITY,
): number {
  const measuredUs = clamp(rttUs);
  if (costUs === 0) return measuredUs;
  if (measuredUs >= costUs) return clamp(Math.min(measuredUs, costUs * riseMax));
  if (elapsedMs < SAMPLE_MS) return costUs;
  const weight = Math.exp(-elapsedMs / DECAY_MS);
  // Rounded down: rounded to the nearest it would stop short of the true value by up to 50 µs.
  return clamp(Math.floor(costUs * weight + measuredUs * (1 - weight)));
}

/** One step of the table below is of 64 ms. */
const STEP_BITS = 6;
/** e^-9.8 is left after it: nothing. */
const STEPS = 1_536;
const LEFT = Float64Array.from({ length: STEPS }, (_, step) =>
  Math.exp(-(step << STEP_BITS) / DECAY_MS),
);

/** Returns the part that is not forgotten after `elapsedMs`, to 0.7 %: Math.exp takes 8 to 12 ns. */
export function leftAfter(elapsedMs: number): number {
  const step = elapsedMs >>> STEP_BITS;
  // Asked first: Bun reads beyond an array's end slowly.
  return step < STEPS ? (LEFT[step] ?? 0) : 0;
}

function clamp(us: number): number {
  return Math.min(Math.max(Math.round(us), 1), COST_MAX_US);
}
