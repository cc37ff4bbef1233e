/** What a scenario is: how one contender is measured once, and which figures come of it. */

import type { Mode, RunningProxy } from "./contenders.ts";
import type { Usage } from "./cpu.ts";
import { memoryOf } from "./cpu.ts";
import type { LoadTotals } from "./load/load.ts";
import type { Distribution } from "./percentiles.ts";

export interface Timing {
  readonly seconds: number;
  /** Before each measurement, on the freshly started process; not counted. */
  readonly warmUpSeconds: number;
}

export type Figures = Readonly<Record<string, number>>;

/** `errors` are requests that failed: a figure beside any is not to be believed. */
export interface Measured {
  readonly figures: Figures;
  /** From a load that tells more of its latencies than a few figures. */
  readonly latenciesMs?: Distribution;
  readonly errors: number;
}

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  /** Whether the ratio to the reference is shown beside it. */
  readonly hasRatio: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What each proxy in the row does, from the client's side: usually there is one. */
  readonly modes: readonly Mode[];
  readonly columns: readonly Column[];
  /** Keys of the columns whose ratios stand in the summary; without it, of the first that has one. */
  readonly headlines?: readonly string[];
  /** What the proxies find behind them, if it is not the HTTP origin. */
  readonly originPort: number | null;
  /** Whether there is something to measure only where there is a proxy. */
  readonly needsProxy?: true;
  measure(proxy: RunningProxy, timing: Timing): Promise<Measured>;
  stop(): Promise<void>;
}

export function column(key: string, title: string, digits: number, hasRatio = false): Column {
  return { key, title, digits, hasRatio };
}

export const CPU_PER_REQUEST = column("cpuUsPerRequest", "CPU µs/request", 2, true);
export const REQUESTS_PER_SECOND = column("requestsPerSecond", "requests/s", 0, true);
export const LATENCY_COLUMNS: readonly Column[] = [
  column("p50Ms", "p50 ms", 2),
  column("p99Ms", "p99 ms", 2, true),
  column("p999Ms", "p99.9 ms", 2),
  column("maxMs", "max ms", 2),
];
export const RESIDENT = column("residentMiB", "resident MiB", 1);
/** So that a reader sees who was the bottleneck, and whether something else ran. */
export const CORE_COLUMNS: readonly Column[] = [
  column("proxyCorePercent", "proxy core %", 0),
  column("loadCorePercent", "load core %", 0),
  column("foreignPercent", "foreign %", 1),
];

/** Ten ticks of the kernel's accounting: of less than that a tick is too large a part. */
const CPU_MS_MIN = 100;

/** Returns the figures of an HTTP load, together with what the proxies used for it. */
export function httpFigures(proxy: RunningProxy, load: LoadTotals, usage: Usage): Figures {
  const { requests, errors: _, ...rates } = load;
  return {
    ...rates,
    requests,
    ...(proxy.pids.length === 0 || usage.userMs + usage.systemMs < CPU_MS_MIN
      ? {}
      : {
          cpuUsPerRequest: (1_000 * (usage.userMs + usage.systemMs)) / requests,
          userUsPerRequest: (1_000 * usage.userMs) / requests,
          systemUsPerRequest: (1_000 * usage.systemMs) / requests,
        }),
    ...resourceFigures(proxy, usage),
  };
}

/** Returns memory and how busy the cores were; without a proxy only the load's core means something. */
export function resourceFigures(proxy: RunningProxy, usage: Usage): Figures {
  const { loadCorePercent, proxyCorePercent, foreignPercent } = usage;
  return proxy.pids.length === 0
    ? { loadCorePercent }
    : { ...memoryOf(proxy.pids), proxyCorePercent, loadCorePercent, foreignPercent };
}
