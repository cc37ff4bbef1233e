/** What a simulated or measured run comes to. */
import { percentile } from "../stats.ts";
import type { Told } from "./simulate.ts";
import { BAD, JOINING, WINDOW_FROM_MS, WINDOW_TO_MS } from "./worlds.ts";

export interface RunFigures {
  readonly requests: number;
  readonly quantilesMs: Readonly<Record<string, number>>;
  /** Share answered well within a second. */
  readonly success: number;
  /** Within the article's window: requests to the backend that is unwell then, and their share. */
  readonly bad: number;
  readonly badShare: number;
  /** Requests that failed, ever. */
  readonly failures: number;
  /** Share of the joining backend in the first 200 ms. */
  readonly joinShare: number;
  /** After the window: seconds until the backend has half of its fair share in a second. */
  readonly recoveryS: number;
  /** Greatest share of any backend in any second of the run. */
  readonly shareMax: number;
}

export const QUANTILES = [50, 90, 95, 96, 97, 98, 99, 99.9, 99.99, 99.999] as const;
const WITHIN_MS = 1_000;
const JOIN_MS = 200;

export function figuresOf(told: readonly Told[], backends: number): RunFigures {
  const latencies = Float64Array.from(told, ({ latencyMs }) => latencyMs).sort();
  const windowed = told.filter(({ sentMs }) => sentMs >= WINDOW_FROM_MS && sentMs < WINDOW_TO_MS);
  const bad = windowed.filter(({ backend }) => backend === BAD).length;
  const joined = windowed.filter(({ sentMs }) => sentMs < WINDOW_FROM_MS + JOIN_MS);
  const well = told.filter((each) => !each.isFailure && each.latencyMs <= WITHIN_MS).length;
  return {
    requests: told.length,
    quantilesMs: Object.fromEntries(QUANTILES.map((p) => [`p${p}`, percentile(latencies, p)])),
    success: well / told.length,
    bad,
    badShare: bad / windowed.length,
    failures: told.filter(({ isFailure }) => isFailure).length,
    joinShare: joined.filter(({ backend }) => backend === JOINING).length / joined.length,
    recoveryS: recovery(told, backends),
    shareMax: shareMax(told),
  };
}

function recovery(told: readonly Told[], backends: number): number {
  const after = told.filter(({ sentMs }) => sentMs >= WINDOW_TO_MS);
  for (let second = 0; second < 15; second++) {
    const some = after.filter(
      ({ sentMs }) => Math.floor((sentMs - WINDOW_TO_MS) / 1_000) === second,
    );
    const share = some.filter(({ backend }) => backend === BAD).length / some.length;
    if (share > 0.5 / backends) return second;
  }
  return Number.POSITIVE_INFINITY;
}

function shareMax(told: readonly Told[]): number {
  let max = 0;
  const counts = new Map<number, number>();
  let second = 0;
  let total = 0;
  for (const { backend, sentMs } of told) {
    if (Math.floor(sentMs / 1_000) !== second) {
      for (const count of counts.values()) max = Math.max(max, count / total);
      counts.clear();
      total = 0;
      second = Math.floor(sentMs / 1_000);
    }
    counts.set(backend, (counts.get(backend) ?? 0) + 1);
    total++;
  }
  return max;
}
