/**
 * What a request's route asks for, while the request lasts: where its tries go, how many there may
 * be, and its limits of time, all with one timer.
 *
 *   limit            runs from                      until              then
 *   request timeout  the request's head             the response ends  504, or the response is cut
 *   response timeout the request's end              the response ends  the same
 *   idle timeout     what moves, either way         something moves    the same
 *   try timeout      a try's begin, connecting too  a response begins  the try is given up for another
 *   pause            a failed try                   –                  the next try begins
 *   rest             all endpoints refused          –                  the try goes on
 *
 * The first two cover all tries and pauses. The last try has no try timeout, and what becomes the
 * last because the request cannot be sent again or the budget is used up loses its own.
 */

import { backoffMs, FULL_JITTER } from "../lib/backoff.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { GRPC_STATUS, type Route } from "../mesh/policy.ts";
import type { Service } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";
import { REPEAT_BACKOFF_MAX_MS, REPEAT_BACKOFF_MIN_MS, RETRIES_MAX } from "./limits.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { chooseBackend } from "./route-match.ts";

export interface CourseEvents {
  /** The request or response took longer than its route allows, or nothing moved for too long. */
  onTimeout(code: "route-timeout" | "idle-timeout"): void;
  /** Is another number whenever something moved. */
  readonly progress: number;
  /** No response has begun in a try's time. */
  onTryTimeout(): void;
  /** The pause is over. `isNext`: for the next try; else the one that was under way goes on. */
  onPauseOver(isNext: boolean): void;
  /** One of the above threw. */
  onFault(): void;
}

/** No deadline. */
const NEVER = 0;

/** Of a request whose service has no routes: it may rest, and no more. */
export const PLAIN_ROUTE: Route = {
  matches: [],
  backends: [],
  requestTimeoutMs: 0,
  responseTimeoutMs: 0,
  retry: null,
};

export class Course {
  readonly #context: Context;
  readonly #events: CourseEvents;
  readonly #timer: Timer;
  /** Some of the limits are what the request wants itself. */
  isAsked = false;
  #route: Route | null = null;
  #budget: RetryBudget | null = null;
  /** The service that this try goes to; null: the route's own. */
  #backend: string | null = null;
  #retries = 0;
  /** The pause is before the same try, not before the next. */
  #isRest = false;
  #requestEndMs = NEVER;
  #responseEndMs = NEVER;
  #idleMs = 0;
  #idleEndMs = NEVER;
  #isIdling = false;
  #progress = 0;
  #tryEndMs = NEVER;
  #pauseEndMs = NEVER;

  constructor(context: Context, events: CourseEvents) {
    this.#context = context;
    this.#events = events;
    const self = { onEvents: () => {}, onFault: () => events.onFault() };
    this.#timer = new Timer(() => context.io.loop.guard(self, () => this.#onTimer()));
  }

  /** Starts with a request whose head came at `headMs`, and its first try. */
  begin(route: Route, budget: RetryBudget, headMs: number, limitMs: number | null = null): void {
    const { idleTimeoutMs = 0 } = route;
    const requestTimeoutMs = leastOf(route.requestTimeoutMs, limitMs);
    this.#route = route;
    this.#retries = 0;
    this.#requestEndMs = requestTimeoutMs > 0 ? headMs + requestTimeoutMs : NEVER;
    this.#budget = budget;
    this.#idleMs = idleTimeoutMs;
    if (idleTimeoutMs > 0) this.#watchIdle();
    this.beginTry();
  }

  /** Each try chooses a backend for itself; those who connect in vain within it keep to that. */
  beginTry(): void {
    const { balancer, io } = this.#context;
    const route = this.#route;
    if (route === null) return;
    this.#backend = chooseBackend(route, balancer.random);
    const tryMs = this.#isLast ? 0 : (route.retry?.tryTimeoutMs ?? 0);
    this.#tryEndMs = tryMs > 0 ? io.loop.clock.nowMs + tryMs : NEVER;
    this.#arm();
  }

  /** All of the request was read. */
  requestEnded(): void {
    const limitMs = this.#route?.responseTimeoutMs ?? 0;
    if (limitMs <= 0) return;
    this.#responseEndMs = this.#context.io.loop.clock.nowMs + limitMs;
    this.#arm();
  }

  /** A response begins to be passed on: there are no more tries. */
  responseBegan(): void {
    if (this.#tryEndMs === NEVER) return;
    this.#tryEndMs = NEVER;
    this.#arm();
  }

  /** The request is over, whatever came of it. */
  end(): void {
    this.#route = null;
    this.#budget = null;
    this.#requestEndMs = NEVER;
    this.#responseEndMs = NEVER;
    this.#idleEndMs = NEVER;
    this.#tryEndMs = NEVER;
    this.#pauseEndMs = NEVER;
    this.#context.io.loop.timers.disarm(this.#timer);
  }

  /** Where this try goes, as of the newest snapshot; null: to the route's own service. */
  backendOf(service: Service): Service | null {
    return this.#backend === null ? null : this.#context.directory.backend(this.#backend, service);
  }

  /** Whether a response of `status`, or an error of ours in place of one, is worth another try. */
  isWorth(status: number, grpcStatus: number): boolean {
    return this.#isListed(status) || (grpcStatus > 0 && this.#isListed(GRPC_STATUS + grpcStatus));
  }

  #isListed(status: number): boolean {
    const retry = this.#route?.retry ?? null;
    if (retry === null || retry.limit === 0) return false;
    const { statuses } = retry;
    for (let i = 0; i < statuses.length; i++) {
      const range = statuses[i];
      if (range !== undefined && status >= range.from && status <= range.to) return true;
    }
    return false;
  }

