/** A scenario at saturation: the load runs as fast as it is answered, once to warm up and once to be
 * measured, and what counts is the proxies' CPU time per request. */

import type { Mode, RunningProxy } from "../contenders.ts";
import { beginUsage } from "../cpu.ts";
import type { LoadRequest, LoadTotals } from "../load/load.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  type Column,
  CPU_PER_REQUEST,
  httpFigures,
  type Measured,
  REQUESTS_PER_SECOND,
  RESIDENT,
  type Scenario,
  type Timing,
} from "../scenario.ts";

export interface ClosedLoopParts {
  readonly name: string;
  readonly title: string;
  readonly modes: readonly Mode[];
  /** What the load generator tells of latencies. */
  readonly latencyColumns: readonly Column[];
  readonly originPort: number | null;
  /** Runs the load once; `warmUp` is what the run before it gave, null in the warm-up itself. */
  run(request: LoadRequest, warmUp: LoadTotals | null): Promise<LoadTotals>;
}

export function closedLoop(parts: ClosedLoopParts): Scenario {
  const { name, title, modes, latencyColumns, originPort, run } = parts;
  return {
    name,
    title,
    modes,
    columns: [CPU_PER_REQUEST, REQUESTS_PER_SECOND, ...latencyColumns, RESIDENT, ...CORE_COLUMNS],
    originPort,
    measure: (proxy, timing) => measure(proxy, timing, run),
    stop: () => Promise.resolve(),
  };
}

async function measure(
  proxy: RunningProxy,
  timing: Timing,
  run: ClosedLoopParts["run"],
): Promise<Measured> {
  const request = { port: proxy.port, host: SERVICE };
  const warmUp = await run({ ...request, seconds: timing.warmUpSeconds }, null);
  const endUsage = beginUsage(proxy.pids);
  const load = await run({ ...request, seconds: timing.seconds }, warmUp);
  return { figures: httpFigures(proxy, load, endUsage()), errors: load.errors };
}
