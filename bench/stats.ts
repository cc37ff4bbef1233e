/** The few statistics of the harness. All sort a copy; none accepts an empty list. */

export function sorted(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

/** Returns the value that `percent` of the values do not exceed (nearest rank). */
export function percentile(ascending: ArrayLike<number>, percent: number): number {
  const rank = Math.ceil((percent / 100) * ascending.length);
  return ascending[Math.min(Math.max(rank - 1, 0), ascending.length - 1)] ?? Number.NaN;
}

/** Returns the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const ascending = sorted(values);
  const middle = ascending.length >> 1;
  const upper = ascending[middle] ?? Number.NaN;
  return ascending.length % 2 === 1 ? upper : ((ascending[middle - 1] ?? Number.NaN) + upper) / 2;
}