  /** Its tries have a time of their own. */
  get limitsTries(): boolean {
    return (this.#route?.retry?.tryTimeoutMs ?? 0) > 0;
  }

  /** Takes one of the retries. False, and counted: there is none left, or none in the budget. */
  takeRetry(): boolean {
    const { io } = this.#context;
    if (this.#isLast) {
      this.#context.count("retry_limit_exceeded");
      return false;
    }
    if (this.#budget?.withdraw(io.loop.clock.nowMs) !== true) {
      this.#context.count("retry_budget_exceeded");
      return false;
    }
    this.#retries++;
    return true;
  }

  /** The try failed: the next one begins after a pause, of `leastMs` or more. */
  pause(leastMs: number): void {
    const { backoffMinMs = 0, backoffMaxMs = 0 } = this.#route?.retry ?? {};
    this.#tryEndMs = NEVER;
    this.#isRest = false;
    const waitMs = backoffMs(this.#retries, backoffMinMs, backoffMaxMs, this.#random, FULL_JITTER);
    this.#wait(Math.max(waitMs, leastMs));
  }

  /** The try goes on after a pause, the `times`th: nobody is there who was not asked just now. */
  rest(times: number): void {
    this.#isRest = true;
    const [minMs, maxMs] = [REPEAT_BACKOFF_MIN_MS, REPEAT_BACKOFF_MAX_MS];
    this.#wait(backoffMs(times, minMs, maxMs, this.#random, FULL_JITTER));
  }

  get #random(): () => number {
    return this.#context.balancer.random;
  }

  #wait(ms: number): void {
    this.#pauseEndMs = this.#context.io.loop.clock.nowMs + ms;
    this.#arm();
  }

  /** Looked at twice in its time, so that it is over after once and a half of it at the latest. */
  #watchIdle(): void {
    this.#isIdling = false;
    this.#progress = this.#events.progress;
    this.#idleEndMs = this.#context.io.loop.clock.nowMs + this.#idleMs / 2;
  }

  #isIdle(): boolean {
    const isIdling = this.#events.progress === this.#progress && this.#pauseEndMs === NEVER;
    if (isIdling && this.#isIdling) return true;
    this.#watchIdle();
    this.#isIdling = isIdling;
    return false;
  }

  get #isLast(): boolean {
    return this.#retries >= Math.min(this.#route?.retry?.limit ?? 0, RETRIES_MAX);
  }

  #arm(): void {
    const { timers } = this.#context.io.loop;
    let dueMs = earlier(this.#requestEndMs, this.#responseEndMs);
    dueMs = earlier(dueMs, earlier(this.#tryEndMs, this.#pauseEndMs));
    dueMs = earlier(dueMs, this.#idleEndMs);
    if (dueMs === NEVER) timers.disarm(this.#timer);
    else timers.arm(this.#timer, dueMs);
  }

  #onTimer(): void {
    const { nowMs } = this.#context.io.loop.clock;
    const isOver = earlier(this.#requestEndMs, this.#responseEndMs);
    if (isDue(isOver, nowMs)) return this.#events.onTimeout("route-timeout");
    if (isDue(this.#idleEndMs, nowMs) && this.#isIdle()) {
      return this.#events.onTimeout("idle-timeout");
    }
    const isPauseOver = isDue(this.#pauseEndMs, nowMs);
    // A try whose rest is over as well has not lost its limit by that: it is told next.
    const isTryOver = !isPauseOver && isDue(this.#tryEndMs, nowMs);
    if (isPauseOver) this.#pauseEndMs = NEVER;
    if (isTryOver) this.#tryEndMs = NEVER;
    this.#arm();
    if (isPauseOver) this.#events.onPauseOver(!this.#isRest);
    else if (isTryOver) this.#events.onTryTimeout();
  }
}

/** The lesser of two limits, of which 0 is none, and null too. */
function leastOf(aMs: number, bMs: number | null): number {
  if (bMs === null) return aMs;
  return aMs === 0 ? Math.max(1, bMs) : Math.min(aMs, Math.max(1, bMs));
}

function earlier(aMs: number, bMs: number): number {
  if (aMs === NEVER) return bMs;
  return bMs === NEVER ? aMs : Math.min(aMs, bMs);
}

function isDue(deadlineMs: number, nowMs: number): boolean {
  return deadlineMs !== NEVER && nowMs >= deadlineMs;
}
