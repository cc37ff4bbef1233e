/** Which percentiles of a latency a number of samples can tell, and their values. */
import { percentile } from "./stats.ts";

/** A percentile with fewer samples above it is what a handful of requests happened to meet, and comes
 * out quite differently the next time: it is left out. So p99.99 takes 100,000 samples. */
export const SAMPLES_ABOVE_MIN = 10;

/** Spread by how many samples lie above them, as a curve needs them. */
const PERCENTS: readonly number[] = [
  ...[0, 25, 50, 62.5, 75, 80, 85, 90, 92.5, 95, 97.5, 98, 98.5, 99, 99.25, 99.5, 99.75, 99.9],
  ...[99.925, 99.95, 99.975, 99.99, 99.9925, 99.995, 99.9975, 99.999, 99.9995, 99.9999],
];
const MAX_PERCENT = 100;
const ROUNDING = 1e-6; // 0.1 % of 10,000 is 9.999999999999432 in floating point

/** Pairs of a percentile and a latency in ms, ascending; the last one is 100 and the maximum. */
export type Distribution = readonly (readonly [percent: number, ms: number])[];

/** Tells whether enough of `samples` lie above the percentile; the maximum needs one sample. */
export function isTold(samples: number, percent: number): boolean {
  if (percent === MAX_PERCENT) return samples > 0;
  return (samples * (MAX_PERCENT - percent)) / MAX_PERCENT + ROUNDING >= SAMPLES_ABOVE_MIN;
}

/** Returns every percentile that the samples can tell; empty without samples. */
export function distributionOf(ascendingMs: ArrayLike<number>): Distribution {
  return [...PERCENTS, MAX_PERCENT]
    .filter((percent) => isTold(ascendingMs.length, percent))
    .map((percent) => [percent, percentile(ascendingMs, percent)]);
}

/** Returns the value at a percentile, or null where it was left out. */
export function valueAt(distribution: Distribution, percent: number): number | null {
  return distribution.find(([each]) => each === percent)?.[1] ?? null;
}
