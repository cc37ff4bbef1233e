/** Whether a series of measurements is flat in its second half. Pure. */

export type Flatness = {
  /** By how much a straight line through the second half rises from its first point to its last. */
  readonly rise: number;
  readonly middle: number;
  readonly end: number;
};

/** `samples` were taken at equal distances, four at the least. */
export function flatnessOf(samples: readonly number[]): Flatness {
  const second = samples.slice(samples.length >> 1);
  const quarter = Math.max(1, second.length >> 1);
  return {
    rise: slopeOf(second) * (second.length - 1),
    // A collector makes a saw of what is flat, of two heights: the median of a few jumps from one to the other.
    middle: meanOf(second.slice(0, quarter)),
    end: meanOf(second.slice(-quarter)),
  };
}

/** Of the least-squares line through equally distant points, per point. */
function slopeOf(values: readonly number[]): number {
  const meanAt = (values.length - 1) / 2;
  const mean = meanOf(values);
  let up = 0;
  let across = 0;
  values.forEach((value, at) => {
    up += (at - meanAt) * (value - mean);
    across += (at - meanAt) ** 2;
  });
  return across === 0 ? 0 : up / across;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
}
