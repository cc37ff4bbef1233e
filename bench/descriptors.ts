/** How many descriptors a process may have. What we start inherits the limit from us. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** Returns the hard limit, after raising ours to it. */
export function raiseDescriptorLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  spawnSync("prlimit", ["--pid", String(process.pid), `--nofile=${hard}:${hard}`]);
  return hard;
}
