/** How often and where a request was sent already, and whether it may be sent once more. */
import type { Endpoint } from "../mesh/snapshot.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";

const NONE_TRIED: readonly Endpoint[] = [];

export class Attempts {
  /** It was sent on a reused connection that had died; the next one is a new one. */
  isRetried = false;
  /** Monotonic milliseconds; later it is not sent any more. */
  deadlineMs = 0;
  #tried: Endpoint[] = [];
  #refusals = 0;

  begin(nowMs: number): void {
    this.isRetried = false;
    this.deadlineMs = nowMs + FAILFAST_MS;
    if (this.#tried.length > 0) this.#tried = [];
    this.#refusals = 0;
  }

  /** Endpoints that could not be connected to. */
  get tried(): readonly Endpoint[] {
    return this.#tried.length === 0 ? NONE_TRIED : this.#tried;
  }

  get isFirst(): boolean {
    return this.#tried.length === 0 && !this.isRetried && this.#refusals === 0;
  }

  isOver(nowMs: number): boolean {
    return this.#tried.length >= TRIES_MAX || nowMs > this.deadlineMs;
  }

  connectFailed(endpoint: Endpoint): void {
    this.#tried.push(endpoint);
  }

  /** An endpoint refused to look at the request. False: that was once too often. */
  refused(): boolean {
    return ++this.#refusals <= TRIES_MAX;
  }
}
