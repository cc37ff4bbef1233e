/** Opaque TCP: how many bytes a second pass, and what a GiB costs, in each direction; through one proxy,
 * or through two with mutual TLS between them. */

import type { Mode, RunningProxy } from "../contenders.ts";
import { beginUsage } from "../cpu.ts";
import { type Direction, startTcpPeer, type TcpPeer } from "../load/tcp.ts";
import {
  CORE_COLUMNS,
  column,
  type Figures,
  RESIDENT,
  resourceFigures,
  type Scenario,
  type Timing,
} from "../scenario.ts";

const MIB = 1_048_576;
const MIB_PER_GIB = 1_024;
const CONNECTIONS = 4; // enough that neither end waits for the other, few enough to be a stream each

const LOAD = `1 MiB writes, ${CONNECTIONS} connections, one direction at a time`;

export function opaqueTcp(): Promise<Scenario> {
  return tcpScenario("tcp", `Opaque TCP, ${LOAD} (HAProxy without splice)`, ["tcp"]);
}

/** CPU, memory and the core's load are those of both proxies together. */
export function mtlsTcp(): Promise<Scenario> {
  return tcpScenario("mtls-tcp", `Opaque TCP through two proxies, mutual TLS between, ${LOAD}`, [
    "mtls-tcp-client",
    "mtls-tcp-origin",
  ]);
}

/** Starts the process that is both ends, which is then this scenario's origin. */
async function tcpScenario(name: string, title: string, modes: readonly Mode[]): Promise<Scenario> {
  const peer = await startTcpPeer();
  return {
    name,
    title,
    modes,
    columns: [
      column("uploadCpuSecondsPerGiB", "up CPU s/GiB", 3, true),
      column("downloadCpuSecondsPerGiB", "down CPU s/GiB", 3, true),
      column("uploadMiBPerSecond", "up MiB/s", 0, true),
      column("downloadMiBPerSecond", "down MiB/s", 0, true),
      RESIDENT,
      ...CORE_COLUMNS,
    ],
    originPort: peer.port,
    async measure(proxy, timing) {
      const upload = await stream(peer, proxy, "upload", timing);
      const download = await stream(peer, proxy, "download", timing);
      const hasFailed =
        upload["uploadMiBPerSecond"] === 0 || download["downloadMiBPerSecond"] === 0;
      return { figures: { ...upload, ...download }, errors: hasFailed ? 1 : 0 };
    },
    stop: () => peer.stop(),
  };
}

async function stream(
  peer: TcpPeer,
  proxy: RunningProxy,
  direction: Direction,
  timing: Timing,
): Promise<Figures> {
  let endUsage = beginUsage(proxy.pids);
  const { bytes, elapsedMs } = await peer.run(
    {
      port: proxy.port,
      direction,
      connections: CONNECTIONS,
      warmUpMs: timing.warmUpSeconds * 1_000,
      measuredMs: timing.seconds * 1_000,
    },
    () => {
      endUsage = beginUsage(proxy.pids);
    },
  );
  const usage = endUsage();
  const mib = bytes / MIB;
  const cpuSeconds = (usage.userMs + usage.systemMs) / 1_000;
  return {
    [`${direction}MiBPerSecond`]: mib / (elapsedMs / 1_000),
    ...(proxy.pids.length === 0 || bytes === 0
      ? {}
      : { [`${direction}CpuSecondsPerGiB`]: cpuSeconds / (mib / MIB_PER_GIB) }),
    ...resourceFigures(proxy, usage),
  };
}
