/**
 * How much CPU time the cgroup of this process has, which no count of CPUs tells: a container with
 * `--cpus 1` on a machine of 64 sees all 64. Threads beyond it only wait for each other's share.
 * Of cgroups v2 (kernel docs, cgroup-v2, `cpu.max`) and v1 (sched-bwc, `cpu.cfs_quota_us`).
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";

const ROOT = "/sys/fs/cgroup";
/** Kubernetes nests five deep. */
const DEPTH_MAX = 32;

/** Returns a file's text, null when it cannot be read. */
export type ReadText = (path: string) => string | null;

/**
 * Returns the least limit of the cgroup and those around it, in CPUs, such as 1.5; null: there is
 * none, or it cannot be known. Of a container whose cgroups are mounted as if they were the root, the
 * path that the kernel names leads nowhere, and the root has the limit.
 */
export function cpuLimit(read: ReadText = readText): number | null {
  const limits: number[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers = "", path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isOfCpu = controllers.split(",").includes("cpu");
    if (controllers !== "" && !isOfCpu) continue;
    for (const folder of foldersUp(path)) {
      const limit = isOfCpu ? limitV1(read, folder) : limitV2(read, folder);
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
function limitV2(read: ReadText, folder: string): number | null {
  const [quota, period] = (read(posix.join(ROOT, folder, "cpu.max")) ?? "").trim().split(" ");
  return ratio(quota, period);
}

/** A quota of -1 is none. Debian links `cpu` to `cpu,cpuacct`. */
function limitV1(read: ReadText, folder: string): number | null {
  const of = (name: string): string | undefined =>
    read(posix.join(ROOT, "cpu", folder, `cpu.cfs_${name}_us`))?.trim();
  return ratio(of("quota"), of("period"));
}

function ratio(quota = "", period = ""): number | null {
  if (!/^[1-9][0-9]*$/.test(quota) || !/^[1-9][0-9]*$/.test(period)) return null;
  return Number(quota) / Number(period);
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
