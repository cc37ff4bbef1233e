/**
 * A gRPC server for the main thread: handlers by method, each with one call at a time in its hands.
 * Sockets, TLS and HTTP/2 are another thread's (server.ts); here are promises and async iterables.
 */
import type { Credentials } from "../mesh/credentials.ts";
import type { Arena } from "../net/arena.ts";
import { libc } from "../net/libc.ts";
import { Cancellation } from "./cancellation.ts";
import * as limits from "./limits.ts";
import { SendRoom } from "./send-room.ts";
import {
  type FromServer,
  NO_SERVER_COUNTS,
  type Peer,
  type ServerCounts,
  type ServerLimits,
  type ToServer,
} from "./server-messages.ts";
import { type Metadata, RpcError, Status } from "./status.ts";
import { type AnswerOwner, StreamedAnswer } from "./streamed-answer.ts";
import { ThreadHost } from "./thread-host.ts";

/** What a handler knows of its call. */
export type CallInfo = {
  readonly method: string;
  readonly peer: Peer;
  readonly metadata: Metadata;
  /** Milliseconds that the client still waits; null: it said nothing of that. */
  readonly timeoutMs: number | null;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
};

/** Answers a call with one message; an RpcError that it throws is what the client is told. */
export type UnaryHandler = (request: Uint8Array, call: CallInfo) => Promise<Uint8Array>;

/**
 * Answers a call with messages until it returns. It is asked for the next one when the client has
 * taken those before it, so a source of values can skip to the latest.
 */
export type StreamHandler = (request: Uint8Array, call: CallInfo) => AsyncIterable<Uint8Array>;

export type RpcMethod =
  | { readonly kind: "unary"; readonly path: string; readonly handler: UnaryHandler }
  | { readonly kind: "server-streaming"; readonly path: string; readonly handler: StreamHandler };

export type RpcServerOptions = {
  readonly arena: Arena;
  /** Listening sockets; the server closes them. */
  readonly listenFds: readonly number[];
  readonly methods: readonly RpcMethod[];
  /** null: no TLS, and nobody but this host is served. */
  readonly credentials: Credentials | null;
  readonly limits?: Partial<ServerLimits>;
  /** A bug: of the thread, or of a handler, whose client is told nothing of it. */
  readonly onFault: (text: string) => void;
};

type Working = {
  readonly path: string;
  readonly cancellation: Cancellation;
  readonly answer: StreamedAnswer | null;
  /** Names it: where its client is. */
  readonly connection: string;
};

const LIMITS: ServerLimits = {
  connectionsMax: limits.CONNECTIONS_MAX,
  queuedPressedBytes: limits.QUEUED_PRESSED_BYTES,
  callsMax: limits.CALLS_MAX,
  handshakeTimeoutMs: limits.HANDSHAKE_TIMEOUT_MS,
  requestTimeoutMs: limits.REQUEST_TIMEOUT_MS,
  handlerTimeoutMs: limits.HANDLER_TIMEOUT_MS,
  idleMs: limits.IDLE_MS,
  silenceMs: limits.PING_MS,
};

export class RpcServerHandle implements AnswerOwner {
  /** As of a moment ago, see COUNTS_MS. */
  counts: ServerCounts = { ...NO_SERVER_COUNTS };
  readonly #host: ThreadHost<ToServer, FromServer>;
  readonly #working = new Map<number, Working>();
  /** By connection, for as long as it has streams. */
  readonly #rooms = new Map<string, SendRoom>();
  readonly #onFault: (text: string) => void;

  private constructor(host: ThreadHost<ToServer, FromServer>, onFault: (text: string) => void) {
    this.#host = host;
    this.#onFault = onFault;
  }

  /** Starts the thread; resolves when it listens. Throws when it cannot (credentials, mostly). */
  static async start(options: RpcServerOptions): Promise<RpcServerHandle> {
    const methods = new Map(options.methods.map((method) => [method.path, method]));
    const early: Exclude<FromServer, { kind: "ready" | "fault" }>[] = [];
    let take: (message: (typeof early)[number]) => void = (message) => void early.push(message);
    const starting = ThreadHost.start<ToServer, FromServer>({
      arena: options.arena,
      entry: "rpc-server",
      data: {
        listenFds: options.listenFds,
        methods: options.methods.map(({ path, kind }) => ({ path, kind })),
        credentials: options.credentials,
        limits: { ...LIMITS, ...options.limits },
      },
      onMessage: (message) => take(message),
      onFault: options.onFault,
    });
    const closeListeners = (): void => {
      for (const fd of options.listenFds) libc.close(fd);
    };
    const host = await starting.catch((error: unknown) => {
      closeListeners();
      throw error;
    });
    const server = new RpcServerHandle(host, options.onFault);
    take = (message) => server.#take(message, methods);
    for (const message of early) take(message);
    void host.ended.then((reason) => {
      server.#abortAll();
      // Whoever connected would wait for ever. One that drains has closed them by itself.
      if (reason !== null && !host.isFinished) closeListeners();
    });
    return server;
  }

