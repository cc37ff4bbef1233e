/**
 * Requests pending per endpoint: one word for all workers (Atomics.add and sub) against one word per
 * worker, summed by the reader, as src/shared/endpoint-rows.ts has it. One operation is what a
 * request does: read two endpoints, acquire one of them, release it. The figures are the main
 * thread's while the other threads do the same without pause.
 */
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { LINE_WORDS } from "../../src/shared/struct.ts";
import { measure } from "./measure.ts";

const BATCH = 50_000;
const ENDPOINTS = 3;
/** Words before the pending ones: contenders that run, and whether to stop. */
const RUNNING = 0;
const STOP = 1;
const BASE = LINE_WORDS;

type Variant = "one shared word" | "one word per worker";
type Setup = {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly variant: Variant;
  readonly threads: number;
};

/** One function per variant, so that each thread compiles only the one it measures. */
function operation({ words, variant, threads }: Setup, thread: number): (i: number) => number {
  if (variant === "one shared word") {
    return (i) => {
      const a = BASE + (i % ENDPOINTS) * LINE_WORDS;
      const b = BASE + ((i + 1) % ENDPOINTS) * LINE_WORDS;
      const word = Atomics.load(words, a) <= Atomics.load(words, b) ? a : b;
      Atomics.add(words, word, 1);
      return Atomics.sub(words, word, 1);
    };
  }
  const sum = (row: number): number => {
    let total = 0;
    let word = BASE + row;
    for (let worker = 0; worker < threads; worker++) {
      total += Atomics.load(words, word);
      word += ENDPOINTS_MAX;
    }
    return total;
  };
  return (i) => {
    const a = i % ENDPOINTS;
    const b = (i + 1) % ENDPOINTS;
    const word = BASE + thread * ENDPOINTS_MAX + (sum(a) <= sum(b) ? a : b);
    Atomics.store(words, word, Atomics.load(words, word) + 1);
    const before = Atomics.load(words, word);
    Atomics.store(words, word, before - 1);
    return before;
  };
}

function contend(setup: Setup, thread: number): void {
  const operate = operation(setup, thread);
  Atomics.add(setup.words, RUNNING, 1);
  Atomics.notify(setup.words, RUNNING);
  for (let i = 0; Atomics.load(setup.words, STOP) === 0; ) {
    for (const end = i + 1_000; i < end; i++) operate(i);
  }
}

async function run(variant: Variant, threads: number): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(4 * (BASE + threads * ENDPOINTS_MAX)));
  const setup: Setup = { words, variant, threads };
  const contenders = Array.from(
    { length: threads - 1 },
    (_, i) => new Worker(new URL(import.meta.url), { workerData: { setup, thread: i + 1 } }),
  );
  const ended = contenders.map((worker) => new Promise((resolve) => worker.on("exit", resolve)));
  while (Atomics.load(words, RUNNING) < contenders.length) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  measure(`${variant}, ${threads} threads`, BATCH, operation(setup, 0));
  Atomics.store(words, STOP, 1);
  await Promise.all(ended);
}

if (isMainThread) {
  for (const threads of [1, 2, 4]) {
    for (const variant of ["one shared word", "one word per worker"] as const) {
      await run(variant, threads);
    }
  }
} else {
  const { setup, thread } = workerData as { setup: Setup; thread: number };
  contend(setup, thread);
}
