/** Bodies both ways at saturation: answers of one size to GETs, and then POSTs with a body of that size
 * and a small answer, which the origin gives when it has read the whole body. */
import type { RunningProxy } from "../contenders.ts";
import { beginUsage } from "../cpu.ts";
import { runWrk, type WrkRequests } from "../load/wrk.ts";
import { ANSWERS, type AnswerSize, SINK_PATH } from "../origin.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  column,
  type Figures,
  httpFigures,
  RESIDENT,
  type Scenario,
  type Timing,
} from "../scenario.ts";

export function bodies(size: AnswerSize): Scenario {
  const { path, bytes, title } = ANSWERS[size];
  return {
    name: `body-${size}`,
    title: `HTTP/1 keep-alive, GET with ${title} of answer, then POST with ${title} of body, wrk, 64 connections, closed loop`,
    modes: ["http"],
    columns: [
      column("getCpuUsPerRequest", "GET CPU µs", 2, true),
      column("postCpuUsPerRequest", "POST CPU µs", 2, true),
      column("getRequestsPerSecond", "GET/s", 0, true),
      column("postRequestsPerSecond", "POST/s", 0, true),
      column("getP50Ms", "GET p50 ms", 2),
      column("getP99Ms", "GET p99 ms", 2),
      column("getMaxMs", "GET max ms", 2),
      column("postP50Ms", "POST p50 ms", 2),
      column("postP99Ms", "POST p99 ms", 2),
      column("postMaxMs", "POST max ms", 2),
      RESIDENT,
      ...CORE_COLUMNS,
    ],
    headlines: ["getCpuUsPerRequest", "postCpuUsPerRequest"],
    originPort: null,
    async measure(proxy, timing) {
      const get = await run(proxy, timing, { path });
      const post = await run(proxy, timing, { path: SINK_PATH, bodyBytes: bytes });
      return {
        figures: { ...prefixed("get", get.figures), ...prefixed("post", post.figures) },
        errors: get.errors + post.errors,
      };
    },
    stop: () => Promise.resolve(),
  };
}

/** Each way has half of the warm-up: what it does not share with the other is little. */
async function run(
  proxy: RunningProxy,
  { seconds, warmUpSeconds }: Timing,
  requests: WrkRequests,
): Promise<{ figures: Figures; errors: number }> {
  const target = { port: proxy.port, host: SERVICE };
  await runWrk({ ...target, seconds: Math.ceil(warmUpSeconds / 2) }, requests);
  const endUsage = beginUsage(proxy.pids);
  const load = await runWrk({ ...target, seconds }, requests);
  return { figures: httpFigures(proxy, load, endUsage()), errors: load.errors };
}

/** What is of the whole process, or of the machine, has its name without a prefix: the later one counts. */
const UNPREFIXED: readonly string[] = [RESIDENT, ...CORE_COLUMNS].map(({ key }) => key);

function prefixed(way: "get" | "post", figures: Figures): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) =>
      UNPREFIXED.includes(key) || key === "peakMiB"
        ? [key, value]
        : [`${way}${key.charAt(0).toUpperCase()}${key.slice(1)}`, value],
    ),
  );
}