  /** Resolves when the thread is gone: null if it was told to, else why. */
  get ended(): Promise<string | null> {
    return this.#host.ended;
  }

  /** Whether the thread's loop turns, or has ended. */
  isTurning(): boolean {
    return this.#host.isTurning();
  }

  /** Has the thread die. For tests. */
  stageDeath(): void {
    this.#host.stageDeath();
  }

  /** Calls that handlers work on. */
  get callCount(): number {
    return this.#working.size;
  }

  /** Shows these to clients from now on, and trusts their roots; connections that live go on. */
  present(credentials: Credentials): void {
    this.#host.post({ kind: "credentials", credentials });
  }

  /**
   * Closes the listeners and lets clients finish; whatever is left after `graceMs` is cut. Resolves
   * when the thread is gone.
   */
  async stop(graceMs: number): Promise<void> {
    this.#host.finish({ kind: "drain" });
    const timer = setTimeout(() => this.#host.finish({ kind: "exit" }), graceMs);
    await this.#host.ended;
    clearTimeout(timer);
  }

  #take(
    message: Exclude<FromServer, { kind: "ready" | "fault" }>,
    methods: ReadonlyMap<string, RpcMethod>,
  ): void {
    switch (message.kind) {
      case "call":
        this.#serve(message, methods.get(message.method) ?? null);
        break;
      case "cancelled":
        this.#cancel(message.call);
        break;
      case "drained":
        this.#working.get(message.call)?.answer?.onDrained(message.takenBytes);
        break;
      case "counts":
        this.counts = message.counts;
    }
  }

  #serve(message: FromServer & { kind: "call" }, method: RpcMethod | null): void {
    const { call, peer, metadata, timeoutMs } = message;
    // Not the message's, which would be another text for each call.
    const path = method?.path ?? message.method;
    const cancellation = new Cancellation();
    const isStream = method?.kind === "server-streaming";
    const room = isStream ? this.#roomOf(peer.address) : null;
    const answer = room === null ? null : new StreamedAnswer(call, this, room);
    this.#working.set(call, { path, cancellation, answer, connection: peer.address });
    try {
      const info: CallInfo = {
        method: path,
        peer,
        metadata,
        timeoutMs,
        get signal() {
          return cancellation.signal;
        },
      };
      const request = new Uint8Array(message.message);
      if (method === null) throw new RpcError(Status.unimplemented, "there is no such method");
      if (method.kind === "server-streaming") {
        this.#host.post({ kind: "taken", call });
        answer?.begin(method.handler(request, info));
        return;
      }
      method.handler(request, info).then(
        (response) => {
          this.send(call, response);
          this.finish(call, undefined);
        },
        (error: unknown) => this.finish(call, error ?? new Error("nothing was thrown")),
      );
    } catch (error) {
      this.finish(call, error);
    }
  }

  /** A handler's message. Copies: a handler may keep what it answered. */
  send(call: number, answer: Uint8Array): void {
    if (!this.#working.has(call)) return;
    const message = new Uint8Array(answer).buffer;
    this.#host.post({ kind: "message", call, message }, [message]);
  }

  /** A handler is done, and `error` is what it threw, if anything. */
  finish(call: number, error: unknown): void {
    const working = this.#working.get(call);
    // Of a call that is cancelled nobody hears any more.
    if (working === undefined) return;
    this.#forget(call, working);
    const isTold = error === undefined || error instanceof RpcError;
    const end = isTold ? error : this.#internal(working.path, error);
    const status = end?.status ?? Status.ok;
    const { message: text, metadata } = end ?? { message: "", metadata: [] };
    this.#host.post({ kind: "end", call, status, text, metadata });
  }

  /** What went wrong in here is nobody's business out there. */
  #internal(path: string, error: unknown): RpcError {
    this.#onFault(`${path}: ${error instanceof Error ? error.stack : String(error)}`);
    return new RpcError(Status.internal, "internal error");
  }

  #roomOf(connection: string): SendRoom {
    const known = this.#rooms.get(connection);
    const room = known ?? new SendRoom();
    if (known === undefined) this.#rooms.set(connection, room);
    room.users += 1;
    return room;
  }

  #forget(call: number, { answer, connection }: Working): void {
    this.#working.delete(call);
    const room = answer === null ? undefined : this.#rooms.get(connection);
    if (room === undefined) return;
    room.users -= 1;
    if (room.users === 0) this.#rooms.delete(connection);
  }

  #cancel(call: number): void {
    const working = this.#working.get(call);
    if (working === undefined) return;
    this.#forget(call, working);
    working.cancellation.cancel();
    working.answer?.cancel();
  }

  #abortAll(): void {
    for (const call of [...this.#working.keys()]) this.#cancel(call);
  }
}
