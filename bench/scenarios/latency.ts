/** Latency at a fixed rate below saturation: an even open-loop stream (`latency`), or autocannon's
 * bursts, one a second (`burst`). */
import { beginUsage } from "../cpu.ts";
import { runAutocannon } from "../load/autocannon.ts";
import { runOpenLoop } from "../load/open-loop.ts";
import { BODY_BYTES } from "../origin.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  CPU_PER_REQUEST,
  column,
  httpFigures,
  LATENCY_COLUMNS,
  REQUESTS_PER_SECOND,
  RESIDENT,
  type Scenario,
} from "../scenario.ts";

export function evenRate(ratePerSecond: number): Scenario {
  return {
    name: "latency",
    title: `HTTP/1 at ${ratePerSecond} requests/s, evenly, open loop, 64 connections`,
    modes: ["http"],
    columns: [
      ...LATENCY_COLUMNS.slice(0, -1),
      column("p9999Ms", "p99.99 ms", 2),
      ...LATENCY_COLUMNS.slice(-1),
      CPU_PER_REQUEST,
      REQUESTS_PER_SECOND,
      column("latenessP99Ms", "load late p99 ms", 2),
      ...CORE_COLUMNS,
    ],
    originPort: null,
    async measure(proxy, { seconds, warmUpSeconds }) {
      let endUsage = beginUsage(proxy.pids);
      const load = await runOpenLoop(
        { port: proxy.port, host: SERVICE, seconds },
        ratePerSecond,
        warmUpSeconds,
        BODY_BYTES["/"],
        () => {
          endUsage = beginUsage(proxy.pids);
        },
      );
      return { figures: httpFigures(proxy, load, endUsage()), errors: load.errors };
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
