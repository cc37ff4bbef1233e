/** Latencies as the article's: real ones of a server, by their published quantiles. */

/** Share and milliseconds; in between they are interpolated. reference: real_latencies.data, finagle. */
const QUANTILES: readonly (readonly [number, number])[] = [
  [0, 164.1],
  [0.05, 165.4],
  [0.25, 166.4],
  [0.5, 167.5],
  [0.75, 170.3],
  [0.9, 176.7],
  [0.95, 181.7],
  [0.97, 183.9],
  [0.99, 192.3],
  [0.999, 198.8],
  [1, 200],
];

/** Returns the latency, milliseconds, that the share `unit` (0 to 1) of requests does not exceed. */
export function articleLatencyMs(unit: number): number {
  for (let i = 1; i < QUANTILES.length; i++) {
    const [share = 1, ms = 0] = QUANTILES[i] ?? [];
    const [below = 0, belowMs = 0] = QUANTILES[i - 1] ?? [];
    if (unit <= share) return belowMs + ((ms - belowMs) * (unit - below)) / (share - below);
  }
  return QUANTILES.at(-1)?.[1] ?? 0;
}
