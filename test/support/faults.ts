/**
 * What can happen to one of three backends behind a sidecar, while requests go on, and what came of it:
 * for the soak `failures` and its short form.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually, lapse } from "./eventually.ts";
import { type Program, startProgram } from "./program.ts";
import { NO_ANSWER, type SteadyReport, steadyLoad } from "./steady-load.ts";

const BACKEND = fileURLToPath(new URL("failing-backend.mjs", import.meta.url));
const POOL = 3;

export class FailingBackend {
  port = 0;
  /** Requests that reached it. */
  requests = 0;
  /** … and asked for a report. */
  reports = 0;
  #child: ChildProcess | null = null;

  async start(): Promise<void> {
    const child = spawn("node", [BACKEND, String(this.port)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    this.port = await new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line)));
    });
    child.stdout.on("data", (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === 0x2e) this.requests++;
        else if (byte === 0x72) this.reports++;
      }
    });
    child.stdout.resume();
    child.stdin.on("error", () => {});
  }

  tell(line: string): void {
    this.#child?.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid !== undefined) process.kill(pid, signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    process.kill(child.pid ?? 0, "SIGKILL");
    await gone;
  }
}

export type Fault = {
  readonly name: string;
  /** Makes the backend fail until `untilMs`, and be well after it. */
  run(backend: FailingBackend, untilMs: number): Promise<void>;
};

function told(name: string, line: string): Fault {
  return {
    name,
    run: async (backend, untilMs) => {
      backend.tell(line);
      await lapse(untilMs - performance.now());
      backend.tell("well");
    },
  };
}

const WARM_UP_RATE = 200;
const WARM_UP_REQUESTS = 200;
/** Gone for a second at a time. */
const KILLED_MS = 1_000;

export const FAULTS: readonly Fault[] = [
  {
    name: "killed",
    run: async (backend, untilMs) => {
      do {
        await backend.kill();
        await lapse(Math.min(KILLED_MS, Math.max(0, untilMs - performance.now())));
        await backend.start();
        await lapse(Math.min(KILLED_MS, Math.max(0, untilMs - performance.now())));
      } while (performance.now() < untilMs);
    },
  },
  {
    name: "hung",
    run: async (backend, untilMs) => {
      backend.signal("SIGSTOP");
      await lapse(untilMs - performance.now());
      backend.signal("SIGCONT");
    },
  },
  told("slow by 500 ms", "slow 500"),
  told("flapping 10/s", "flap 10"),
  told("closes idle 1 s", "idle 1000"),
  told("answers 503", "status 503"),
];

export type FaultReport = {
  readonly fault: string;
  readonly load: SteadyReport;
  /** Failed requests but for those that were with a backend and must not be repeated. */
  readonly unexcused: number;
  /** Requests at the backends for each that was sent. */
  readonly amplification: number;
  /** The faulty backend's share of them. */
  readonly share: number;
  /** From the end of the fault until the backend is sent requests again, milliseconds. */
  readonly backAfterMs: number;
};

/** Three backends and a sidecar before them. */
export class FaultRig {
  readonly backends = Array.from({ length: POOL }, () => new FailingBackend());
  #program: Program | null = null;

  async start(workers: number): Promise<void> {
    for (const backend of this.backends) await backend.start();
    const at = this.backends.map(({ port }) => `h1:127.0.0.1:${port}`).join(",");
    this.#program = await startProgram([`--workers=${workers}`, `--upstream=web=${at}`]);
    // What is not compiled yet is slow, and no fault.
    const load = steadyLoad(this.program.port("outbound"), "web", WARM_UP_RATE);
    await eventually(() => load.report.ok >= WARM_UP_REQUESTS, { withinMs: 20_000 });
    await load.stop();
  }

  get program(): Program {
    if (this.#program === null) throw new Error("not started");
    return this.#program;
  }

  /** `backWithinMs`: so long it is waited for the backend to be used again. */
  async run(
    fault: Fault,
    rate: number,
    seconds: number,
    backWithinMs: number,
  ): Promise<FaultReport> {
    const [faulty] = this.backends;
    if (faulty === undefined) throw new Error("no backends");
    const before = this.backends.map(({ requests }) => requests);
    const load = steadyLoad(this.program.port("outbound"), "web", rate);
    await lapse(300);
    await fault.run(faulty, performance.now() + seconds * 1_000);
    const wellMs = performance.now();
    const seen = faulty.requests;
    while (faulty.requests === seen && performance.now() - wellMs < backWithinMs) await lapse(5);
    const backAfterMs = performance.now() - wellMs;
    const report = await load.stop();
    const counts = this.backends.map(({ requests }, i) => requests - (before[i] ?? 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    return {
      fault: fault.name,
      load: report,
      unexcused: report.failures.filter((each) => !isExcused(each)).length,
      amplification: total / report.sent,
      share: (counts[0] ?? 0) / total,
      backAfterMs,
    };
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    for (const backend of this.backends) await backend.kill();
  }
}

/** It is not idempotent, and a backend that broke off, hung or answered 503 had it: nobody may repeat it. */
function isExcused({ method, why }: { method: string; why: string }): boolean {
  const isLost = ["cut", NO_ANSWER].includes(why) || why.includes("closed before a response");
  return method === "POST" && (isLost || why === "503 the backend's");
}
