/**
 * Where one try of a request was sent already, and whether it may be sent once more: on another
 * endpoint, because connecting failed or the endpoint refused to look at it, or on a new connection,
 * because a reused one had died. Tries that a route asks for are another thing, see course.ts.
 */
import type { Endpoint } from "../mesh/snapshot.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";

const NONE_TRIED: readonly Endpoint[] = [];

export class Attempts {
  /** It was sent on a reused connection that had died; the next one is a new one. */
  isRetried = false;
  /** Monotonic milliseconds: when the request came. */
  startedMs = 0;
  /** Monotonic milliseconds; later it is not sent any more. */
  deadlineMs = 0;
  /** It was not sent before: the snapshot is the one that it was routed by. */
  isFirst = true;
  #tried: Endpoint[] = [];
  #refusals = 0;

  begin(nowMs: number): void {
    this.startedMs = nowMs;
    this.again(nowMs);
    this.isFirst = true;
  }

  /** Another try, by its route's retry policy: it has all the chances anew. */
  again(nowMs: number): void {
    this.isFirst = false;
    this.isRetried = false;
    this.deadlineMs = nowMs + FAILFAST_MS;
    if (this.#tried.length > 0) this.#tried = [];
    this.#refusals = 0;
  }

  /** Endpoints that could not be connected to. */
  get tried(): readonly Endpoint[] {
    return this.#tried.length === 0 ? NONE_TRIED : this.#tried;
  }

  isOver(nowMs: number): boolean {
    return this.#tried.length >= TRIES_MAX || nowMs > this.deadlineMs;
  }

  connectFailed(endpoint: Endpoint): void {
    this.isFirst = false;
    this.#tried.push(endpoint);
  }

  /** The endpoint left its service before there was a connection to it. Time alone bounds this. */
  moved(): void {
    this.isFirst = false;
  }

  /** A reused connection had died. False: that was so before. */
  raced(): boolean {
    if (this.isRetried) return false;
    this.isFirst = false;
    this.isRetried = true;
    return true;
  }

  /** An endpoint refused to look at the request. False: that was once too often. */
  refused(): boolean {
    this.isFirst = false;
    return ++this.#refusals <= TRIES_MAX;
  }
}
