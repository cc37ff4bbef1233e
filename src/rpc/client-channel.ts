/**
 * A channel: one connection from the wish for it to its end, and the calls that wait until the server
 * has room for them. It is not opened again; whoever wants that opens another.
 */
import { Timer } from "../lib/timer-wheel.ts";
import { formatHostPort, formatIp, type SocketAddress } from "../mesh/address.ts";
import { Dial } from "../net/dial.ts";
import { TlsContext, TlsContextError } from "../net/tls-context.ts";
import type { RpcClient } from "./client.ts";
import type { ClientCall } from "./client-call.ts";
import { ClientConnection } from "./client-connection.ts";
import type { ClientTls } from "./client-messages.ts";
import { CALLS_WAITING_MAX } from "./limits.ts";
import { Status } from "./status.ts";

/** How HTTP/2 is named in TLS (RFC 9113 §3.2). */
const ALPN = ["h2"];

export class Channel {
  readonly client: RpcClient;
  readonly number: number;
  /** `:authority` of its calls. */
  readonly authority: string;
  readonly isTls: boolean;
  connection: ClientConnection | null = null;
  readonly #tls: ClientTls | null;
  readonly #timer: Timer;
  readonly #waiting = new Set<ClientCall>();
  #dial: Dial | null = null;
  #isOpened = false;
  #closedBecause: string | null = null;

  constructor(
    client: RpcClient,
    number: number,
    address: SocketAddress,
    tls: ClientTls | null,
    timeoutMs: number,
  ) {
    const { loop } = client.thread;
    this.client = client;
    this.number = number;
    this.isTls = tls !== null;
    this.authority = tls?.serverName ?? formatHostPort(formatIp(address.ip), address.port);
    this.#tls = tls;
    this.#timer = new Timer(() => loop.guard(client.thread, () => this.#onLate()));
    loop.timers.arm(this.#timer, loop.clock.nowMs + timeoutMs);
    this.#dial = new Dial(
      client.thread.io,
      (dial) => this.#onDialled(dial),
      (why) => this.#give(`connecting failed: ${why}`),
    );
    this.#dial.start(address, timeoutMs);
  }

  /** Begins a call now, or when the server has room for one more. */
  begin(call: ClientCall): void {
    if (this.#closedBecause !== null) return call.fail(Status.unavailable, this.#closedBecause);
    if (this.#waiting.size >= CALLS_WAITING_MAX) {
      return call.fail(Status.resourceExhausted, "too many calls wait for the server");
    }
    this.#waiting.add(call);
    if (this.connection !== null) this.connection.onRoom();
  }

  /** A call that may be waiting is not wanted any more. */
  forget(call: ClientCall): void {
    this.#waiting.delete(call);
  }

  /** Starts calls that wait, as many as there is room for. */
  beginCalls(): void {
    const { connection } = this;
    if (connection === null || !this.#isOpened) return;
    for (const call of [...this.#waiting]) {
      if (connection.frames.room === 0) return;
      this.#waiting.delete(call);
      call.start(connection);
    }
  }

  onOpened(): void {
    if (this.#isOpened || this.#closedBecause !== null) return;
    this.#isOpened = true;
    this.client.thread.loop.timers.disarm(this.#timer);
    this.client.thread.tell({ kind: "opened", channel: this.number });
  }

  /** No call is taken any more. */
  onClosed(reason: string): void {
    if (this.#closedBecause !== null) return;
    this.#closedBecause = reason;
    this.client.thread.loop.timers.disarm(this.#timer);
    for (const call of [...this.#waiting]) call.fail(Status.unavailable, reason);
    this.client.thread.tell({ kind: "closed", channel: this.number, reason });
  }

  /** Why the connection is over, for its calls. */
  get reason(): string {
    return this.#closedBecause ?? "the connection is over";
  }

  /** The connection does not exist any more. */
  onGone(): void {
    this.onClosed("the connection is over");
    this.connection = null;
    this.client.channels.delete(this.number);
  }

  /** The main thread does not want it any more. */
  close(): void {
    this.onClosed("the channel was closed");
    this.#dial?.cancel();
    this.#dial = null;
    if (this.connection === null) this.client.channels.delete(this.number);
    else this.connection.sayGoodbye();
  }

  #onDialled(dial: Dial): void {
    this.#dial = null;
    const connection = new ClientConnection(this, dial, this.#tls);
    this.connection = connection;
    if (this.#tls !== null && !this.#startTls(connection, this.#tls)) return;
    connection.begin();
  }

  #startTls(connection: ClientConnection, { credentials, serverName, trust }: ClientTls): boolean {
    const { arena } = this.client.thread.io;
    try {
      const context = TlsContext.create(arena, "client", {
        certificates: credentials?.certificates ?? [],
        key: credentials?.key ?? new Uint8Array(0),
        // What is pinned is known only when the chain is there.
        roots: trust.pins.length > 0 ? null : trust.roots,
        alpn: ALPN,
        clientCertificate: "none",
      });
      connection.startTls(context, serverName);
      // The connection keeps what it needs of it.
      context.free();
      return true;
    } catch (error) {
      if (!(error instanceof TlsContextError)) throw error;
      connection.fail(error.message);
      return false;
    }
  }

  #onLate(): void {
    this.#give("no answer in time");
  }

  #give(reason: string): void {
    this.onClosed(reason);
    this.#dial?.cancel();
    this.#dial = null;
    if (this.connection === null) this.client.channels.delete(this.number);
    else this.connection.close();
  }
}
