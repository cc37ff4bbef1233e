/** Allocating the shared memory, and attaching to it from another thread. */
import {
  Header,
  LAYOUT_MAGIC,
  LAYOUT_VERSION,
  type Layout,
  layoutFor,
  WorkerRow,
} from "./layout.ts";

export type Words = Int32Array<SharedArrayBuffer>;

export type Memory = {
  readonly words: Words;
  readonly layout: Layout;
};

/** Allocates the memory for `workers` workers. Pages that nobody touches cost nothing. */
export function allocate(workers: number): Memory {
  const layout = layoutFor(workers);
  const words = new Int32Array(new SharedArrayBuffer(layout.words * 4));
  for (let worker = 0; worker < workers; worker++) {
    // 0 would be a descriptor, and not one of ours.
    const row = layout.workerRows + worker * WorkerRow.$stride;
    Atomics.store(words, row + WorkerRow.wakeFd, -1);
    Atomics.store(words, row + WorkerRow.pollFd, -1);
  }
  Atomics.store(words, Header.version, LAYOUT_VERSION);
  Atomics.store(words, Header.workers, workers);
  Atomics.store(words, Header.magic, LAYOUT_MAGIC);
  return { words, layout };
}

/** Adopts memory that another thread allocated. Throws if the two disagree on the layout. */
export function attach(buffer: SharedArrayBuffer): Memory {
  const words = new Int32Array(buffer);
  if (Atomics.load(words, Header.magic) !== LAYOUT_MAGIC) throw new Error("shared memory: magic");
  const version = Atomics.load(words, Header.version);
  if (version !== LAYOUT_VERSION) {
    throw new Error(`shared memory: version ${version}, want ${LAYOUT_VERSION}`);
  }
  const layout = layoutFor(Atomics.load(words, Header.workers));
  if (words.length !== layout.words) {
    throw new Error(`shared memory: ${words.length} words, want ${layout.words}`);
  }
  return { words, layout };
}

/** Marks the process as draining, up to one of DrainPhase. Monotonic. */
export function startDraining(memory: Memory, phase: number): void {
  Atomics.store(memory.words, Header.draining, phase);
}

/** Returns one of DrainPhase. */
export function drainPhase(memory: Memory): number {
  return Atomics.load(memory.words, Header.draining);
}

/**
 * Blocks this thread for `milliseconds` or until another notifies word `index`. Only for tests and
 * for threads that own no socket.
 */
export function park(words: Words, index: number, value: number, milliseconds: number): void {
  Atomics.wait(words, index, value, milliseconds);
}
