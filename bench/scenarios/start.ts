/** How long a proxy takes from its start until it listens, and until the first answer has come through
 * it; and what it has resident then. Whoever starts a contender knows: it is only told here. */
import type { RunningProxy } from "../contenders.ts";
import { memoryOf } from "../cpu.ts";
import { column, type Measured, RESIDENT, type Scenario } from "../scenario.ts";

export function start(): Scenario {
  return {
    name: "start",
    title: "From start to ready, one proxy for HTTP/1, files cached",
    modes: ["http"],
    columns: [
      column("readyMs", "first answer ms", 0, true),
      column("listeningMs", "listening ms", 0),
      RESIDENT,
      column("peakMiB", "peak MiB", 1),
    ],
    originPort: null,
    needsProxy: true,
    measure,
    stop: () => Promise.resolve(),
  };
}

function measure(proxy: RunningProxy): Promise<Measured> {
  const { readyMs, listeningMs, pids } = proxy;
  return Promise.resolve({ figures: { readyMs, listeningMs, ...memoryOf(pids) }, errors: 0 });
}
