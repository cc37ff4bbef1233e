/** Nanoseconds per call of a small function, for the files named *.bench.ts beside and below this one.
 * Batches of calls are timed, not calls, since the clock costs more than many of the functions. */
import process from "node:process";

export const SAMPLES = 50; // so few that p99 is the slowest of them
const WARM_UP_MS = 300; // the last compiler tier of both runtimes has run by then, in small functions
const WARM_UP_BATCHES_MIN = 3;
const RESULTS_KEPT = 16; // a power of two

export interface Measurement {
  readonly name: string;
  readonly runtime: string;
  readonly samples: number;
  readonly batch: number;
  readonly medianNs: number;
  readonly p99Ns: number;
}

/** Where results go. It is exported, so no compiler can know that nobody reads it. */
export const keptResults: unknown[] = new Array<unknown>(RESULTS_KEPT).fill(null);

type Loop = (call: (index: number) => unknown, batch: number, kept: unknown[]) => void;

/**
 * Measures `call`, prints one line and returns the figures. `batch` calls make one sample: choose it
 * so that a sample takes 1 to 20 ms. `call` is given the call's index within the batch, to choose
 * among inputs with, and should return what it computed. An empty call costs about 0.5 ns.
 */
export function measure(
  name: string,
  batch: number,
  call: (index: number) => unknown,
): Measurement {
  const loop = freshLoop(name);
  const warmUpEndsAt = performance.now() + WARM_UP_MS;
  for (let i = 0; i < WARM_UP_BATCHES_MIN || performance.now() < warmUpEndsAt; i++) {
    loop(call, batch, keptResults);
  }
  collectGarbage();
  const samplesNs = new Float64Array(SAMPLES);
  for (let i = 0; i < SAMPLES; i++) {
    const begun = process.hrtime.bigint();
    loop(call, batch, keptResults);
    samplesNs[i] = Number(process.hrtime.bigint() - begun) / batch;
  }
  samplesNs.sort();
  const measurement: Measurement = {
    name,
    runtime: runtimeName(),
    samples: SAMPLES,
    batch,
    medianNs: samplesNs[SAMPLES >> 1] ?? Number.NaN,
    p99Ns: samplesNs[Math.ceil(0.99 * SAMPLES) - 1] ?? Number.NaN,
  };
  printMeasurement(measurement);
  return measurement;
}

/** A loop of its own for each measurement: in a shared one the first function measured would be
 * inlined and the later ones not, so that the order in a file would decide the winner. */
function freshLoop(name: string): Loop {
  const body = `
    // ${JSON.stringify(name)}
    for (let i = 0; i < batch; i++) {
      kept[i & ${RESULTS_KEPT - 1}] = call(i);
    }`;
  return new Function("call", "batch", "kept", body) as Loop;
}

/** Prints one line, or with --json an object; for files that must do their timing themselves, too. */
export function printMeasurement(measurement: Measurement): void {
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify(measurement));
    return;
  }
  const { name, runtime, medianNs, p99Ns } = measurement;
  const figures = `${medianNs.toFixed(1).padStart(10)} ns  p99 ${p99Ns.toFixed(1).padStart(10)} ns`;
  console.log(`${runtime.padEnd(12)} ${figures}  ${name}`);
}

/** Returns the runtime with its version, such as "bun 1.4.5". */
export function runtimeName(): string {
  for (const runtime of ["bun", "deno"]) {
    const version = process.versions[runtime];
    if (version !== undefined) {
      return `${runtime} ${version}`;
    }
  }
  return `node ${process.versions.node}`;
}

/** So that a sample does not pay for garbage of the warm-up. Deno shows
 * it only with DENO_V8_FLAGS=--expose-gc. */
function collectGarbage(): void {
  const bun: unknown = Reflect.get(globalThis, "Bun");
  const gc: unknown = Reflect.get(globalThis, "gc");
  if (typeof bun === "object" && bun !== null && "gc" in bun && typeof bun.gc === "function") {
    bun.gc(true);
  } else if (typeof gc === "function") {
    gc();
  }
}
