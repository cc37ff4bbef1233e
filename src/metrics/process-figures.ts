/** What the kernel and the runtime say of this process. */
import process from "node:process";
import { countKernelEntries } from "../net/kernel-files.ts";

export type ProcessFigures = {
  /** Seconds since 1970. */
  readonly startTimeS: number;
  readonly cpuS: number;
  readonly residentBytes: number;
  readonly openFds: number;
};

const START_TIME_S = Date.now() / 1e3 - process.uptime();

export function readProcessFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    startTimeS: START_TIME_S,
    cpuS: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    openFds: countDescriptors(),
  };
}

/** Without the one that reading the folder takes. 0 where there is no /proc. */
function countDescriptors(): number {
  return Math.max(0, (countKernelEntries("/proc/self/fd") ?? 0) - 1);
}
