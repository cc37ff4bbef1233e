/** The processes of a benchmark: each is pinned to one core, has a time after which it is killed, and
 * dies with us: on a normal end, on an error, on a signal, and (by the kernel's parent-death signal)
 * also when we are killed outright. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { scriptCommand } from "./runtimes.ts";

/** The proxy has this core for itself; everything that makes or answers load shares the other. */
export const PROXY_CORE = 1;
export const LOAD_CORE = 0;

const STOP_GRACE_MS = 2_000; // idle by then: nothing is in flight when a measurement has ended
const STDERR_KEPT_CHARS = 2_000; // enough to see why a process did not start

const alive = new Set<ChildProcess>();

export interface ChildOptions {
  readonly core: number;
  /** A bound, not a duration: a process that is still there after it is killed. */
  readonly killAfterMs: number;
  readonly onLine?: (line: string) => void;
}

export interface Child {
  readonly pid: number;
  readonly exited: Promise<void>;
  hasExited(): boolean;
  exitCode(): number | null;
  stdout(): string;
  /** The last of what it said on stderr. */
  complaint(): string;
  send(line: string): void;
  stop(): Promise<void>;
}

/** Starts `command`. A command that does not exist is a child that has exited with a complaint. */
export function startChild(command: readonly string[], options: ChildOptions): Child {
  const pinned = ["--pdeathsig", "KILL", "taskset", "-c", String(options.core), ...command];
  const child = spawn("setpriv", pinned, { detached: true, stdio: ["pipe", "pipe", "pipe"] });
  alive.add(child);
  let stdout = "";
  let stderr = "";
  let unfinishedLine = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (options.onLine === undefined) {
      stdout += text;
      return;
    }
    const lines = (unfinishedLine + text).split("\n");
    unfinishedLine = lines.pop() ?? "";
    for (const line of lines) {
      options.onLine(line);
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT_CHARS);
  });
  child.stdin.on("error", () => {}); // it has gone; `exited` tells
  const bound = setTimeout(() => killGroup(child, "SIGKILL"), options.killAfterMs);
  const exited = new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(bound);
      alive.delete(child);
      resolve();
    };
    child.once("close", done);
    child.once("error", (error) => {
      stderr += error.message;
      done();
    });
  });
  return {
    pid: child.pid ?? 0,
    exited,
    hasExited: () => !alive.has(child),
    exitCode: () => child.exitCode,
    stdout: () => stdout,
    complaint: () => stderr.trim(),
    send: (line) => {
      child.stdin.write(`${line}\n`);
    },
    stop: () => stop(child, exited),
  };
}

/** Runs `command` to its end and returns what it printed; throws if it fails or overruns. */
export async function runChild(command: readonly string[], options: ChildOptions): Promise<string> {
  const child = startChild(command, options);
  await child.exited;
  if (child.exitCode() !== 0) {
    const why = child.complaint() || child.stdout().trim().slice(-STDERR_KEPT_CHARS);
    throw new Error(`${command[0]} ended with ${child.exitCode() ?? "a signal"}: ${why}`);
  }
  return child.stdout();
}

/** Starts a script of ours, on Bun whichever runtime runs the bench: the load must not depend on it. */
export function startScript(
  path: string,
  scriptArguments: readonly string[],
  options: ChildOptions,
): Child {
  return startChild(scriptCommand("bun", path, scriptArguments), options);
}

/** Ends every process that is still there when we end, whatever the reason. */
export function killChildrenOnExit(): void {
  process.on("exit", killAll);
  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, () => process.exit(exitCode));
  }
}

function killAll(): void {
  for (const child of alive) {
    killGroup(child, "SIGKILL");
  }
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (!alive.has(child)) {
    return;
  }
  const cancel = new AbortController();
  killGroup(child, "SIGTERM");
  await Promise.race([
    exited,
    sleep(STOP_GRACE_MS, undefined, { signal: cancel.signal }).catch(() => {}),
  ]);
  cancel.abort();
  killGroup(child, "SIGKILL"); // also whatever it left behind in its group
  await exited;
}

/** Each child leads a process group of its own, so that its children go with it. */
function killGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) {
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is empty: it has gone by itself.
  }
}
