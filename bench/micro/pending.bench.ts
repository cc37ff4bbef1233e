/**
 * Requests pending per endpoint, three ways: one word for all workers (Atomics.add and sub); one
 * word per worker, summed by the reader, as src/shared/endpoint-rows.ts has it; one word for all and
 * a tally of each worker's own, from which a dead worker's share could be given back too.
 *
 * One operation is what a request does: read two endpoints, acquire one of them, release it. All
 * threads run the same batch at the same time, round after round; a round's figure is the mean of
 * its threads, in nanoseconds of wall time per operation. With more threads than cores that time
 * contains waiting for a core, the same for all three.
 */
import process from "node:process";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { LINE_WORDS } from "../../src/shared/struct.ts";

const BATCH = 100_000;
const ROUNDS = 60;
/** Until then the compilers are at work. */
const WARM_UP_ROUNDS = 20;
const ENDPOINTS = 3;
/** Words of the barrier: threads that have come to it, ever. */
const ARRIVED = 0;
/** Where the threads leave their times, nanoseconds per batch. */
const TIMES = LINE_WORDS;
const SHARED = 2 * LINE_WORDS;
const OWN = SHARED + ENDPOINTS * LINE_WORDS;

const VARIANTS = ["shared word", "word per worker", "shared word and own tally"] as const;
type Words = Int32Array<SharedArrayBuffer>;
type Setup = {
  readonly words: Words;
  readonly variant: (typeof VARIANTS)[number];
  readonly threads: number;
};

function operation({ words, variant, threads }: Setup, thread: number): (i: number) => void {
  const own = OWN + thread * ENDPOINTS_MAX;
  const addOwn = (row: number, delta: number): void => {
    Atomics.store(words, own + row, Atomics.load(words, own + row) + delta);
  };
  const shared = (row: number): number => SHARED + row * LINE_WORDS;
  const sum = (row: number): number => {
    let total = 0;
    for (let worker = 0, word = OWN + row; worker < threads; worker++, word += ENDPOINTS_MAX) {
      total += Atomics.load(words, word);
    }
    return total;
  };
  const less = (a: number, b: number): number =>
    Atomics.load(words, shared(a)) <= Atomics.load(words, shared(b)) ? a : b;
  switch (variant) {
    case "shared word":
      return (i) => {
        const row = less(i % ENDPOINTS, (i + 1) % ENDPOINTS);
        Atomics.add(words, shared(row), 1);
        Atomics.sub(words, shared(row), 1);
      };
    case "word per worker":
      return (i) => {
        const [a, b] = [i % ENDPOINTS, (i + 1) % ENDPOINTS];
        const row = sum(a) <= sum(b) ? a : b;
        addOwn(row, 1);
        addOwn(row, -1);
      };
    case "shared word and own tally":
      return (i) => {
        const row = less(i % ENDPOINTS, (i + 1) % ENDPOINTS);
        Atomics.add(words, shared(row), 1);
        addOwn(row, 1);
        addOwn(row, -1);
        Atomics.sub(words, shared(row), 1);
      };
  }
}

/** Spins, as a thread that slept would come back late, and a round is milliseconds. */
function meet(words: Words, threads: number, count: number): void {
  Atomics.add(words, ARRIVED, 1);
  while (Atomics.load(words, ARRIVED) < threads * count) {}
}

/** Runs all rounds; returns each round's mean over the threads, nanoseconds per operation. */
function rounds(setup: Setup, thread: number): number[] {
  const { words, threads } = setup;
  const operate = operation(setup, thread);
  const means: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    meet(words, threads, 2 * round + 1);
    const begun = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) operate(i);
    Atomics.store(words, TIMES + thread, Number(process.hrtime.bigint() - begun));
    meet(words, threads, 2 * round + 2);
    const times = Array.from({ length: threads }, (_, i) => Atomics.load(words, TIMES + i));
    means.push(times.reduce((total, ns) => total + ns, 0) / threads / BATCH);
  }
  return means.slice(WARM_UP_ROUNDS);
}

async function run(variant: Setup["variant"], threads: number): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(4 * (OWN + threads * ENDPOINTS_MAX)));
  const setup: Setup = { words, variant, threads };
  const ended = Array.from({ length: threads - 1 }, (_, i) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { setup, thread: i + 1 } });
    return new Promise((resolve) => worker.on("exit", resolve));
  });
  while (Atomics.load(words, ARRIVED) < threads - 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const sorted = rounds(setup, 0).sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * ROUNDS)] ?? 0).toFixed(1);
  const runtime = process.versions["bun"] === undefined ? "deno" : "bun";
  const figures = `${at(0.5).padStart(7)} ns  p10 ${at(0.1).padStart(6)}  p90 ${at(0.9).padStart(6)}`;
  console.log(`${runtime.padEnd(5)} ${figures}  ${threads} threads  ${variant}`);
  await Promise.all(ended);
}

if (isMainThread) {
  for (const threads of [1, 2, 4]) {
    for (const variant of VARIANTS) await run(variant, threads);
  }
} else {
  const { setup, thread } = workerData as { setup: Setup; thread: number };
  rounds(setup, thread);
}
