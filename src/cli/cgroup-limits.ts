/**
 * How much CPU time and memory the cgroup of this process has, which the machine does not tell: a
 * container with `--cpus 1` on a machine of 64 sees all 64. Of cgroups v2 (kernel docs, cgroup-v2,
 * `cpu.max`, `memory.max`, `memory.high`) and v1 (sched-bwc, `cpu.cfs_quota_us`; memory,
 * `memory.limit_in_bytes`).
 */
import { posix } from "node:path";
import { readKernelFile } from "../net/kernel-files.ts";

const ROOT = "/sys/fs/cgroup";
/** Kubernetes nests five deep. */
const DEPTH_MAX = 32;
/** Version 1 says "no limit" by the largest number of pages; no machine has as much. */
const MEMORY_NONE_BYTES = 2 ** 60;

/** Returns a file's text, null when it cannot be read. */
export type ReadText = (path: string) => string | null;

/**
 * Returns the least limit of the cgroup and those around it, in CPUs, such as 1.5; null: there is
 * none, or it cannot be known. Of a container whose cgroups are mounted as if they were the root, the
 * path that the kernel names leads nowhere, and the root has the limit.
 */
export function cpuLimit(read: ReadText = readKernelFile): number | null {
  return least(read, "cpu", { 1: cpuV1, 2: cpuV2 });
}

/** The same in bytes of memory. What is above `memory.high` stands still, so that counts as well. */
export function memoryLimit(read: ReadText = readKernelFile): number | null {
  return least(read, "memory", { 1: memoryV1, 2: memoryV2 });
}

type LimitOf = (read: ReadText, folder: string) => number | null;

function least(
  read: ReadText,
  controller: string,
  limitOf: { readonly 1: LimitOf; readonly 2: LimitOf },
): number | null {
  const limits: number[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers = "", path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isV1 = controllers.split(",").includes(controller);
    if (controllers !== "" && !isV1) continue;
    for (const folder of foldersUp(path)) {
      const limit = limitOf[isV1 ? 1 : 2](read, folder);
      if (limit !== null) limits.push(limit);
    }
  }
  return limits.length === 0 ? null : Math.min(...limits);
}

/** `/a/b`, `/a`, `/`. */
function foldersUp(path: string): readonly string[] {
  const folders: string[] = [];
  let folder = posix.normalize(path);
  while (folders.length < DEPTH_MAX - 1 && folder !== "/") {
    folders.push(folder);
    folder = posix.dirname(folder);
  }
  return [...folders, "/"];
}

/** `max 100000` or `150000 100000`, in microseconds of each period. */
function cpuV2(read: ReadText, folder: string): number | null {
  const [quota, period] = (read(posix.join(ROOT, folder, "cpu.max")) ?? "").trim().split(" ");
  return ratio(quota, period);
}

/** A quota of -1 is none. Debian links `cpu` to `cpu,cpuacct`. */
function cpuV1(read: ReadText, folder: string): number | null {
  const of = (name: string): string | undefined =>
    read(posix.join(ROOT, "cpu", folder, `cpu.cfs_${name}_us`))?.trim();
  return ratio(of("quota"), of("period"));
}

function ratio(quota = "", period = ""): number | null {
  if (!/^[1-9][0-9]*$/.test(quota) || !/^[1-9][0-9]*$/.test(period)) return null;
  return Number(quota) / Number(period);
}

function memoryV2(read: ReadText, folder: string): number | null {
  const of = (name: string): number | null => bytes(read(posix.join(ROOT, folder, name)));
  const max = of("memory.max");
  const high = of("memory.high");
  return max === null || high === null ? (max ?? high) : Math.min(max, high);
}

function memoryV1(read: ReadText, folder: string): number | null {
  return bytes(read(posix.join(ROOT, "memory", folder, "memory.limit_in_bytes")));
}

/** `max` and what is not a number is no limit. */
function bytes(text: string | null): number | null {
  const value = /^[1-9][0-9]*$/.test(text?.trim() ?? "") ? Number(text) : MEMORY_NONE_BYTES;
  return value < MEMORY_NONE_BYTES ? value : null;
}
