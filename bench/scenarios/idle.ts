/** What clients cost that only stay: memory and CPU for thousands of kept connections on which nothing
 * happens, each of which has had one request answered. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningProxy } from "../contenders.ts";
import { beginUsage, memoryOf } from "../cpu.ts";
import { type Crowd, startCrowd } from "../load/crowd.ts";
import { runWrk } from "../load/wrk.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import { column, type Figures, type Measured, type Scenario, type Timing } from "../scenario.ts";

const CONNECTIONS = 10_000;
const DESCRIPTORS_SPARE = 1_000; // for what a proxy has open besides: its own files, and the origin's side
const OPENING_AT_ONCE = 64; // as many as the warm-up has, so that the way to the origin is open already
const SETTLE_MS = 4_000; // kept connections to the origin are closed by then, and garbage collectors done
const ASKED = 100;
const KIB_PER_MIB = 1_024;

/** With a hard limit on descriptors that is too low for all, there are fewer, and the title says so. */
export function idleConnections(descriptorsMax: number): Scenario {
  const connections = Math.min(CONNECTIONS, descriptorsMax - DESCRIPTORS_SPARE);
  const limited =
    connections < CONNECTIONS
      ? ` (not ${CONNECTIONS}: the limit is ${descriptorsMax} descriptors)`
      : "";
  return {
    name: "idle",
    title: `${connections} idle HTTP/1 connections${limited}`,
    modes: ["http"],
    columns: [
      column("kibPerConnection", "KiB each", 2, true),
      column("beforeMiB", "before MiB", 1),
      column("withMiB", "with MiB", 1, true),
      column("closedMiB", "closed MiB", 1),
      column("idleCpuPercent", "idle CPU %", 2),
      column("askP50Ms", "request p50 ms", 2),
      column("askMaxMs", "request max ms", 2),
    ],
    originPort: null,
    measure: (proxy, timing) => measure(proxy, timing, connections),
    stop: () => Promise.resolve(),
  };
}

async function measure(
  proxy: RunningProxy,
  timing: Timing,
  connections: number,
): Promise<Measured> {
  const request = { port: proxy.port, host: SERVICE };
  const warmUp = await runWrk({ ...request, seconds: timing.warmUpSeconds });
  await sleep(SETTLE_MS);
  const crowd = startCrowd(proxy.port, {
    ...{ connections, openingAtOnce: OPENING_AT_ONCE, postBytes: 0 },
  });
  try {
    return await measureCrowd(proxy, timing, connections, crowd, warmUp.errors);
  } finally {
    await crowd.stop();
  }
}

async function measureCrowd(
  proxy: RunningProxy,
  timing: Timing,
  connections: number,
  crowd: Crowd,
  warmUpErrors: number,
): Promise<Measured> {
  const beforeMiB = memoryOf(proxy.pids).residentMiB;
  const unopened = await crowd.open();
  await sleep(SETTLE_MS);
  const endUsage = beginUsage(proxy.pids);
  await sleep(timing.seconds * 1_000);
  const { userMs, systemMs, wallMs } = endUsage();
  const withMiB = memoryOf(proxy.pids).residentMiB;
  const asked = await crowd.ask(ASKED);
  const lost = await crowd.close();
  await sleep(SETTLE_MS);
  const figures: Figures = {
    askP50Ms: asked.p50Ms,
    askMaxMs: asked.maxMs,
    ...(proxy.pids.length === 0
      ? {}
      : {
          beforeMiB,
          withMiB,
          kibPerConnection: (KIB_PER_MIB * (withMiB - beforeMiB)) / connections,
          closedMiB: memoryOf(proxy.pids).residentMiB,
          idleCpuPercent: (100 * (userMs + systemMs)) / wallMs,
        }),
  };
  return { figures, errors: warmUpErrors + unopened + asked.failed + lost };
}
