/**
 * A gRPC server for the main thread: handlers by method, each with one call at a time in its hands.
 * Sockets, TLS and HTTP/2 are another thread's (server.ts); here are promises and async iterables.
 */
import type { Credentials } from "../mesh/credentials.ts";
import type { Arena } from "../net/arena.ts";
import { libc } from "../net/libc.ts";
import * as limits from "./limits.ts";
import {
  type FromServer,
  NO_SERVER_COUNTS,
  type Peer,
  type ServerCounts,
  type ServerLimits,
  type ToServer,
} from "./server-messages.ts";
import { type Metadata, RpcError, Status } from "./status.ts";
import { StreamedAnswer } from "./streamed-answer.ts";
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

type Working = { readonly abort: AbortController; readonly answer: StreamedAnswer | null };

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

export class RpcServerHandle {
  /** As of a moment ago, see COUNTS_MS. */
  counts: ServerCounts = { ...NO_SERVER_COUNTS };
  readonly #host: ThreadHost<ToServer, FromServer>;
  readonly #working: Map<number, Working>;

  private constructor(host: ThreadHost<ToServer, FromServer>, working: Map<number, Working>) {
    this.#host = host;
    this.#working = working;
  }

  /** Starts the thread; resolves when it listens. Throws when it cannot (credentials, mostly). */
  static async start(options: RpcServerOptions): Promise<RpcServerHandle> {
    const methods = new Map(options.methods.map((method) => [method.path, method]));
    const early: Exclude<FromServer, { kind: "ready" | "fault" }>[] = [];
    let take: (message: (typeof early)[number]) => void = (message) => void early.push(message);
    const starting = ThreadHost.start<ToServer, FromServer>({
      arena: options.arena,
      entry: "rpc-server.ts",
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
    const server = new RpcServerHandle(host, new Map());
    take = (message) => server.#take(message, methods, options.onFault);
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
    onFault: (text: string) => void,
  ): void {
    switch (message.kind) {
      case "call":
        void this.#serve(message, methods.get(message.method) ?? null, onFault);
        break;
      case "cancelled":
        this.#working.get(message.call)?.abort.abort();
        this.#working.delete(message.call);
        break;
      case "drained":
        this.#working.get(message.call)?.answer?.onDrained(message.takenBytes);
        break;
      case "counts":
        this.counts = message.counts;
    }
  }

  /** Never rejects. */
  async #serve(
    message: FromServer & { kind: "call" },
    method: RpcMethod | null,
    onFault: (text: string) => void,
  ): Promise<void> {
    const { call } = message;
    const abort = new AbortController();
    const { method: path, peer, metadata, timeoutMs } = message;
    const info = { method: path, peer, metadata, timeoutMs, signal: abort.signal };
    const request = new Uint8Array(message.message);
    const isStream = method?.kind === "server-streaming";
    const answer = isStream ? new StreamedAnswer(abort.signal, (m) => this.#send(call, m)) : null;
    this.#working.set(call, { abort, answer });
    let end: RpcError | null = null;
    try {
      if (method === null) throw new RpcError(Status.unimplemented, "there is no such method");
      if (method.kind === "unary") {
        this.#send(call, await method.handler(request, info));
      } else {
        this.#host.post({ kind: "taken", call });
        await answer?.run(method.handler(request, info));
      }
    } catch (error) {
      end = error instanceof RpcError ? error : null;
      if (end === null && !abort.signal.aborted) {
        onFault(`${message.method}: ${error instanceof Error ? error.stack : String(error)}`);
      }
      // What went wrong in here is nobody's business out there.
      end ??= new RpcError(Status.internal, "internal error");
    }
    if (!this.#working.delete(call)) return;
    const status = end?.status ?? Status.ok;
    const { message: text, metadata: trailing } = end ?? { message: "", metadata: [] };
    this.#host.post({ kind: "end", call, status, text, metadata: trailing });
  }

  /** Copies: a handler may keep what it answered. */
  #send(call: number, answer: Uint8Array): void {
    if (!this.#working.has(call)) return;
    const message = new Uint8Array(answer).buffer;
    this.#host.post({ kind: "message", call, message }, [message]);
  }

  #abortAll(): void {
    for (const { abort } of this.#working.values()) abort.abort();
    this.#working.clear();
  }
}
