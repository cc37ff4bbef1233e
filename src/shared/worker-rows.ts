/** What main and the acceptor know of each worker: is it alive, how busy, asleep or not. */
import { WorkerRow, WorkerState } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/** A worker that has not turned its loop for this long gets no new connections. */
export const HEARTBEAT_MISSED_MS = 1_000;

export type WorkerField = keyof (typeof WorkerRow)["$fields"];

const FIELDS = Object.keys(WorkerRow.$fields) as WorkerField[];

export class WorkerRows {
  readonly count: number;
  readonly #words: Words;
  readonly #base: number;

  constructor(memory: Memory) {
    this.#words = memory.words;
    this.#base = memory.layout.workerRows;
    this.count = memory.layout.workers;
  }

  /** Sets one field; see the writers in layout.ts. */
  set(worker: number, field: WorkerField, value: number): void {
    Atomics.store(this.#words, this.#word(worker, field), value | 0);
  }

  /** Reads one field as an unsigned number. */
  get(worker: number, field: WorkerField): number {
    return Atomics.load(this.#words, this.#word(worker, field)) >>> 0;
  }

  /** Reads `wakeFd` or `pollFd`; -1 when there is none. */
  fd(worker: number, field: "wakeFd" | "pollFd"): number {
    return Atomics.load(this.#words, this.#word(worker, field));
  }

  /** Takes a field's value and leaves 0. */
  take(worker: number, field: "fault" | "sleeping"): number {
    return Atomics.exchange(this.#words, this.#word(worker, field), 0) >>> 0;
  }

  /** Adds to a gauge of the worker's own. Only the worker itself calls this. */
  add(worker: number, field: "connections" | "pooled" | "inFlight", delta: number): void {
    Atomics.add(this.#words, this.#word(worker, field), delta);
  }

  /** Returns whether the worker may be given a connection at `nowMs`. */
  isServing(worker: number, nowMs: number): boolean {
    if (this.get(worker, "state") !== WorkerState.ready) return false;
    // A beat may lie ahead of `nowMs`: the threads read their clocks at different moments.
    const silentMs = (nowMs - this.get(worker, "beatMs")) | 0;
    return Math.abs(silentMs) < HEARTBEAT_MISSED_MS;
  }

  /** Clears what a dead worker left, but its `wakeFd`; its counters live elsewhere and stay. */
  clear(worker: number): void {
    for (const field of FIELDS) {
      // Whoever wakes the worker meanwhile must not find descriptor 0.
      if (field !== "wakeFd") this.set(worker, field, field === "pollFd" ? -1 : 0);
    }
  }

  #word(worker: number, field: WorkerField): number {
    return this.#base + worker * WorkerRow.$stride + WorkerRow[field];
  }
}
