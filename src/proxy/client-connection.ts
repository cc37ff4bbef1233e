/**
 * What every client's connection has, whatever it speaks: its books (the worker's gauge, the
 * listener's counters, the set that a drain walks), its one timer, its wait for what the snapshot
 * lacks, and the way into a tunnel.
 */
import { Timer } from "../lib/timer-wheel.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { OUTPUT } from "../net/arena.ts";
import { Connection } from "../net/connection.ts";
import { denialOf } from "./admit.ts";
import type { Client, ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import type { Missing, Waiter } from "./directory.ts";
import { leavesIn } from "./draining.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS } from "./limits.ts";
import { startTunnel } from "./open-tunnel.ts";
import { recordClose } from "./outcome.ts";

export abstract class ClientConnection extends Connection implements Client {
  readonly context: Context;
  readonly origin: ClientOrigin;
  memberAt = -1;
  readonly #timer: Timer;
  /** When what the snapshot lacks must have come; 0: nothing is waited for. */
  #waitUntilMs = 0;
  #lateCode: ProxyErrorCode = "failfast";

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context.io, fd);
    this.context = context;
    this.origin = origin;
    this.#timer = new Timer(() => context.io.loop.guard(this, () => this.onTimer()));
  }

  /** Starts to serve; the connection is registered. */
  abstract begin(): void;
  abstract drain(): void;
  protected abstract onTimer(): void;
  /** Lets go of all but the connection itself; called once, before it closes. */
  protected abstract onClosing(): void;

  /** Requests are judged one by one; who holds something else open overrides this. */
  onPolicyChange(): void {}

  /** No further requests: the process drains, or what the client has proved is over. */
  protected get isLeaving(): boolean {
    const { context, origin } = this;
    if (leavesIn(context.drainPhase(), origin.kind)) return true;
    return this.tls !== null && context.mesh.wallMs >= this.provenUntilMs;
  }

  /** Those of its kind were told to leave already; who comes later tells itself. */
  protected get isDraining(): boolean {
    return leavesIn(this.context.drainedTo, this.origin.kind);
  }

  /** Moves the one deadline. */
  protected arm(ms: number): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + ms);
  }

  /**
   * Waits for what the snapshot lacks: `waiter` is told of the next one, and `onTimer` is called when
   * FAILFAST_MS are over, from the first of several waits on. False: too many wait already.
   */
  protected waitFor(missing: Missing, waiter: Waiter): boolean {
    if (!this.context.directory.wait(missing, waiter)) return false;
    const { nowMs } = this.io.loop.clock;
    if (this.#waitUntilMs === 0) this.#waitUntilMs = nowMs + FAILFAST_MS;
    this.#lateCode = missing.kind === "port" ? "policy-unknown" : "failfast";
    this.arm(Math.max(this.#waitUntilMs - nowMs, 0));
    return true;
  }

  /** The wait is over. Returns what to say if that is because it was too long. */
  protected endWait(): ProxyErrorCode {
    this.#waitUntilMs = 0;
    return this.#lateCode;
  }

  override close(): void {
    if (!this.isOpen) return;
    this.#leave();
    super.close();
  }

  override reset(): void {
    if (!this.isOpen) return;
    this.#leave();
    super.reset();
  }

  #leave(): void {
    this.onClosing();
    this.retire();
    recordClose(this.context, this.origin.series, this.bytesRead, this.bytesWritten);
    this.context.rows.add(this.context.worker, "connections", -1);
  }

  /** This object's part is over; the descriptor may live on with another. */
  retire(): void {
    this.io.loop.timers.disarm(this.#timer);
    this.context.clients.delete(this);
  }

  /**
   * Gives this connection to a tunnel with `server`. `early` bytes were read already. The caller
   * has entered (Context.enter) and holds the endpoint's place; both are given back in the end. A
   * client that a snapshot has shut out meanwhile is cut, and nothing of it goes on. `authority` is
   * what the client wanted.
   */
  protected joinTunnel(
    server: Connection,
    endpoint: Endpoint,
    early: { readonly start: number; readonly end: number } | null,
    authority: string | null = this.origin.authority,
  ): void {
    const { context, origin } = this;
    const { clock } = context.io.loop;
    const openedUs = clock.nowUs;
    this.retire();
    const isDenied = denialOf(context, origin) !== null;
    const first = isDenied ? null : early;
    const tunnel = startTunnel(context, this, server, endpoint, first, (client) => {
      context.leave();
      recordClose(context, origin.series, client.bytesRead, client.bytesWritten);
      context.rows.add(context.worker, "connections", -1);
      const lifeUs = clock.nowUs - openedUs;
      context.watch?.tellTunnel(origin, authority ?? "", endpoint, client, lifeUs);
    });
    if (!isDenied) return;
    context.count("policy_cut");
    tunnel.close();
  }

  /** Writes ASCII text; off the hot path. */
  protected writeText(text: string): void {
    const { bytes } = this.io.arena;
    for (let i = 0; i < text.length; i++) bytes[OUTPUT + i] = text.charCodeAt(i);
    this.write(OUTPUT, OUTPUT + text.length);
  }
}
