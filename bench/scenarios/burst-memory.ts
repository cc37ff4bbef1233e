/** What a burst leaves behind: memory before, at the height of it, at its end, and ten seconds later. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningProxy } from "../contenders.ts";
import { memoryOf, resetPeak } from "../cpu.ts";
import { startCrowd } from "../load/crowd.ts";
import { runWrk } from "../load/wrk.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import { column, type Measured, type Scenario, type Timing } from "../scenario.ts";

const POSTS = 2_000;
const POST_BYTES = 65_536;
const CONNECTIONS = 1_000;
const RECOVERY_MS = 10_000;

export function burstMemory(): Scenario {
  return {
    name: "burst-memory",
    title: `Memory, MiB: ${POSTS} new connections with 64 KiB to send each at once, then wrk with ${CONNECTIONS} connections`,
    modes: ["http"],
    columns: [
      column("startMiB", "started", 1),
      column("warmMiB", "warm", 1),
      column("peakMiB", "peak", 1, true),
      column("endMiB", "at the end", 1),
      column("afterMiB", `${RECOVERY_MS / 1_000} s later`, 1, true),
      column("keptMiB", "more than warm", 1),
      column("givenBackPercent", "given back %", 0),
    ],
    originPort: null,
    needsProxy: true,
    measure,
    stop: () => Promise.resolve(),
  };
}

async function measure(proxy: RunningProxy, timing: Timing): Promise<Measured> {
  const request = { port: proxy.port, host: SERVICE };
  const startMiB = memoryOf(proxy.pids).residentMiB;
  const warmUp = await runWrk({ ...request, seconds: timing.warmUpSeconds });
  const warmMiB = memoryOf(proxy.pids).residentMiB;
  resetPeak(proxy.pids);
  const posts = await post(proxy.port);
  const load = await runWrk({ ...request, seconds: timing.seconds }, { connections: CONNECTIONS });
  const { residentMiB: endMiB, peakMiB } = memoryOf(proxy.pids);
  await sleep(RECOVERY_MS);
  const afterMiB = memoryOf(proxy.pids).residentMiB;
  return {
    figures: {
      ...{ startMiB, warmMiB, peakMiB, endMiB, afterMiB },
      keptMiB: afterMiB - warmMiB,
      givenBackPercent: (100 * (peakMiB - afterMiB)) / Math.max(peakMiB - warmMiB, 1e-3),
    },
    errors: warmUp.errors + posts + load.errors,
  };
}

/** Returns how many had no good answer. */
async function post(port: number): Promise<number> {
  const crowd = startCrowd(port, {
    ...{ connections: POSTS, openingAtOnce: POSTS, postBytes: POST_BYTES },
  });
  try {
    const failed = await crowd.open();
    await crowd.close();
    return failed;
  } finally {
    await crowd.stop();
  }
}
