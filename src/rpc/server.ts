/**
 * A gRPC server's thread: its listeners, connections and calls by number. It decides nothing of what
 * a call is about; that is the main thread's, which is told and answers by messages.
 */

import { RequestHead } from "../codec/http1/request-head.ts";
import { PeerVerifier } from "../identity/verify-peer.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { Credentials } from "../mesh/credentials.ts";
import { TlsContext } from "../net/tls-context.ts";
import { Listener, type Origin } from "./accept.ts";
import { Admission } from "./admission.ts";
import type { ClosingConnection } from "./closing.ts";
import { COUNTS_MS } from "./limits.ts";
import { QueuedBytes } from "./outgoing.ts";
import type { ServerCall } from "./server-call.ts";
import { ServerConnection } from "./server-connection.ts";
import {
  type FromServer,
  type Method,
  NO_SERVER_COUNTS,
  type RpcServerStart,
  type ServerCount,
  type ServerCounts,
  type ServerLimits,
  type ToServer,
} from "./server-messages.ts";
import { RpcThread } from "./thread.ts";

/** How HTTP/2 is named in TLS (RFC 9113 §3.2). */
const ALPN = ["h2"];

/** Runs a server until it has drained or is told to exit. */
export async function runRpcServer(start: RpcServerStart): Promise<void> {
  await new RpcServer(start).run();
}

/** What a server shows and asks for in TLS. */
type ServerTls = { readonly context: TlsContext; readonly verifier: PeerVerifier };

export class RpcServer {
  readonly thread: RpcThread<ToServer, FromServer>;
  readonly limits: ServerLimits;
  readonly connections = new Set<ServerConnection | ClosingConnection>();
  readonly calls = new Map<number, ServerCall>();
  readonly queued: QueuedBytes;
  readonly admission: Admission<ServerConnection>;
  isDraining = false;
  tls: ServerTls | null = null;
  /** Heads are read and let go of before another is: one serves all. */
  readonly head = new RequestHead();
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #listeners: readonly Listener[];
  readonly #counts: ServerCounts = { ...NO_SERVER_COUNTS };
  readonly #timer: Timer;
  #hasNews = false;
  #lastCall = 0;

  constructor(start: RpcServerStart) {
    this.thread = new RpcThread(start);
    this.limits = start.limits;
    this.queued = new QueuedBytes(start.limits.queuedPressedBytes);
    this.admission = new Admission(start.limits.connectionsMax);
    this.#methods = new Map(start.methods.map((method) => [method.path, method]));
    if (start.credentials !== null) this.#present(start.credentials);
    this.#listeners = start.listenFds.map((fd) => new Listener(this, fd));
    this.#timer = new Timer(() => this.#tellCounts());
  }

  async run(): Promise<void> {
    const { loop } = this.thread;
    this.thread.onTurn = () => {
      if (this.isDraining && this.connections.size === 0) loop.stop();
    };
    this.#tellCounts();
    await this.thread.run((message) => this.#take(message));
    for (const listener of this.#listeners) listener.close();
    for (const connection of [...this.connections]) connection.close();
  }

  count(name: ServerCount): void {
    this.#counts[name]++;
    this.#hasNews = true;
  }

  method(path: string): Method | null {
    return this.#methods.get(path) ?? null;
  }

  /** Returns the number of a call that begins now; null: there are too many. */
  enter(call: ServerCall): number | null {
    if (this.calls.size >= this.limits.callsMax) {
      this.count("calls_refused");
      return null;
    }
    this.count("calls_begun");
    this.calls.set(++this.#lastCall, call);
    return this.#lastCall;
  }

  leave(number: number): void {
    this.#hasNews = true;
    this.calls.delete(number);
  }

  /** A connection is over, or goes on as one that closes. */
  onGone(connection: ServerConnection | ClosingConnection): void {
    this.#hasNews = true;
    this.connections.delete(connection);
    if (connection instanceof ServerConnection) this.admission.leave(connection);
  }

  onAccepted(fd: number, origin: Origin): void {
    const { descriptors } = this.thread.io;
    if (this.connections.size >= this.limits.connectionsMax) {
      this.count("refused_connections");
      if (!this.admission.makeRoom()) {
        descriptors.close(fd);
        return;
      }
    }
    this.count("accepted");
    const connection = new ServerConnection(this, fd, origin);
    if (!connection.register()) return;
    this.connections.add(connection);
    this.admission.enter(connection);
    connection.begin();
  }

  #take(message: ToServer): void {
    switch (message.kind) {
      case "taken":
        this.calls.get(message.call)?.onTaken();
        break;
      case "message":
        this.calls.get(message.call)?.send(new Uint8Array(message.message));
        break;
      case "end":
        this.calls.get(message.call)?.end(message.status, message.text, message.metadata);
        break;
      case "credentials":
        this.#present(message.credentials);
        break;
      case "drain":
        this.#drain();
        break;
      case "exit":
        this.isDraining = true;
        this.thread.loop.stop();
    }
  }

  /** Connections that live keep the context they began with. */
  #present(credentials: Credentials): void {
    const { certificates, key, roots } = credentials;
    // Both are there before anything is replaced: what cannot be used changes nothing.
    const verifier = new PeerVerifier(roots);
    const context = TlsContext.create(this.thread.io.arena, "server", {
      // With the anchors: who joins knows one by its hash only.
      certificates: [...certificates, ...roots],
      key,
      roots,
      alpn: ALPN,
      clientCertificate: "optional",
    });
    this.tls?.context.free();
    this.tls = { context, verifier };
  }

  #drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    for (const listener of this.#listeners) listener.close();
    for (const connection of [...this.connections]) connection.drain();
  }

  #tellCounts(): void {
    const { clock, timers } = this.thread.loop;
    timers.arm(this.#timer, clock.nowMs + COUNTS_MS);
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#counts.connections = this.connections.size;
    this.#counts.calls = this.calls.size;
    this.thread.tell({ kind: "counts", counts: { ...this.#counts } });
  }
}
