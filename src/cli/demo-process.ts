/** One process of the demo: this program again, with a command of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { ownProgram } from "../net/own-program.ts";
import { StartError } from "./start-error.ts";

/** From the start of a process to its line "ready", on a machine that starts several at once. */
const START_TIMEOUT_MS = 20_000;
/** From SIGTERM to SIGKILL. */
const STOP_TIMEOUT_MS = 5_000;
/** What is kept of its log: enough to say why it did not start. */
const LOG_CHARS_MAX = 16_384;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class DemoProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #log = "";
  #heard: () => void = () => {};

  private constructor(name: string, args: readonly string[], env: Record<string, string>) {
    this.#name = name;
    const program = ownProgram();
    if (program === null) throw new StartError("the demo needs /proc to be mounted");
    const [command, ...first] = program;
    const child = spawn(command, [...first, ...args], {
      // A group of its own: Ctrl-C is for the demo, which stops them in order.
      detached: true,
      env: { ...withoutOurs(process.env), ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    running.add(child);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARS_MAX);
      this.#heard();
    });
    this.#exited = new Promise((resolve) => {
      const onEnd = (): void => {
        running.delete(child);
        this.#heard();
        resolve();
      };
      child.on("exit", onEnd);
      child.on("error", (error) => {
        this.#log += error.message;
        onEnd();
      });
    });
  }

  /** Resolves when it says that it is ready. Rejects with what it said instead. */
  static async start(
    name: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<DemoProcess> {
    const started = new DemoProcess(name, args, env);
    await started.#untilReady();
    return started;
  }

  get isRunning(): boolean {
    return running.has(this.#child);
  }

  /** The port on which it listens as `inbound`, `control` or the like. */
  port(kind: string): number {
    return Number(new RegExp(`listening: ${kind} \\S*:(\\d+)`).exec(this.#log)?.[1]);
  }

  /** Reads from its admin API; null when it does not answer. */
  async admin(path: string): Promise<Response | null> {
    if (!this.isRunning) return null;
    try {
      return await fetch(`http://127.0.0.1:${this.port("admin")}${path}`);
    } catch {
      return null;
    }
  }

  /** Ends it as a crash would. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  async #untilReady(): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (!/ ready(?: |$)/m.test(this.#log)) {
      const leftMs = deadlineMs - performance.now();
      if (!this.isRunning || leftMs <= 0) {
        this.kill();
        throw new StartError(`the demo's ${this.#name} did not start: ${this.#log.trim()}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#heard = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** What this process was told by its environment is not meant for those that it starts. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("OUTRIGGER_")));
}
