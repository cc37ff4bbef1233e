/**
 * The application that a sidecar was told to start: its child, on the same terminal and in the same
 * process group. Whatever way this process ends by itself, the child is killed; of a SIGKILL to us it
 * learns nothing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Environment } from "./config.ts";
import { quote } from "./values.ts";

/** As shells have it: there is no such command, or there is and it cannot be started. */
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_STARTED = 126;
/** A status that tells of a signal, as shells have it. */
const EXIT_SIGNAL = 128;

export type Ended = {
  /** The status to exit with in its place. */
  readonly status: number;
  /** In words, for the log; null: it never ran, which was told already. */
  readonly how: string | null;
};

/** How a command that was ended by a signal counts. */
export function signalStatus(signal: NodeJS.Signals): number {
  return EXIT_SIGNAL + constants.signals[signal];
}

export class Application {
  /** Resolves when it has ended, or could not be started. */
  readonly ended: Promise<Ended>;
  #child: ChildProcess | null = null;

  /** Starts it. `tell` is given the one line about a command that cannot be started. */
  constructor(command: readonly string[], env: Environment, tell: (line: string) => void) {
    const [file = "", ...args] = command;
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    const failed = (error: unknown): void => {
      const code = error instanceof Error && "code" in error ? error.code : null;
      const isMissing = code === "ENOENT";
      const reason = isMissing ? "command not found" : `cannot be started: ${code ?? error}`;
      tell(`outrigger: ${quote(file)}: ${reason}`);
      this.#child = null;
      resolve({ status: isMissing ? EXIT_NOT_FOUND : EXIT_NOT_STARTED, how: null });
    };
    try {
      const child = spawn(file, args, { stdio: "inherit", env: { ...env } });
      this.#child = child;
      child.on("error", failed);
      child.on("exit", (code, signal) => {
        this.#child = null;
        if (code !== null) resolve({ status: code, how: `status ${code}` });
        else resolve({ status: signalStatus(signal ?? "SIGKILL"), how: `${signal}` });
      });
    } catch (error) {
      // Bun throws some of what it cannot start.
      failed(error);
    }
    process.on("exit", () => this.signal("SIGKILL"));
  }

  /** Sends it a signal, if it has not ended. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      // Not `child.kill`: on Deno the exit then counts as the signal's, whatever the status was.
      process.kill(pid, signal);
    } catch {
      // It has ended just now.
    }
  }
}
