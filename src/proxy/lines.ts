/**
 * Requests and connections that found no endpoint to go to, in line by service: all of its endpoints
 * are out of reach, or it has just lost the last one. They wait for a restart to be over rather than
 * fail by it; Linkerd calls it the queue of a balancer, and its timeout failfast.
 *
 *   open ── nobody available for FAILFAST_MS ──▶ shut ── somebody is available ──▶ (no line)
 *     └──────────────── somebody is available: all go on ───────────────────────────▲
 *
 * While the line is open the first in it is sent to see whether an endpoint is back, whenever one may
 * be tried. Shut, nobody waits any more: who comes is told at once, but for the one who may try an
 * endpoint. So a service that is away costs each request nothing, and is used again as soon as one
 * request gets through. A line that nobody comes to for as long is forgotten: what was known of the service
 * is old by then, and who comes next waits like the first.
 */
import { Timer } from "../lib/timer-wheel.ts";
import type { Service } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS, LINE_SWEEP_MS, LINE_WOKEN_MAX, QUEUE_MAX } from "./limits.ts";

/**
 * What waiting does not mend: somebody is there who is not who it should be, or who has been waited for
 * already. Whoever found that out is told.
 */
const TOLD_AT_ONCE: ReadonlySet<ProxyErrorCode> = new Set([
  "tls-failed",
  "peer-untrusted",
  "connect-timeout",
]);

export interface LineWaiter {
  /** Monotonic milliseconds; later there is no use in going on. */
  readonly waitUntilMs: number;
  /** An endpoint may be there: to be picked, or waited for again. */
  onAvailable(): void;
  /** There is none, and none is waited for any more. */
  onNone(code: ProxyErrorCode): void;
  /** One of these threw. */
  onFault(): void;
}

class Line {
  readonly service: Service;
  readonly waiters = new Set<LineWaiter>();
  /** Monotonic milliseconds: since when there is nobody. */
  sinceMs: number;
  /** … and when somebody came last, or waited in vain. */
  askedMs = 0;
  isShut = false;

  constructor(service: Service, sinceMs: number) {
    this.service = service;
    this.sinceMs = sinceMs;
  }
}

type Surroundings = Pick<Context, "balancer" | "count" | "directory" | "io">;

export class Lines {
  readonly #context: Surroundings;
  readonly #timer: Timer;
  /** By the service's name. */
  readonly #lines = new Map<string, Line>();
  #waiting = 0;

  constructor(context: Surroundings) {
    this.#context = context;
    const self = { onEvents: () => {}, onFault: () => {} };
    this.#timer = new Timer(() => context.io.loop.guard(self, () => this.sweep()));
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting;
  }

  /**
   * Waits for an endpoint of `service`, of which the caller has found none; one of the waiter's callbacks
   * follows later. Returns why it may not wait, or null; `last` is what became of the caller before. A
   * service that never had endpoints, or has had none for long, is not waited for.
   */
  join(service: Service, waiter: LineWaiter, last: ProxyErrorCode): ProxyErrorCode | null {
    if (service.failure !== null) return service.failure;
    if (TOLD_AT_ONCE.has(last)) return last;
    const context = this.#context;
    const { nowMs } = context.io.loop.clock;
    const isEmpty = service.endpoints.length === 0;
    const sinceMs = isEmpty ? context.directory.emptiedMs(service) : nowMs;
    if (sinceMs === -1 || nowMs - sinceMs >= FAILFAST_MS) return last;
    let line = this.#lines.get(service.name);
    if (line === undefined) {
      line = new Line(service, sinceMs);
      this.#lines.set(service.name, line);
    }
    line.askedMs = nowMs;
    const code = this.#enter(line, waiter);
    this.#arm();
    return code;
  }

  #enter(line: Line, waiter: LineWaiter): ProxyErrorCode | null {
    if (line.isShut) return "unavailable";
    if (this.#waiting >= QUEUE_MAX) return "queue-full";
    this.#context.count("queue_waited");
    line.waiters.add(waiter);
    this.#waiting++;
    return null;
  }

  /** Waits no more; no callback follows. */
  leave(service: Service, waiter: LineWaiter): void {
    if (this.#lines.get(service.name)?.waiters.delete(waiter) === true) this.#waiting--;
  }

  /** Looks who can go on; called by itself while there are lines, and after each snapshot. */
  sweep(): void {
    if (this.#lines.size === 0) return;
    for (const [name, line] of [...this.#lines]) {
      this.#look(line);
      if (line.waiters.size === 0 && this.#isOver(line)) this.#lines.delete(name);
    }
    if (this.#lines.size > 0) this.#arm();
  }

  #look(line: Line): void {
    const { balancer, directory, io } = this.#context;
    const { nowMs } = io.loop.clock;
    const { endpoints } = directory.current(line.service);
    const outlook = balancer.outlook(endpoints, nowMs);
    if (outlook === "ready") {
      line.sinceMs = nowMs;
      line.isShut = false;
      return this.#wake(line, LINE_WOKEN_MAX);
    }
    if (nowMs - line.sinceMs >= FAILFAST_MS) return this.#shut(line);
    if (outlook === "trial") this.#wake(line, 1);
    for (const waiter of [...line.waiters]) {
      if (nowMs >= waiter.waitUntilMs) this.#dismiss(line, waiter, "failfast");
    }
  }

  /** Nothing is to be remembered of it: nobody asks any more, or somebody is available again. */
  #isOver(line: Line): boolean {
    const { balancer, directory, io } = this.#context;
    const { nowMs } = io.loop.clock;
    if (!directory.has(line.service) || nowMs - line.askedMs >= FAILFAST_MS) return true;
    const { endpoints } = directory.current(line.service);
    return balancer.outlook(endpoints, nowMs) === "ready";
  }

  /** Not all at once: an endpoint that has just come back would be met by all who waited. */
  #wake(line: Line, most: number): void {
    let left = most;
    for (const waiter of [...line.waiters]) {
      if (left-- === 0) return;
      this.#dismiss(line, waiter, null);
    }
  }

  #shut(line: Line): void {
    if (line.isShut) return;
    line.isShut = true;
    line.askedMs = this.#context.io.loop.clock.nowMs;
    this.#context.count("failfast_entered");
    for (const waiter of [...line.waiters]) this.#dismiss(line, waiter, "failfast");
  }

  #dismiss(line: Line, waiter: LineWaiter, code: ProxyErrorCode | null): void {
    // It may have left because of what another did who was told before it.
    if (!line.waiters.delete(waiter)) return;
    this.#waiting--;
    const handler = { onEvents: () => {}, onFault: () => waiter.onFault() };
    this.#context.io.loop.guard(handler, () => {
      if (code === null) waiter.onAvailable();
      else waiter.onNone(code);
    });
  }

  #arm(): void {
    const { clock, timers } = this.#context.io.loop;
    if (this.#timer.deadlineMs === 0) timers.arm(this.#timer, clock.nowMs + LINE_SWEEP_MS);
  }
}
