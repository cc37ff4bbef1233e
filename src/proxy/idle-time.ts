/**
 * How long an endpoint keeps an idle connection of HTTP/1, learned from those that it closed and those
 * that it did not, so that no request is sent on one that is being closed at that moment: who sends
 * there learns only that it is gone, and not whether the request was looked at.
 *
 * Nothing is asked of the endpoint. A connection that is too old to be used lies in the pool for
 * POOL_IDLE_MS all the same, which costs nothing, and shows when it is closed. What all workers saw is
 * one number in the endpoint's row:
 *
 *   0              nothing yet: what cannot be repeated goes on a connection that idled SURE_IDLE_MS
 *   less           idle connections were closed at this age; used up to a quarter below
 *   POOL_IDLE_MS   they are kept for as long as we keep them
 *
 * The first close counts for half its age: once seen it may be any of the ages of a server whose time
 * is random, or have been seen late. An earlier close counts at once. A later one, or none, moves the
 * number a little: a server that was restarted closed its connections at any age.
 */
import { Timer } from "../lib/timer-wheel.ts";
import type { Context } from "./context.ts";
import { POOL_IDLE_MARGIN_MS, POOL_IDLE_MS, SURE_IDLE_MS } from "./limits.ts";

/** Closed younger than this it was not for its age: a server that ends, or takes one request only. */
const AGE_MIN_MS = 20;
/** Of the way to a later close. */
const RISE = 1 / 32;

/** Returns what is known once a connection was seen to end at `ageMs`, or to live to POOL_IDLE_MS. */
export function learnedIdleMs(knownMs: number, ageMs: number): number {
  if (ageMs < AGE_MIN_MS) return knownMs;
  const seenMs = Math.min(Math.round(ageMs), POOL_IDLE_MS);
  if (knownMs === 0) return seenMs === POOL_IDLE_MS ? seenMs : Math.ceil(seenMs / 2);
  if (seenMs <= knownMs) return seenMs;
  return Math.min(knownMs + Math.ceil((seenMs - knownMs) * RISE), POOL_IDLE_MS);
}

/** Returns to what age a connection may be used, where connections are kept for `knownMs` (> 0). */
export function safeIdleMs(knownMs: number): number {
  return knownMs - Math.min(knownMs / 4, POOL_IDLE_MARGIN_MS);
}

/** The idle time of one connection. */
export class IdleTime {
  readonly #context: Context;
  readonly #row: number;
  readonly #timer: Timer;
  /** What the endpoint says itself (`Keep-Alive`); -1: nothing. */
  #toldMs = -1;
  #sinceMs = 0;
  /** Age when it was last used again; -1: it was not. */
  #usedAtMs = -1;

  /** `over` is called when the connection has idled for as long as it is kept. */
  constructor(context: Context, row: number, over: () => void) {
    this.#context = context;
    this.#row = row;
    this.#timer = new Timer(() => {
      if (this.limitMs === POOL_IDLE_MS) this.#learn(POOL_IDLE_MS);
      over();
    });
  }

  get #nowMs(): number {
    return this.#context.io.loop.clock.nowMs;
  }

  /** The endpoint says that it keeps the connection so long; -1: it says nothing. */
  told(seconds: number): void {
    if (seconds >= 0) this.#toldMs = seconds * 1_000 - POOL_IDLE_MARGIN_MS;
  }

  /** How long it is kept; 0 or less: not at all. */
  get limitMs(): number {
    return this.#toldMs === -1 ? POOL_IDLE_MS : Math.min(this.#toldMs, POOL_IDLE_MS);
  }

  begin(): void {
    this.#sinceMs = this.#nowMs;
    this.#context.io.loop.timers.arm(this.#timer, this.#sinceMs + this.limitMs);
  }

  /** `mayRepeat`: the request that it is for can be sent again if the connection is dying. */
  isUsable(mayRepeat: boolean): boolean {
    const ageMs = this.#nowMs - this.#sinceMs;
    const knownMs = this.#context.endpoints.keptIdleMs(this.#row);
    if (knownMs > 0) return ageMs < safeIdleMs(knownMs);
    return mayRepeat || ageMs < SURE_IDLE_MS || this.#toldMs !== -1;
  }

  /** It is used, for the first time or again. */
  end(isReused: boolean): void {
    this.#usedAtMs = isReused ? this.#nowMs - this.#sinceMs : -1;
    this.cancel();
  }

  /** It idles no more. */
  cancel(): void {
    this.#context.io.loop.timers.disarm(this.#timer);
  }

  /** The endpoint closed it idle. */
  closed(): void {
    this.#learn(this.#nowMs - this.#sinceMs);
  }

  /** The endpoint closed it before it answered a byte: if it was reused, it was too old for that. */
  raced(): void {
    if (this.#usedAtMs !== -1) this.#learn(this.#usedAtMs);
  }

  #learn(ageMs: number): void {
    const { endpoints } = this.#context;
    const knownMs = endpoints.keptIdleMs(this.#row);
    const learnedMs = learnedIdleMs(knownMs, ageMs);
    if (learnedMs !== knownMs) endpoints.keepsIdle(this.#row, learnedMs);
  }
}
