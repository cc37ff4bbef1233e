/**
 * Threads for tests of shared memory. A thread is a file that calls `serve` with its roles; the test
 * starts a role of it with `start` and awaits what that returns or throws. Threads meet at barriers
 * in a SharedArrayBuffer of the test's own, so that they contend instead of running in turn.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";

/** A barrier that nobody else reaches in this time says that the other thread is dead. */
const BARRIER_MS_MAX = 10_000;
/** Fruitless polls before `Idle` lets the other threads have the processor. */
const SPINS_MAX = 200;
const YIELD_MS = 1;

type Answer<T> = { readonly result: T } | { readonly fault: string };

/** Runs `role` of a thread's file with `input`, which is cloned but for SharedArrayBuffers. */
export function start<T>(file: URL, role: string, input: unknown): Promise<T> {
  const worker = new Worker(file, { workerData: { role, input } });
  return new Promise<T>((resolve, reject) => {
    worker.on("message", (answer: Answer<T>) => {
      if ("fault" in answer) reject(new Error(`${role}: ${answer.fault}`));
      else resolve(answer.result);
      // The thread has nothing more to say, and one that is left would keep the process.
      void worker.terminate();
    });
    worker.on("error", (error) => reject(error));
    worker.on("exit", (code) => reject(new Error(`${role}: exit ${code} without an answer`)));
  });
}

/** Makes this file a thread's: runs the role it was started for and answers what that returns. */
export function serve<I>(roles: Readonly<Record<string, (input: I) => unknown>>): void {
  const { role, input } = workerData as { role: string; input: I };
  let answer: Answer<unknown>;
  try {
    const run = roles[role];
    if (run === undefined) throw new Error("no such role");
    answer = { result: run(input) };
  } catch (error) {
    answer = { fault: error instanceof Error ? String(error.stack) : String(error) };
  }
  parentPort?.postMessage(answer);
}

/** Where `parties` threads wait for each other, as often as they like. All zeroes at the start. */
export class Barrier {
  static readonly BYTES = 8;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #parties: number;

  constructor(buffer: SharedArrayBuffer, parties: number, byteOffset = 0) {
    this.#words = new Int32Array(buffer, byteOffset, 2);
    this.#parties = parties;
  }

  /** Returns when all parties have arrived; throws when one does not come. */
  arrive(): void {
    const words = this.#words;
    const round = Atomics.load(words, 1);
    if (Atomics.add(words, 0, 1) + 1 === this.#parties) {
      Atomics.store(words, 0, 0);
      Atomics.add(words, 1, 1);
      Atomics.notify(words, 1);
      return;
    }
    while (Atomics.load(words, 1) === round) {
      if (Atomics.wait(words, 1, round, BARRIER_MS_MAX) === "timed-out") {
        throw new Error("barrier: the other threads did not come");
      }
    }
  }
}

/** For a thread that polls: spins first, then gives way, since there may be fewer cores than threads. */
export class Idle {
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #spins = 0;

  /** The poll found something. */
  busy(): void {
    this.#spins = 0;
  }

  /** The poll found nothing. */
  wait(): void {
    if (++this.#spins > SPINS_MAX) Atomics.wait(this.#never, 0, 0, YIELD_MS);
  }
}
