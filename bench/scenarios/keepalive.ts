/** HTTP/1 at saturation: on kept connections, or with a new connection for each request. */

import type { RunningProxy } from "../contenders.ts";
import { beginUsage } from "../cpu.ts";
import { runAutocannon } from "../load/autocannon.ts";
import type { LoadRequest, LoadResult } from "../load/load.ts";
import { runWrk } from "../load/wrk.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  CPU_PER_REQUEST,
  httpFigures,
  LATENCY_COLUMNS,
  type Measured,
  REQUESTS_PER_SECOND,
  RESIDENT,
  type Scenario,
  type Timing,
} from "../scenario.ts";

const COLUMNS = [
  CPU_PER_REQUEST,
  REQUESTS_PER_SECOND,
  ...LATENCY_COLUMNS,
  RESIDENT,
  ...CORE_COLUMNS,
];

export type ClosedLoop = "wrk" | "autocannon";

export function keepAlive(loop: ClosedLoop): Scenario {
  return closedLoop(
    "keepalive",
    `HTTP/1 keep-alive, 64-byte answers, ${loop}, 64 connections, closed loop`,
    (request) => (loop === "wrk" ? runWrk(request, false) : runAutocannon(request, null)),
  );
}

export function newConnections(): Scenario {
  return closedLoop(
    "connections",
    "HTTP/1, a new connection for each request, wrk, 64 at a time, closed loop",
    (request) => runWrk(request, true),
  );
}

function closedLoop(
  name: string,
  title: string,
  run: (request: LoadRequest) => Promise<LoadResult>,
): Scenario {
  return {
    name,
    title,
    mode: "http",
    columns: COLUMNS,
    originPort: null,
    measure: (proxy, timing) => measure(proxy, timing, run),
    stop: () => Promise.resolve(),
  };
}

async function measure(
  proxy: RunningProxy,
  timing: Timing,
  run: (request: LoadRequest) => Promise<LoadResult>,
): Promise<Measured> {
  const request = { port: proxy.port, host: SERVICE };
  await run({ ...request, seconds: timing.warmUpSeconds });
  const endUsage = beginUsage(proxy.pid);
  const load = await run({ ...request, seconds: timing.seconds });
  return { figures: httpFigures(proxy, load, endUsage()), errors: load.errors };
}
