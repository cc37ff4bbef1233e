/**
 * A gRPC client for the main thread: channels to servers, each one connection, and calls on them as
 * promises and async iterables. Sockets, TLS and HTTP/2 are another thread's (client.ts).
 */
import type { SocketAddress } from "../mesh/address.ts";
import type { Arena } from "../net/arena.ts";
import type { ClientTls, FromClient, ToClient } from "./client-messages.ts";
import { CONNECT_TIMEOUT_MS, MESSAGE_BYTES_MAX } from "./limits.ts";
import { Received } from "./received.ts";
import { type Metadata, RpcError, Status } from "./status.ts";
import { ThreadHost } from "./thread-host.ts";

export type RpcClientOptions = {
  readonly arena: Arena;
  /** A bug of the thread. */
  readonly onFault: (text: string) => void;
};

export type OpenOptions = {
  readonly address: SocketAddress;
  /** null: plaintext. */
  readonly tls: ClientTls | null;
  /** For TCP, TLS and the server's SETTINGS together, milliseconds. */
  readonly timeoutMs?: number;
};

export type CallOptions = {
  /** The server is told, too; null: as long as it takes. */
  readonly timeoutMs: number | null;
  readonly metadata?: Metadata;
  readonly signal?: AbortSignal;
};

type Post = (message: ToClient, moved?: ArrayBuffer[]) => void;

export class RpcClientHandle {
  readonly #host: ThreadHost<ToClient, FromClient>;
  readonly #channels = new Map<number, RpcChannel>();
  readonly #calls = new Map<number, Received>();
  #last = 0;
  #goneBecause: string | null = null;

  private constructor(host: ThreadHost<ToClient, FromClient>) {
    this.#host = host;
  }

  /** Starts the thread. Throws when it does not start. */
  static async start(options: RpcClientOptions): Promise<RpcClientHandle> {
    let take: (message: Exclude<FromClient, { kind: "ready" | "fault" }>) => void = () => {};
    const host = await ThreadHost.start<ToClient, FromClient>({
      arena: options.arena,
      entry: "rpc-client",
      data: {},
      onMessage: (message) => take(message),
      onFault: options.onFault,
    });
    const client = new RpcClientHandle(host);
    take = (message) => client.#take(message);
    void host.ended.then((reason) => client.#onGone(reason ?? "the client was stopped"));
    return client;
  }

  /** Resolves when the thread is gone: null if it was told to, else why. */
  get ended(): Promise<string | null> {
    return this.#host.ended;
  }

  /** Has the thread die. For tests. */
  stageDeath(): void {
    this.#host.stageDeath();
  }

  /** Opens a channel. Rejects with RpcError, UNAVAILABLE and the reason, when that fails. */
  open({ address, tls, timeoutMs = CONNECT_TIMEOUT_MS }: OpenOptions): Promise<RpcChannel> {
    if (this.#goneBecause !== null) return Promise.reject(unavailable(this.#goneBecause));
    const channel = ++this.#last;
    const post: Post = (message, moved) => this.#host.post(message, moved);
    const calls = { next: () => ++this.#last, received: this.#calls };
    const opened = new RpcChannel(channel, post, calls);
    this.#channels.set(channel, opened);
    post({ kind: "open", channel, address, tls, timeoutMs });
    return opened.whenOpen;
  }

  /** Ends all calls and the thread. */
  async stop(): Promise<void> {
    this.#host.finish({ kind: "exit" });
    await this.#host.ended;
  }

  #take(message: Exclude<FromClient, { kind: "ready" | "fault" }>): void {
    switch (message.kind) {
      case "opened":
        this.#channels.get(message.channel)?.onOpened();
        break;
      case "closed":
        this.#channels.get(message.channel)?.onClosed(message.reason);
        this.#channels.delete(message.channel);
        break;
      case "message":
        this.#calls.get(message.call)?.onMessage(new Uint8Array(message.message));
        break;
      case "ended":
        this.#calls.get(message.call)?.onEnded(message.status, message.text, message.metadata);
        this.#calls.delete(message.call);
    }
  }

  #onGone(reason: string): void {
    this.#goneBecause = reason;
    for (const channel of this.#channels.values()) channel.onClosed(reason);
    for (const call of this.#calls.values()) call.onEnded(Status.unavailable, reason, []);
    this.#channels.clear();
    this.#calls.clear();
  }
}

type Calls = { readonly next: () => number; readonly received: Map<number, Received> };

/** One connection to a server. */
export class RpcChannel {
  readonly whenOpen: Promise<RpcChannel>;
  /** Resolves with the reason when no more calls are taken. */
  readonly closed: Promise<string>;
  readonly #number: number;
  readonly #post: Post;
  readonly #calls: Calls;
  #closedBecause: string | null = null;
  #resolveOpen: (channel: RpcChannel) => void = () => {};
  #rejectOpen: (error: RpcError) => void = () => {};
  #resolveClosed: (reason: string) => void = () => {};

  constructor(number: number, post: Post, calls: Calls) {
    this.#number = number;
    this.#post = post;
    this.#calls = calls;
    this.whenOpen = new Promise((resolve, reject) => {
      this.#resolveOpen = resolve;
      this.#rejectOpen = reject;
    });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get isOpen(): boolean {
    return this.#closedBecause === null;
  }

  /** Calls a method and returns its answer. Rejects with RpcError. */
  async call(method: string, request: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    const received = this.#begin(method, request, options, false);
    let answer: Uint8Array | null = null;
    for await (const message of received) answer = message;
    if (answer === null) throw new RpcError(Status.internal, "the response has no message");
    return answer;
  }

  /** Calls a method and iterates over its answers; leaving the loop cancels it. Throws RpcError. */
  stream(
    method: string,
    request: Uint8Array,
    options: CallOptions,
  ): AsyncIterableIterator<Uint8Array> {
    return this.#begin(method, request, options, true)[Symbol.asyncIterator]();
  }

  /** Ends the connection and the calls on it. */
  close(): void {
    this.#post({ kind: "close", channel: this.#number });
  }

  onOpened(): void {
    this.#resolveOpen(this);
  }

  onClosed(reason: string): void {
    if (this.#closedBecause !== null) return;
    this.#closedBecause = reason;
    this.#rejectOpen(unavailable(reason));
    this.#resolveClosed(reason);
  }

  #begin(
    method: string,
    request: Uint8Array,
    options: CallOptions,
    isStreaming: boolean,
  ): Received {
    const { timeoutMs, metadata = [], signal = null } = options;
    const call = this.#calls.next();
    const received = new Received({
      cancel: () => this.#post({ kind: "cancel", call }),
      read: (bytes) => this.#post({ kind: "read", call, bytes }),
      signal,
    });
    if (this.#closedBecause !== null) {
      received.onEnded(Status.unavailable, this.#closedBecause, []);
    } else if (request.length > MESSAGE_BYTES_MAX) {
      received.onEnded(Status.resourceExhausted, "the request is too large", []);
    } else if (signal?.aborted !== true) {
      this.#calls.received.set(call, received);
      const message = new Uint8Array(request).buffer;
      const channel = this.#number;
      this.#post(
        { kind: "call", call, channel, method, message, metadata, timeoutMs, isStreaming },
        [message],
      );
    }
    return received;
  }
}

function unavailable(reason: string): RpcError {
  return new RpcError(Status.unavailable, reason);
}
