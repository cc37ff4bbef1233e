/**
 * A request whose connection the endpoint closed before it answered a byte, as happens when both sides
 * act within the time that bytes are on their way: the endpoint ends an idle connection, or restarts,
 * while a request is coming. The kernel tells whether anybody can have read it (net/fate.ts), so that
 * also one that may not be done twice goes to another connection. Its verdict comes with a reset, a
 * round trip after the request; one that may be done twice does not wait for it.
 */
import { Timer } from "../lib/timer-wheel.ts";
import type { Connection, Io } from "../net/connection.ts";
import { type Fate, fateOfSent } from "../net/fate.ts";
import { VERDICT_MS } from "./limits.ts";

export class Unanswered {
  readonly #io: Io;
  readonly #connection: Connection;
  readonly #sentBefore: number;
  readonly #timer: Timer;
  #fate: Fate = "unknown";

  /**
   * The end of `connection` was read; `sentBefore` bytes were sent on it before the request. `over` is
   * called when a verdict that is waited for does not come.
   */
  constructor(io: Io, connection: Connection, sentBefore: number, over: () => void) {
    this.#io = io;
    this.#connection = connection;
    this.#sentBefore = sentBefore;
    if (connection.bytesWritten === sentBefore) this.#fate = "unread";
    else if (connection.tls === null) this.#fate = "open";
    this.#timer = new Timer(() => {
      this.#fate = "unknown";
      io.loop.guard(connection, over);
    });
  }

  /** Nobody has read any of it. */
  get isUnread(): boolean {
    this.#look();
    return this.#fate === "unread";
  }

  /** Waits for the verdict, until something happens on the connection or `over`. False: it is known. */
  awaitVerdict(): boolean {
    this.#look();
    if (this.#fate !== "open") return false;
    const { timers, clock } = this.#io.loop;
    if (this.#timer.deadlineMs === 0) timers.arm(this.#timer, clock.nowMs + VERDICT_MS);
    return true;
  }

  cancel(): void {
    this.#io.loop.timers.disarm(this.#timer);
  }

  /** A verdict can be had once: it uses up the socket's error. */
  #look(): void {
    if (this.#fate !== "open") return;
    this.#fate = fateOfSent(this.#io.arena, this.#connection.fd, this.#sentBefore);
  }
}
