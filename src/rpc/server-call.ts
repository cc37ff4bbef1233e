/**
 * One call at a server: a stream of HTTP/2 with one message in and one or many out (PROTOCOL-HTTP2.md
 * of gRPC). The main thread learns of it when its request is whole, and of its end if that comes
 * before the main thread's own.
 *
 *   reading ──message and END_STREAM──▶ waiting ──end──▶ ending ──all sent──▶ over
 *      └────────────── refused, late, reset ─────────────────────────────────▶┘
 */
import { type Http1Error, statusOf as httpStatusOf } from "../codec/http1/errors.ts";
import { Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { ServerStream } from "../protocol/http2/server.ts";
import type { ResetBy } from "../protocol/http2/stream.ts";
import {
  RESPONSE_HEAD,
  ReceivedFields,
  sendFields,
  sendTrailers,
  statusFields,
  textOf,
} from "./fields.ts";
import * as limits from "./limits.ts";
import { FAULT_STATUS, MessageReader } from "./message-reader.ts";
import { Outgoing } from "./outgoing.ts";
import type { ServerConnection } from "./server-connection.ts";
import type { Method as RpcMethod } from "./server-messages.ts";
import { type Metadata, Status } from "./status.ts";
import { parseTimeout } from "./timeout.ts";

type State = "reading" | "waiting" | "ending" | "over";

export class ServerCall extends ServerStream {
  readonly #connection: ServerConnection;
  /** Until the request is whole, or not wanted. */
  #reader: MessageReader | null;
  readonly #outgoing: Outgoing;
  readonly #timer: Timer;
  #state: State = "reading";
  #number = 0;
  #method: RpcMethod | null = null;
  #metadata: Metadata = [];
  #message: Uint8Array<ArrayBuffer> | null = null;
  /** On the loop's clock; null: the client named none. */
  #deadlineMs: number | null = null;
  #hasSentHead = false;
  #trailers: Metadata = [];
  #toldBytes = 0;
  #discardedBytes = 0;

  constructor(connection: ServerConnection) {
    super();
    this.#connection = connection;
    this.#reader = new MessageReader(connection.server.thread.assembly);
    this.#outgoing = new Outgoing(connection.server.queued);
    const { loop } = connection.server.thread;
    this.#timer = new Timer(() => loop.guard(connection, () => this.#onLate()));
  }

  get #nowMs(): number {
    return this.#connection.server.thread.loop.clock.nowMs;
  }

  override onRequest(head: RequestHead, base: number, isEnd: boolean): void {
    const { frames, server } = this.#connection;
    const { bytes } = frames;
    const fields = new ReceivedFields(bytes, base, head.fields);
    if (head.method !== Method.post) return this.#replyHttp(405, [["allow", "POST"]]);
    if (!fields.isGrpc) return this.#replyHttp(415, []);
    const path = textOf(bytes, base + head.targetStart, base + head.targetEnd);
    const method = server.method(path);
    if (method === null) {
      server.count("unknown_methods");
      return this.#fail(Status.unimplemented, "there is no such method");
    }
    const timeout = fields.get("grpc-timeout");
    const timeoutMs = timeout === null ? null : parseTimeout(timeout);
    if (timeout !== null && timeoutMs === null) {
      return this.#fail(Status.internal, "grpc-timeout is malformed");
    }
    const number = server.enter(this);
    if (number === null) return this.#fail(Status.resourceExhausted, "too many calls");
    this.#number = number;
    this.#method = method;
    this.#metadata = fields.metadata;
    this.#deadlineMs = timeoutMs === null ? null : this.#nowMs + timeoutMs;
    this.#arm(server.limits.requestTimeoutMs);
    if (isEnd) this.#onWhole();
  }

  override onBadRequest(error: Http1Error): void {
    this.#replyHttp(httpStatusOf(error), []);
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    const { frames } = this.#connection;
    const count = end - start;
    const reader = this.#reader;
    if (this.#state !== "reading" || reader === null) return this.#discard(count);
    reader.read(frames.bytes, start, end, (message) => {
      if (this.#message === null) this.#message = message;
      else this.#fail(Status.internal, "a request has one message");
    });
    const { fault } = reader;
    if (fault !== null) this.#fail(...FAULT_STATUS[fault]);
    // A message is bounded by itself, so its bytes count as passed on.
    if (!isEnd) frames.consumed(this, count);
    else if (this.#state === "reading") this.#onWhole();
  }

  override onTrailers(): void {
    if (this.#state === "reading") this.#onWhole();
  }

  #onWhole(): void {
    const isCut = this.#reader?.isWithin === true;
    if (isCut) return this.#fail(Status.internal, "the request ends within its message");
    if (this.#message === null) return this.#fail(Status.internal, "the request has no message");
    this.#connection.beginLater(this);
  }

  /** The frames that came with the request are all read: if none of them reset it, it goes on. */
  begin(): void {
    const { peer, server } = this.#connection;
    const message = this.#message;
    const method = this.#method;
    if (this.#state !== "reading" || message === null || method === null) return;
    this.#message = null;
    this.#reader = null;
    this.#state = "waiting";
    const leftMs = this.#deadlineMs === null ? null : this.#deadlineMs - this.#nowMs;
    this.#arm(server.limits.handlerTimeoutMs);
    server.thread.tell(
      {
        kind: "call",
        call: this.#number,
        method: method.path,
        message: message.buffer,
        metadata: this.#metadata,
        peer,
        timeoutMs: leftMs === null ? null : Math.max(0, leftMs),
      },
      message.buffer,
    );
  }

  /** Somebody works on it: of a stream nothing more is expected in a given time. */
  onTaken(): void {
    if (this.#state !== "waiting" || this.#method?.kind !== "server-streaming") return;
    this.#armClientsOwn();
  }

  send(message: Uint8Array): void {
    if (this.#state !== "waiting") return;
    if (this.#outgoing.queuedBytes + message.length > limits.QUEUED_BYTES_MAX) {
      this.#connection.server.count("calls_overflowed");
      return this.#cut(ErrorCode.enhanceYourCalm);
    }
    this.#outgoing.push(message);
    this.#connection.pumpLater(this);
  }

  /** The main thread has said all. */
  end(status: Status, text: string, metadata: Metadata): void {
    if (this.#state !== "waiting") return;
    this.#trailers = statusFields(status, text, metadata);
    this.#state = "ending";
    this.#armClientsOwn();
    this.#connection.pumpLater(this);
  }

  /** At the end of a turn: sends what the client can take. */
  pump(): void {
    if (!this.isOpen || this.weEnded || this.#state === "over") return;
    const connection = this.#connection;
    const { frames } = connection;
    const hasMessages = this.#outgoing.queuedBytes > 0;
    if (hasMessages) this.#sendHead();
    if (!this.#outgoing.pump(frames, this)) return this.#cut(ErrorCode.enhanceYourCalm);
    if (this.#outgoing.queuedBytes > 0) return;
    if (this.#state === "ending") return this.#sendTrailers();
    const { takenBytes } = this.#outgoing;
    if (takenBytes === this.#toldBytes) return;
    this.#toldBytes = takenBytes;
    connection.server.thread.tell({ kind: "drained", call: this.#number, takenBytes });
  }

  override onDrained(): void {
    this.#connection.pumpLater(this);
  }

  override onReset(_code: number, by: ResetBy): void {
    if (by !== "us" && this.#state !== "over") this.#connection.server.count("calls_cancelled");
    this.#leave();
  }

  override onClosed(): void {
    this.#leave();
  }

  #sendHead(): void {
    if (this.#hasSentHead) return;
    this.#hasSentHead = true;
    sendFields(this.#connection.frames, this, RESPONSE_HEAD, false);
  }

  /** Without a message before it, a response is trailers only. */
  #sendTrailers(): void {
    const { frames } = this.#connection;
    const fields = this.#trailers;
    const isOnly = !this.#hasSentHead;
    // Sending may end the stream, so the call is over before.
    this.#leave();
    if (isOnly) sendFields(frames, this, [...RESPONSE_HEAD, ...fields], true);
    else sendTrailers(frames, this, fields);
    this.#endRequest();
  }

  /** Ends a call that the main thread does not know, or is told of. */
  #fail(status: Status, text: string): void {
    if (this.#state === "over" || !this.isOpen) return;
    // Within a message there is no place for trailers.
    if (this.#outgoing.isWithin || this.keptBytes > 0) return this.#cut(ErrorCode.cancel);
    this.#outgoing.clear();
    this.#trailers = statusFields(status, text, []);
    this.#connection.tick();
    this.#sendTrailers();
    this.#connection.server.thread.loop.defer(this.#connection);
  }

  #replyHttp(status: number, fields: Metadata): void {
    const { frames, server } = this.#connection;
    server.count("bad_requests");
    this.#leave();
    const all: Metadata = [[":status", String(status)], ["content-length", "0"], ...fields];
    sendFields(frames, this, all, true);
    this.#endRequest();
  }

  #cut(code: number): void {
    this.#leave();
    this.#connection.tick();
    this.#connection.frames.resetStream(this, code, false);
    this.#connection.server.thread.loop.defer(this.#connection);
  }

  /**
   * The rest of a request that goes on is not wanted, but what is on its way may come: a reset at
   * once would look like an error to some clients (RFC 9113 §8.1).
   */
  #endRequest(): void {
    if (this.isOpen && !this.peerEnded) this.resetAtMs = this.#nowMs + limits.LINGER_MS;
  }

  #discard(count: number): void {
    const { frames } = this.#connection;
    this.#discardedBytes += count;
    if (this.#discardedBytes > limits.LINGER_BYTES_MAX) {
      frames.resetStream(this, ErrorCode.noError, false);
    } else frames.consumed(this, count);
  }

  /** The next deadline: the client's own, or ours if that is sooner or there is none. */
  #arm(ownMs: number): void {
    const { timers } = this.#connection.server.thread.loop;
    const own = this.#nowMs + ownMs;
    timers.arm(this.#timer, Math.min(own, this.#deadlineMs ?? own));
  }

  #armClientsOwn(): void {
    const { timers } = this.#connection.server.thread.loop;
    timers.disarm(this.#timer);
    if (this.#deadlineMs !== null) timers.arm(this.#timer, this.#deadlineMs);
  }

  #onLate(): void {
    if (this.#state === "over" || !this.isOpen) return;
    this.#connection.server.count("calls_late");
    const wasReading = this.#state === "reading";
    const text = wasReading ? "the request did not come in time" : "no answer in time";
    this.#fail(Status.deadlineExceeded, text);
  }

  /** Nothing more comes of the call; the main thread is told if it works on it. */
  #leave(): void {
    if (this.#state === "over") return;
    const { server } = this.#connection;
    if (this.#state === "waiting") {
      server.thread.tell({ kind: "cancelled", call: this.#number });
    }
    this.#state = "over";
    this.#message = null;
    this.#reader?.clear();
    this.#outgoing.clear();
    server.thread.loop.timers.disarm(this.#timer);
    if (this.#number !== 0) server.leave(this.#number);
  }
}
