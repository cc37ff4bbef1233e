/** A thread that stands still for a moment, on purpose. */
import { libc } from "./libc.ts";

/** prctl(2). */
const PR_SET_TIMERSLACK = 29;
const SLACK_NS = 1_000;

/** From now on this thread's waits end when they should: Linux may add 50 µs, unless told otherwise. */
export function sharpenWaits(): void {
  libc.prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
}

/** Waits so many microseconds, or less when a signal comes. */
export function pause(us: number): void {
  libc.usleep(us);
}
