/**
 * Requests by the million and connections of all kinds through the real program with two workers,
 * in steps, and what it has of memory and descriptors after each.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Load, runH2load } from "../conformance/h2load.ts";
import { type Origin, startNginx } from "../conformance/nginx.ts";
import { eventually, lapse } from "./eventually.ts";
import { medianOf } from "./flatness.ts";
import { mixedConnections } from "./mixed-connections.ts";
import { type Program, startProgram } from "./program.ts";
import { findTool, openDescriptors, residentMiB } from "./tool.ts";

const WORKERS = 2;
/** One request of so many comes by HTTP/2. */
const HTTP2_PART = 4;
const HTTP1 = { connections: 64, streams: 1 };
const HTTP2 = { connections: 8, streams: 10 };
const SAMPLE_EVERY_MS = 100;
/** What the runtime may open for itself meanwhile (Bun: an epoll, late), and a worker's HTTP/2 connection. */
const KEPT_MAX = 2 + WORKERS;
/** Longer than idle connections to the application are kept. */
const SETTLE_MS = 15_000;

export type MemoryPlan = {
  readonly requests: number;
  readonly connections: number;
  readonly steps: number;
};

export type MemoryFigures = {
  readonly readyMiB: number;
  /** The median of what was resident during each step. */
  readonly stepsMiB: readonly number[];
  /** When all connections are gone. */
  readonly restMiB: number;
  /** Requests that were not answered with 200. */
  readonly failed: number;
  /** Connections that did not get their answer. */
  readonly missing: number;
  /** More than before, when all connections are gone. */
  readonly descriptorsMore: number;
  readonly violations: number;
  readonly seconds: number;
};

/** `onStep` is told of each step. */
export async function memoryRun(
  plan: MemoryPlan,
  onStep: (step: number, residentMiB: number) => void = () => {},
): Promise<MemoryFigures> {
  const h2load = findTool("h2load");
  if (h2load === null) throw new Error("h2load is missing: install nghttp2-client");
  const origin = await startNginx();
  const echo = spawn("node", [fileURLToPath(new URL("echo.mjs", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const echoPort = await new Promise<number>((resolve) => {
    echo.stdout.on("data", (chunk: Buffer) => resolve(Number(chunk.toString())));
  });
  const program = await startProgram([
    `--workers=${WORKERS}`,
    `--app=127.0.0.1:${origin.http1Port}`,
    `--upstream=two=h2:127.0.0.1:${origin.http2Port}`,
    `--upstream=echo=127.0.0.1:${echoPort}`,
    "--forward=127.0.0.1:0=echo:1",
  ]);
  try {
    return await new Run(program, h2load, plan, onStep).run();
  } finally {
    program.child.kill("SIGKILL");
    echo.kill("SIGKILL");
    await stop(origin, program);
  }
}

async function stop(origin: Origin, program: Program): Promise<void> {
  await program.exited;
  await origin.stop();
}

class Run {
  readonly #program: Program;
  readonly #h2load: string;
  readonly #plan: MemoryPlan;
  readonly #onStep: (step: number, residentMiB: number) => void;
  #failed = 0;
  #missing = 0;

  constructor(
    program: Program,
    h2load: string,
    plan: MemoryPlan,
    onStep: (step: number, residentMiB: number) => void,
  ) {
    this.#program = program;
    this.#h2load = h2load;
    this.#plan = plan;
    this.#onStep = onStep;
  }

  async run(): Promise<MemoryFigures> {
    const program = this.#program;
    const startedMs = performance.now();
    const readyMiB = residentMiB(program);
    // What the program opens once and keeps (its admin connection to us) is not counted.
    await program.admin("/metrics");
    const descriptors = openDescriptors(program);
    const stepsMiB: number[] = [];
    for (let step = 0; step < this.#plan.steps; step++) {
      const mib = await this.#sampled(() => this.#step());
      stepsMiB.push(mib);
      this.#onStep(step, mib);
    }
    const more = (): number => openDescriptors(program) - descriptors;
    await eventually(() => more() <= KEPT_MAX, { withinMs: SETTLE_MS }).catch(() => {});
    // Before anything is asked: our own question has a connection.
    const descriptorsMore = Math.max(0, more() - KEPT_MAX);
    const metrics = await (await program.admin("/metrics")).text();
    return {
      readyMiB,
      stepsMiB,
      restMiB: residentMiB(program),
      failed: this.#failed,
      missing: this.#missing,
      descriptorsMore,
      violations: Number(/^outrigger_descriptor_violations_total (\d+)$/m.exec(metrics)?.[1]),
      seconds: (performance.now() - startedMs) / 1e3,
    };
  }

  async #step(): Promise<void> {
    const { requests, connections, steps } = this.#plan;
    const perStep = Math.ceil(requests / steps);
    const byHttp2 = Math.ceil(perStep / HTTP2_PART);
    const program = this.#program;
    await this.#requests("inbound", { ...HTTP1, requests: perStep - byHttp2 }, ["--h1"]);
    await this.#requests("outbound", { ...HTTP2, requests: byHttp2 }, ["-H:authority: two"]);
    const ports = { http: program.port("inbound"), echo: program.port("forward") };
    this.#missing += await mixedConnections(ports, Math.ceil(connections / steps));
  }

  async #requests(kind: string, load: Load, args: readonly string[]): Promise<void> {
    const port = this.#program.port(kind);
    const { status2xx } = await runH2load(this.#h2load, port, load, args);
    this.#failed += load.requests - status2xx;
  }

  /** Returns the median of what is resident while `work` runs. */
  async #sampled(work: () => Promise<void>): Promise<number> {
    const samples: number[] = [];
    let isOver = false;
    const worked = work().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      samples.push(residentMiB(this.#program));
      await lapse(SAMPLE_EVERY_MS);
    }
    await worked;
    return medianOf(samples);
  }
}
