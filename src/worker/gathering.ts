/**
 * When to wait a moment before the next look at the sockets, so that more comes to share it. The requests
 * of an HTTP/2 connection that come in one turn share a read, and their answers a write. Yet a worker
 * that is busy, but not all of the time, looks as soon as one has come, and every request has a turn of
 * its own: 1.1 events in each, with 80 streams under way. With a pause of 60 µs a request took 13.5 µs of
 * CPU instead of 18.0, and as it waits less for others 1.68 ms instead of 1.77 (bench/README.md). A
 * connection of HTTP/1 has nothing to share; there a pause only delays. And whoever has little to do, or
 * so much that turns fill by themselves, needs none.
 */
import type { Loop } from "../net/loop.ts";
import { pause } from "../net/pause.ts";

/** The pause, µs: the most that it adds to a request, each time that it waits for a turn. */
export const GATHER_US = 60;
/** It is judged by what was in the last so many milliseconds. */
const WINDOW_MS = 5;
/** Less work than this part of the time, and latency counts for more than CPU. */
const WORK_PART_MIN = 0.4;
/** With more events a turn is shared anyway. */
const EVENTS_MAX = 3;
/** Pauses bring the work down and the events up, and shall not thereby end: then half and twice as much. */
const EASE = 2;
/** So many turns must have written to a connection that streams share. */
const SHARED_PART_MIN = 0.5;

export class Gathering {
  #isOn = false;
  #sinceMs = 0;
  #workUs = 0;
  #turns = 0;
  #events = 0;
  #sharedBefore = 0;

  /**
   * At the end of each turn: what its clock says, how long it worked, how many events it had, and how
   * often in all something was written to a connection with SHARED_STREAMS_MIN streams. Returns whether
   * to pause. All are whole numbers, for which V8 makes no object.
   */
  onTurn(nowMs: number, workUs: number, events: number, sharedWrites: number): boolean {
    this.#workUs += workUs;
    this.#turns++;
    this.#events += events;
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < WINDOW_MS) return this.#isOn;
    const turns = this.#turns;
    const ease = this.#isOn ? EASE : 1;
    this.#isOn =
      ease * this.#workUs >= WORK_PART_MIN * 1e3 * elapsedMs &&
      this.#events <= ease * EVENTS_MAX * turns &&
      sharedWrites - this.#sharedBefore >= SHARED_PART_MIN * turns;
    this.#sinceMs = nowMs;
    this.#workUs = 0;
    this.#turns = 0;
    this.#events = 0;
    this.#sharedBefore = sharedWrites;
    return this.#isOn;
  }
}

/** Pauses if that is worth while and nothing was put off; arguments as those of `Gathering.onTurn`. */
export function gather(
  gathering: Gathering,
  { clock, events, hasDeferred }: Loop,
  workUs: number,
  sharedWrites: number,
): void {
  if (gathering.onTurn(clock.nowMs, workUs, events, sharedWrites) && !hasDeferred) pause(GATHER_US);
}
