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

export interface Hit {
  readonly sentMs: number;
  readonly backend: number;
}

/**
 * Returns the figures of a run. `hits`: what came to the backends, if that is not what was told: a
 * sidecar may send a request again. `speed`: how many times faster than published the experiment ran.
 */
export function figuresOf(
  told: readonly Told[],
  backends: number,
  hits: readonly Hit[] = told,
  speed = 1,
): RunFigures {
  const fromMs = WINDOW_FROM_MS / speed;
  const toMs = WINDOW_TO_MS / speed;
  const latencies = Float64Array.from(told, ({ latencyMs }) => latencyMs).sort();
  const windowed = hits.filter(({ sentMs }) => sentMs >= fromMs && sentMs < toMs);
  const bad = windowed.filter(({ backend }) => backend === BAD).length;
  const joined = windowed.filter(({ sentMs }) => sentMs < fromMs + JOIN_MS);
  const well = told.filter((each) => !each.isFailure && each.latencyMs <= WITHIN_MS).length;
  return {
    requests: told.length,
    quantilesMs: Object.fromEntries(QUANTILES.map((p) => [`p${p}`, percentile(latencies, p)])),
    success: well / told.length,
    bad,
    badShare: bad / windowed.length,
    failures: told.filter(({ isFailure }) => isFailure).length,
    joinShare: joined.filter(({ backend }) => backend === JOINING).length / joined.length,
    recoveryS: recovery(hits, toMs, backends),
    shareMax: shareMax(hits),
  };
}

function recovery(hits: readonly Hit[], toMs: number, backends: number): number {
  const after = hits.filter(({ sentMs }) => sentMs >= toMs);
  for (let second = 0; second < 15; second++) {
    const some = after.filter(({ sentMs }) => Math.floor((sentMs - toMs) / 1_000) === second);
    const share = some.filter(({ backend }) => backend === BAD).length / some.length;
    if (share > 0.5 / backends) return second;
  }
  return Number.POSITIVE_INFINITY;
}

function shareMax(hits: readonly Hit[]): number {
  const seconds = new Map<number, number[]>();
  for (const { backend, sentMs } of hits) {
    const second = Math.floor(sentMs / 1_000);
    const counts = seconds.get(second) ?? [];
    counts[backend] = (counts[backend] ?? 0) + 1;
    seconds.set(second, counts);
  }
  const shares = [...seconds.values()].map((counts) => {
    const some = counts.map((count) => count);
    return Math.max(...some.filter(Boolean)) / some.reduce((sum, count) => sum + (count ?? 0), 0);
  });
  return Math.max(...shares);
}
