/**
 * The system calls of another process, thread by thread, as `strace` saw them while something was done.
 * Every call is written out and not only counted, so that what failed and what only looked can be told
 * from the rest, and what it cost in bytes is known too.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { findTool } from "./tool.ts";

/** How often each call was made. A kind is `recvfrom`, `recvfrom peek`, `recvfrom EAGAIN` or RUNTIME. */
export type Calls = ReadonlyMap<string, number>;

export type TracedThread = {
  readonly calls: Calls;
  /** Bytes that crossed the border to the kernel, in either direction. */
  readonly bytes: number;
};

/** `name(arguments) = result`, with the error's name behind a result of -1. */
const LINE = /^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?: (E[A-Z]+))?/;
/**
 * What no request asks for: a runtime's memory, its threads that are woken to compile and collect, and
 * what it looks at when its own loop has a turn. All of it counts as one kind.
 */
export const RUNTIME = "runtime";
const RUNTIMES_OWN =
  /^(futex|madvise|mmap|munmap|mprotect|mremap|brk|epoll_pwait2|openat|newfstatat|restart_syscall|sched_\w+|tgkill|clone3?|rseq|rt_sig\w+|set_robust_list|prctl)$/;
const TRANSFERS = new Set(["recvfrom", "sendto", "read", "write", "recvmsg", "sendmsg"]);

/** Traces all threads of `pid` while `work` runs; returns them, those with the most calls first. */
export async function traced(pid: number, work: () => Promise<void>): Promise<TracedThread[]> {
  const strace = findTool("strace");
  if (strace === null) throw new Error("strace is missing: install it");
  const folder = mkdtempSync(join(tmpdir(), "outrigger-strace-"));
  try {
    const flags = ["-f", "-ff", "-s0", "-esignal=none", "-o", join(folder, "thread")];
    const child = spawn(strace, [...flags, "-p", String(pid)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
    await eventually(() => /attached/.test(said) || child.exitCode !== null, { withinMs: 5_000 });
    if (child.exitCode !== null) throw new Error(`strace: ${said}`);
    await work();
    child.kill("SIGINT");
    await exited;
    return readdirSync(folder)
      .map((file) => threadOf(readFileSync(join(folder, file), "utf8")))
      .sort((a, b) => total(b.calls) - total(a.calls));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function total(calls: Calls): number {
  let sum = 0;
  for (const count of calls.values()) sum += count;
  return sum;
}

function threadOf(text: string): TracedThread {
  const calls = new Map<string, number>();
  let bytes = 0;
  for (const line of text.split("\n")) {
    const [, name, args = "", result = "", error] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const isPeek = args.includes("MSG_PEEK");
    const own = `${name}${isPeek ? " peek" : ""}${error === undefined ? "" : ` ${error}`}`;
    const kind = RUNTIMES_OWN.test(name) ? RUNTIME : own;
    calls.set(kind, (calls.get(kind) ?? 0) + 1);
    if (TRANSFERS.has(name) && Number(result) > 0) bytes += Number(result);
  }
  return { calls, bytes };
}
