/**
 * A thread's event loop: wait for sockets, serve them, expire timers, run what was put off. It
 * blocks in epoll_wait, not in the runtime's loop; every TURN_MS it lets
 * the runtime have a turn of its own (messages, garbage collection, the pool's book-keeping).
 */
import { TimerWheel } from "../lib/timer-wheel.ts";
import type { Arena } from "./arena.ts";
import { Clock } from "./clock.ts";
import { type Pollable, Poller } from "./poller.ts";
import { runtime } from "./runtime.ts";

/** Longest block, so that a thread's heartbeat is never older. */
export const BLOCK_MS_MAX = 250;
/** Time between two turns of the runtime's own loop while sockets keep this one busy. */
const TURN_MS = 100;

/** Something that wants to run again at the end of this turn, when scratch memory is free. */
export interface Deferred extends Pollable {
  isDeferred: boolean;
  onDeferred(): void;
}

export class Loop {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly poller: Poller;
  readonly timers: TimerWheel;
  /** Called when a handler threw, after it was told to close. */
  onFault: (error: unknown) => void = () => {};
  /** Called before the loop may block; returns false to keep it from blocking. */
  mayBlock: () => boolean = () => true;
  /** Called once per turn, after the events. */
  onTurn: () => void = () => {};
  /** When this turn began to work, on the clock of `performance.now`. */
  wokeMs = 0;
  /** Events that this turn had. */
  events = 0;
  #deferred: Deferred[] = [];
  #running: Deferred[] = [];
  #stopped = false;

  constructor(arena: Arena) {
    this.arena = arena;
    this.clock = new Clock(arena);
    this.poller = new Poller(arena);
    this.timers = new TimerWheel(this.clock.nowMs);
  }

  /** Runs until `stop`. Never returns to the runtime for longer than one turn of its own loop. */
  async run(): Promise<void> {
    runtime.forgetLoading();
    let turnedMs = this.clock.nowMs;
    while (!this.#stopped) {
      this.turn();
      if (this.clock.nowMs - turnedMs >= TURN_MS) {
        turnedMs = this.clock.nowMs;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** One turn: events, timers, what was put off. */
  turn(): void {
    const poller = this.poller;
    const count = poller.wait(this.#timeoutMs());
    this.clock.read();
    this.wokeMs = performance.now();
    this.events = count;
    for (let i = 0; i < count; i++) {
      const handler = poller.handler(i);
      if (handler === null) continue;
      try {
        handler.onEvents(poller.events(i));
      } catch (error) {
        this.#fault(handler, error);
      }
    }
    this.timers.advance(this.clock.nowMs);
    this.#runDeferred();
    this.onTurn();
  }

  /** Something is put off until the next turn. */
  get hasDeferred(): boolean {
    return this.#deferred.length > 0;
  }

  /** Runs `deferred.onDeferred` at the end of this turn, once however often it is asked for. */
  defer(deferred: Deferred): void {
    if (deferred.isDeferred) return;
    deferred.isDeferred = true;
    this.#deferred.push(deferred);
  }

  /** Runs `work` and treats what it throws as a fault of `handler`; for timers and callbacks. */
  guard(handler: Pollable, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault(handler, error);
    }
  }

  #timeoutMs(): number {
    if (this.#deferred.length > 0 || !this.mayBlock()) return 0;
    return this.timers.nextInMs(this.clock.nowMs, BLOCK_MS_MAX);
  }

  /** What is put off while this runs waits for the next turn, so that sockets get theirs. */
  #runDeferred(): void {
    if (this.#deferred.length === 0) return;
    const running = this.#deferred;
    this.#deferred = this.#running;
    this.#running = running;
    for (const deferred of running) {
      deferred.isDeferred = false;
      try {
        deferred.onDeferred();
      } catch (error) {
        this.#fault(deferred, error);
      }
    }
    running.length = 0;
  }

  #fault(handler: Pollable, error: unknown): void {
    handler.onFault();
    this.onFault(error);
  }
}
