/** What a process costs, by the kernel's own accounting: CPU time and memory of a process tree, and
 * how busy a core was. On loopback the kernel does the receiver's half of TCP in the sender's time
 * slice, so a process is also charged for it; that is the same for every contender. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { LOAD_CORE, PROXY_CORE } from "./child.ts";

const MS_PER_TICK = 10; // USER_HZ is 100 in every Linux ABI we run on
const STAT_USER = 11; // utime and stime are fields 14 and 15; the command's ")" ends field 2
const STAT_SYSTEM = 12;

export interface Usage {
  readonly userMs: number;
  readonly systemMs: number;
  readonly wallMs: number;
  readonly proxyCorePercent: number;
  readonly loadCorePercent: number;
  /** Part of the proxy's core that went to something else: above a few percent, do not believe it. */
  readonly foreignPercent: number;
}

/** Begins to account for `pids` and their descendants (none: only the cores); call the result to end. */
export function beginUsage(pids: readonly number[]): () => Usage {
  const begun = snapshot(pids);
  return () => {
    const ended = snapshot(pids);
    const wallMs = ended.atMs - begun.atMs;
    const userMs = ended.userMs - begun.userMs;
    const systemMs = ended.systemMs - begun.systemMs;
    const proxyCoreMs = ended.proxyCoreMs - begun.proxyCoreMs;
    return {
      userMs,
      systemMs,
      wallMs,
      proxyCorePercent: (100 * proxyCoreMs) / wallMs,
      loadCorePercent: (100 * (ended.loadCoreMs - begun.loadCoreMs)) / wallMs,
      foreignPercent: Math.max(0, (100 * (proxyCoreMs - userMs - systemMs)) / wallMs),
    };
  };
}

/** Returns the resident memory of `pids` and their descendants together, now and at its highest. */
export function memoryOf(pids: readonly number[]): { residentMiB: number; peakMiB: number } {
  let residentKiB = 0;
  let peakKiB = 0;
  for (const each of pids.flatMap(processTree)) {
    const status = readProc(`/proc/${each}/status`);
    residentKiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    peakKiB += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { residentMiB: residentKiB / 1024, peakMiB: peakKiB / 1024 };
}

/** Makes the highest so far that of now (proc(5), clear_refs), for each of `pids` and their descendants. */
export function resetPeak(pids: readonly number[]): void {
  for (const each of pids.flatMap(processTree)) {
    writeFileSync(`/proc/${each}/clear_refs`, "5");
  }
}

interface Snapshot {
  readonly atMs: number;
  readonly userMs: number;
  readonly systemMs: number;
  readonly proxyCoreMs: number;
  readonly loadCoreMs: number;
}

function snapshot(pids: readonly number[]): Snapshot {
  let userMs = 0;
  let systemMs = 0;
  for (const each of pids.flatMap(processTree)) {
    const stat = readProc(`/proc/${each}/stat`); // all threads of it, the ended ones too
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    userMs += MS_PER_TICK * Number(fields[STAT_USER] ?? 0);
    systemMs += MS_PER_TICK * Number(fields[STAT_SYSTEM] ?? 0);
  }
  return {
    atMs: performance.now(),
    userMs,
    systemMs,
    proxyCoreMs: coreBusyMs(PROXY_CORE),
    loadCoreMs: coreBusyMs(LOAD_CORE),
  };
}

/** Time the core was not idle; steal (another guest's) counts, since it disturbs all the same. */
function coreBusyMs(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(readProc("/proc/stat"))?.[1] ?? "";
  const [user, nice, system, , , irq, softirq, steal] = line.split(" ").map(Number);
  const ticks = [user, nice, system, irq, softirq, steal].reduce<number>(
    (sum, each) => sum + (each ?? 0),
    0,
  );
  return MS_PER_TICK * ticks;
}

function processTree(pid: number): number[] {
  const tree = [pid];
  for (const thread of readDirectory(`/proc/${pid}/task`)) {
    for (const child of readProc(`/proc/${pid}/task/${thread}/children`).split(" ")) {
      if (child.trim() !== "") {
        tree.push(...processTree(Number(child)));
      }
    }
  }
  return tree;
}

/** A process may go while we look at it: then it has nothing more to tell. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
