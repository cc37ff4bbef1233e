/**
 * What a request costs the balancer (pick, acquire, answered, observe, release) with 1, 2 and 4 workers
 * that do it at the same time on the same shared rows, without pause: far more contention than traffic
 * makes. Threads run the same batch round after round; a round's figure is the mean of its threads, in
 * nanoseconds of wall time per request. With more threads than cores that contains waiting for a core.
 */
import process from "node:process";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Balancer } from "../../src/balancer/balancer.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { printMeasurement, runtimeName } from "./measure.ts";

const BATCH = 20_000;
const ROUNDS = 60;
/** Until then the compilers are at work. */
const WARM_UP_ROUNDS = 30;
const CALLS_PER_MS = 16;
const NONE: readonly Endpoint[] = [];
/** Words of the barrier, and where threads leave their times, nanoseconds per batch. */
const ARRIVED = 0;
const TIMES = 16;

interface Setup {
  readonly memory: SharedArrayBuffer;
  readonly meeting: Int32Array<SharedArrayBuffer>;
  readonly endpoints: number;
  readonly threads: number;
}

/** Spins, as a thread that slept would come back late, and a round is milliseconds. */
function meet(words: Int32Array<SharedArrayBuffer>, threads: number, count: number): void {
  Atomics.add(words, ARRIVED, 1);
  while (Atomics.load(words, ARRIVED) < threads * count) {}
}

/** Runs all rounds; returns each round's mean over the threads, nanoseconds per request. */
function rounds({ memory, meeting, endpoints: count, threads }: Setup, thread: number): number[] {
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoints = Array.from({ length: count }, (_, row): Endpoint => {
    return { row, series: row, ip, port: 8_000 + row, speaks: "any", peer: null };
  });
  const balancer = new Balancer(new EndpointRows(attach(memory)), thread, xorshift32(thread + 1));
  let calls = 0;
  const request = (): void => {
    const nowMs = 20_000 + Math.floor(calls++ / CALLS_PER_MS);
    const chosen = balancer.pick(endpoints, nowMs, NONE);
    if (chosen === null) return;
    balancer.acquire(chosen, nowMs);
    balancer.answered(chosen);
    balancer.observe(chosen, 900 + (calls & 255), nowMs);
    balancer.release(chosen, true);
  };
  const means: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    meet(meeting, threads, 2 * round + 1);
    const begun = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) request();
    Atomics.store(meeting, TIMES + thread, Number(process.hrtime.bigint() - begun));
    meet(meeting, threads, 2 * round + 2);
    const times = Array.from({ length: threads }, (_, i) => Atomics.load(meeting, TIMES + i));
    means.push(times.reduce((total, ns) => total + ns, 0) / threads / BATCH);
  }
  return means.slice(WARM_UP_ROUNDS);
}

async function run(endpoints: number, threads: number): Promise<void> {
  const meeting = new Int32Array(new SharedArrayBuffer(128));
  const { buffer } = allocate(threads).words;
  const setup: Setup = { memory: buffer, meeting, endpoints, threads };
  const ended = Array.from({ length: threads - 1 }, (_, i) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { setup, thread: i + 1 } });
    return new Promise((resolve) => worker.on("exit", resolve));
  });
  while (Atomics.load(meeting, ARRIVED) < threads - 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const sorted = rounds(setup, 0).sort((a, b) => a - b);
  await Promise.all(ended);
  printMeasurement({
    name: `request to one of ${endpoints}, ${threads} workers contending`,
    runtime: runtimeName(),
    samples: ROUNDS,
    batch: BATCH,
    medianNs: sorted[ROUNDS >> 1] ?? Number.NaN,
    p99Ns: sorted.at(-1) ?? Number.NaN,
  });
}

if (isMainThread) {
  for (const endpoints of [3, 30, 300]) {
    for (const threads of [1, 2, 4]) await run(endpoints, threads);
  }
} else {
  const { setup, thread } = workerData as { setup: Setup; thread: number };
  rounds(setup, thread);
}
