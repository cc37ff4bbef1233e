/** Latency at a fixed rate below saturation: an even open-loop stream (`latency`), or autocannon's
 * bursts, one a second (`burst`). */
import { beginUsage } from "../cpu.ts";
import { runAutocannon } from "../load/autocannon.ts";
import { runOpenLoop } from "../load/open-loop.ts";
import { BODY_BYTES } from "../origin.ts";
import { type Distribution, SAMPLES_ABOVE_MIN, valueAt } from "../percentiles.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  CPU_PER_REQUEST,
  column,
  type Figures,
  httpFigures,
  LATENCY_COLUMNS,
  REQUESTS_PER_SECOND,
  RESIDENT,
  type Scenario,
} from "../scenario.ts";

/** Requests/s; `half` is half of what the reference reaches in keepalive. */
export type Rate = number | "half";

/** The figures that stand in the table, by their percentile. */
const PERCENTILE_KEYS: readonly (readonly [key: string, percent: number])[] = [
  ["p50Ms", 50],
  ["p90Ms", 90],
  ["p99Ms", 99],
  ["p999Ms", 99.9],
  ["p9999Ms", 99.99],
  ["maxMs", 100],
];

/** `rate` names the scenario; `ratePerSecond` is what it comes to. */
export function evenRate(rate: Rate, ratePerSecond: number): Scenario {
  return {
    name: `latency-${rate}`,
    title: `HTTP/1 at ${ratePerSecond} requests/s, evenly, open loop, 64 connections (percentiles with ${SAMPLES_ABOVE_MIN} samples above them)`,
    modes: ["http"],
    columns: [
      column("p50Ms", "p50 ms", 2, true),
      column("p90Ms", "p90 ms", 2),
      column("p99Ms", "p99 ms", 2, true),
      column("p999Ms", "p99.9 ms", 2),
      column("p9999Ms", "p99.99 ms", 2),
      column("maxMs", "max ms", 2),
      CPU_PER_REQUEST,
      REQUESTS_PER_SECOND,
      column("latenessP99Ms", "load late p99 ms", 2),
      ...CORE_COLUMNS,
    ],
    headlines: ["p50Ms", "p99Ms"],
    originPort: null,
    async measure(proxy, { seconds, warmUpSeconds }) {
      let endUsage = beginUsage(proxy.pids);
      const { latenciesMs, ...load } = await runOpenLoop(
        { port: proxy.port, host: SERVICE, seconds },
        ratePerSecond,
        warmUpSeconds,
        BODY_BYTES["/"],
        () => {
          endUsage = beginUsage(proxy.pids);
        },
      );
      const figures = {
        ...percentileFigures(latenciesMs),
        ...httpFigures(proxy, load, endUsage()),
      };
      return { figures: { ratePerSecond, ...figures }, latenciesMs, errors: load.errors };
    },
    stop: () => Promise.resolve(),
  };
}

export function bursts(ratePerSecond: number): Scenario {
  return {
    name: "burst",
    title: `HTTP/1 at ${ratePerSecond} requests/s in bursts, autocannon, 64 connections`,
    modes: ["http"],
    columns: [...LATENCY_COLUMNS, CPU_PER_REQUEST, REQUESTS_PER_SECOND, RESIDENT, ...CORE_COLUMNS],
    originPort: null,
    async measure(proxy, { seconds, warmUpSeconds }) {
      const request = { port: proxy.port, host: SERVICE };
      await runAutocannon({ ...request, seconds: warmUpSeconds }, ratePerSecond);
      const endUsage = beginUsage(proxy.pids);
      const load = await runAutocannon({ ...request, seconds }, ratePerSecond);
      return { figures: httpFigures(proxy, load, endUsage()), errors: load.errors };
    },
    stop: () => Promise.resolve(),
  };
}

function percentileFigures(distribution: Distribution): Figures {
  return Object.fromEntries(
    PERCENTILE_KEYS.flatMap(([key, percent]) => {
      const ms = valueAt(distribution, percent);
      return ms === null ? [] : [[key, ms]];
    }),
  );
}
