/**
 * Monotonic time, the same on every thread: CLOCK_MONOTONIC. Read once per turn of a loop, then
 * everything in that turn happens at the same instant.
 */
import { ARGUMENTS, type Arena } from "./arena.ts";
import { CLOCK_MONOTONIC } from "./constants.ts";
import { libc } from "./libc.ts";

/** Kept apart from the other arguments in the arena. */
const TIMESPEC = ARGUMENTS + 2_048;

export class Clock {
  /** Microseconds as of the last `read`. */
  nowUs = 0;
  /** Whole milliseconds as of the last `read`; not wrapped. */
  nowMs = 0;
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.read();
  }

  read(): void {
    libc.clock_gettime(CLOCK_MONOTONIC, this.#arena.address + TIMESPEC);
    const view = this.#arena.view;
    const seconds = view.getUint32(TIMESPEC, true);
    this.nowUs = seconds * 1e6 + Math.floor(view.getUint32(TIMESPEC + 8, true) / 1e3);
    this.nowMs = Math.floor(this.nowUs / 1e3);
  }

  /** Reads the clock and returns `nowMs`; for whoever has no loop that reads it. */
  readMs(): number {
    this.read();
    return this.nowMs;
  }
}
