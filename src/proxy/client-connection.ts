/**
 * What every client's connection has, whatever it speaks: its books (the worker's gauge, the
 * listener's counters, the set that a drain walks), its one timer, and the way into a tunnel.
 */
import { Timer } from "../lib/timer-wheel.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { OUTPUT } from "../net/arena.ts";
import { Connection } from "../net/connection.ts";
import type { Client, ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { startTunnel } from "./open-tunnel.ts";
import { recordClose } from "./outcome.ts";

export abstract class ClientConnection extends Connection implements Client {
  readonly context: Context;
  readonly origin: ClientOrigin;
  readonly #timer: Timer;

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

  /** No further requests: the process drains, or what the client has proved is over. */
  protected get isLeaving(): boolean {
    const { context } = this;
    return context.isLeaving() || (this.tls !== null && context.mesh.wallMs >= this.provenUntilMs);
  }

  /** Moves the one deadline. */
  protected arm(ms: number): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + ms);
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
   * has entered (Context.enter) and holds the endpoint's place; both are given back in the end.
   * `authority` is what the client wanted.
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
    startTunnel(context, this, server, endpoint, early, (client) => {
      context.leave();
      recordClose(context, origin.series, client.bytesRead, client.bytesWritten);
      context.rows.add(context.worker, "connections", -1);
      const lifeUs = clock.nowUs - openedUs;
      context.watch?.tellTunnel(origin, authority ?? "", endpoint, client, lifeUs);
    });
  }

  /** Writes ASCII text; off the hot path. */
  protected writeText(text: string): void {
    const { bytes } = this.io.arena;
    for (let i = 0; i < text.length; i++) bytes[OUTPUT + i] = text.charCodeAt(i);
    this.write(OUTPUT, OUTPUT + text.length);
  }
}
