/**
 * Where a request was sent already, and whether it may be sent once more although nothing asks for it
 * but what happened: connecting failed, the endpoint refused to look at it, or its connection broke
 * before a byte of the response came. Tries that a route asks for are another thing, see course.ts.
 */
import type { Balancer } from "../balancer/balancer.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";
import type { ServiceRoute } from "./router.ts";

const NONE: readonly Endpoint[] = [];

export class Attempts {
  /** It goes on a new connection: one that it was sent on had died. */
  wantsNew = false;
  /** Monotonic milliseconds: when the request came. */
  startedMs = 0;
  /** Monotonic milliseconds; later it is not sent any more. */
  deadlineMs = 0;
  /** It was not sent before: the snapshot is the one that it was routed by. */
  isFirst = true;
  /** It was sent again although an endpoint may have looked at it: that is done once. */
  isRepeated = false;
  #tried: Endpoint[] = [];
  #failed: Endpoint[] = [];
  #refusals = 0;

  begin(nowMs: number): void {
    this.startedMs = nowMs;
    this.isRepeated = false;
    if (this.#failed.length > 0) this.#failed = [];
    this.again(nowMs);
    this.isFirst = true;
  }

  /** Another try, by its route's retry policy: it has all the chances of being connected anew. */
  again(nowMs: number): void {
    this.isFirst = false;
    this.wantsNew = false;
    this.deadlineMs = nowMs + FAILFAST_MS;
    if (this.#tried.length > 0) this.#tried = [];
    this.#refusals = 0;
  }

  /** Endpoints that could not be connected to. */
  get tried(): readonly Endpoint[] {
    return this.#tried.length === 0 ? NONE : this.#tried;
  }

  /** Endpoints at which it came to nothing otherwise: they are chosen when there is no other. */
  get failed(): readonly Endpoint[] {
    return this.#failed.length === 0 ? NONE : this.#failed;
  }

  /** How often it was refused in this try. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Where it goes next; to one at which it came to nothing only when there is no other. */
  pick(
    balancer: Balancer,
    { isPool }: ServiceRoute,
    { endpoints }: Service,
    nowMs: number,
  ): Endpoint | null {
    const { failed, tried } = this;
    if (!isPool) return balancer.first(endpoints, tried);
    if (failed.length === 0) return balancer.pick(endpoints, nowMs, tried);
    const other = balancer.pick(endpoints, nowMs, [...tried, ...failed]);
    return other ?? balancer.pick(endpoints, nowMs, tried);
  }

  isOver(nowMs: number): boolean {
    return this.#tried.length >= TRIES_MAX || nowMs > this.deadlineMs;
  }

  /** There is one that it was not sent to yet. `endpoints`: by rows, of any snapshot. */
  hasOther(endpoints: readonly Endpoint[], but: Endpoint | null = null): boolean {
    for (let i = 0; i < endpoints.length; i++) {
      const row = endpoints[i]?.row ?? -1;
      if (row === but?.row) continue;
      if (!hasRow(this.#tried, row) && !hasRow(this.#failed, row)) return true;
    }
    return false;
  }

  connectFailed(endpoint: Endpoint): void {
    this.isFirst = false;
    this.#tried.push(endpoint);
  }

  /** It has waited for an endpoint: those that could not be connected to then may be back. */
  waited(): void {
    this.isFirst = false;
    if (this.#tried.length > 0) this.#tried = [];
  }

  /** It is to go by the newest snapshot: its endpoint has left, or it has waited. Time alone bounds this. */
  moved(): void {
    this.isFirst = false;
  }

  /** It came to nothing there, and the next endpoint is to be another one. */
  failedAt(endpoint: Endpoint | null): void {
    this.isFirst = false;
    if (endpoint !== null && !hasRow(this.#failed, endpoint.row)) this.#failed.push(endpoint);
  }

  /** Nobody has looked at it: refused, or not sent at all. False: that was once too often. */
  refused(): boolean {
    return ++this.#refusals <= TRIES_MAX;
  }
}

function hasRow(endpoints: readonly Endpoint[], row: number): boolean {
  for (let i = 0; i < endpoints.length; i++) if (endpoints[i]?.row === row) return true;
  return false;
}
