/**
 * One call at a client: a stream of HTTP/2 with one message out and one or many in (PROTOCOL-HTTP2.md
 * of gRPC). Whatever the server does, the call ends with one status: a response that breaks a rule,
 * stops short or never comes is an error like any other.
 *
 *   waiting ──room──▶ open ──trailers, reset, deadline, cancel──▶ over
 */
import type { FieldSection } from "../codec/http1/field-section.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { OUTPUT } from "../net/arena.ts";
import { ClientStream } from "../protocol/http2/client.ts";
import type { ResetBy } from "../protocol/http2/stream.ts";
import type { RpcClient } from "./client.ts";
import type { Channel } from "./client-channel.ts";
import type { ClientConnection } from "./client-connection.ts";
import { ReceivedFields } from "./fields.ts";
import { UNREAD_BYTES_MAX } from "./limits.ts";
import { FAULT_STATUS, MessageReader } from "./message-reader.ts";
import { Outgoing, QueuedBytes } from "./outgoing.ts";
import { writeRequest } from "./request-head.ts";
import { type Metadata, Status, statusOf, statusOfHttp, statusOfReset } from "./status.ts";
import { decodeStatusText, STATUS_TEXT_BYTES_MAX } from "./status-text.ts";

export type CallRequest = {
  readonly call: number;
  readonly method: string;
  readonly message: ArrayBuffer;
  readonly metadata: Metadata;
  readonly timeoutMs: number | null;
  readonly isStreaming: boolean;
};

/** A call has one message, and calls are counted. */
const ONE_EACH = new QueuedBytes(Number.POSITIVE_INFINITY);

export class ClientCall extends ClientStream {
  readonly #client: RpcClient;
  readonly #channel: Channel;
  readonly #request: CallRequest;
  readonly #reader: MessageReader;
  readonly #outgoing = new Outgoing(ONE_EACH);
  readonly #timer: Timer;
  readonly #deadlineMs: number | null;
  #connection: ClientConnection | null = null;
  #isOver = false;
  /** A unary call's response, until its trailers say that it counts. */
  #message: Uint8Array<ArrayBuffer> | null = null;
  /** Bytes of messages that the main thread was given and has not used. */
  #unreadBytes = 0;
  /** Content that the server gets no window for yet. */
  #owed = 0;

  constructor(channel: Channel, request: CallRequest) {
    super();
    const { client } = channel;
    const { loop } = client.thread;
    const { clock, timers } = loop;
    this.#client = client;
    this.#channel = channel;
    this.#request = request;
    this.#reader = new MessageReader(client.thread.assembly);
    this.#timer = new Timer(() => loop.guard(client.thread, () => this.#onLate()));
    this.#deadlineMs = request.timeoutMs === null ? null : clock.nowMs + request.timeoutMs;
    if (this.#deadlineMs !== null) timers.arm(this.#timer, this.#deadlineMs);
  }

  /** Sends the request; the connection has room for it. */
  start(connection: ClientConnection): void {
    const { message, metadata, method } = this.#request;
    const { nowMs } = this.#client.thread.loop.clock;
    const { authority, isTls } = this.#channel;
    const leftMs = this.#deadlineMs === null ? null : Math.max(0, this.#deadlineMs - nowMs);
    this.#connection = connection;
    const { frames } = connection;
    const target = { authority, isTls, method, metadata, timeoutMs: leftMs };
    const head = writeRequest(this.#client.head, frames.bytes, OUTPUT, target);
    frames.request(this, head, OUTPUT, false, false, false);
    this.#outgoing.push(new Uint8Array(message));
    this.#outgoing.endsStream = true;
    connection.pumpLater(this);
  }

  /** Sends what the server can take. */
  pump(): void {
    const connection = this.#connection;
    if (connection === null || !this.isOpen) return;
    if (!this.#outgoing.pump(connection.frames, this)) {
      this.fail(Status.resourceExhausted, "no memory for the request");
    }
  }

  override onDrained(): void {
    this.#connection?.pumpLater(this);
  }

  override onInterim(): void {}

  override onResponse(head: ResponseHead, base: number, isEnd: boolean): void {
    const { bytes } = this.#frames;
    const fields = new ReceivedFields(bytes, base, head.fields);
    // Where the status is, it counts, whatever HTTP says.
    if (isEnd && fields.get("grpc-status") !== null) return this.#onStatus(fields);
    if (head.status !== 200) return this.fail(statusOfHttp(head.status), `HTTP ${head.status}`);
    if (!fields.isGrpc) return this.fail(Status.unknown, "the response is not gRPC's");
    if (isEnd) this.fail(Status.unknown, "the response has no grpc-status");
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    if (this.#isOver) return;
    const { bytes } = this.#frames;
    this.#reader.read(bytes, start, end, (message) => this.#onMessage(message));
    if (this.#isOver) return;
    const { fault } = this.#reader;
    if (fault !== null) return this.fail(...FAULT_STATUS[fault]);
    if (isEnd) return this.fail(Status.internal, "the response has no trailers");
    this.#owed += end - start;
    this.#giveWindow();
  }

  override onTrailers(fields: FieldSection, base: number): void {
    if (!this.#isOver) this.#onStatus(new ReceivedFields(this.#frames.bytes, base, fields));
  }

  override onReset(code: number, by: ResetBy): void {
    if (by === "connection") this.fail(Status.unavailable, this.#channel.reason);
    else if (by === "us") this.fail(Status.internal, "the response breaks HTTP/2's rules");
    else this.fail(statusOfReset(code), `the server has reset the call: error ${code}`);
  }

  override onClosed(): void {
    this.fail(Status.internal, "the response has no trailers");
  }

  /** The main thread has used so many bytes of messages. */
  onRead(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (!this.isOpen) return;
    this.#connection?.tick();
    this.#giveWindow();
  }

  /** Ends the call for a reason of our own; the server is told, if it knows of it. */
  fail(status: Status, text: string): void {
    this.#finish(status, text, []);
  }

  #onLate(): void {
    this.fail(Status.deadlineExceeded, "no answer in time");
  }

  #giveWindow(): void {
    if (this.#unreadBytes >= UNREAD_BYTES_MAX || this.#owed === 0) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#frames.consumed(this, owed);
    this.#connection?.onRoom();
  }

  #onMessage(message: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    if (this.#request.isStreaming) {
      this.#unreadBytes += message.length;
      this.#tellMessage(message);
    } else if (this.#message === null) this.#message = message;
    else this.fail(Status.internal, "the response has more than one message");
  }

  /** The fields that end a response. */
  #onStatus(fields: ReceivedFields): void {
    const value = fields.get("grpc-status") ?? "";
    const status = /^[0-9]{1,2}$/.test(value) ? statusOf(Number(value)) : null;
    if (status === null) {
      const what = value === "" ? "no grpc-status" : "a grpc-status that does not exist";
      return this.fail(Status.unknown, `the response has ${what}`);
    }
    if (status !== Status.ok) {
      const text = decodeStatusText(fields.get("grpc-message") ?? "");
      return this.#finish(status, text.slice(0, STATUS_TEXT_BYTES_MAX), fields.metadata);
    }
    if (this.#reader.isWithin) {
      return this.fail(Status.internal, "the response ends within a message");
    }
    if (!this.#request.isStreaming) {
      if (this.#message === null) return this.fail(Status.internal, "the response has no message");
      this.#tellMessage(this.#message);
    }
    this.#finish(status, "", fields.metadata);
  }

  #tellMessage({ buffer: message }: Uint8Array<ArrayBuffer>): void {
    this.#client.thread.tell({ kind: "message", call: this.#request.call, message }, message);
  }

  #finish(status: Status, text: string, metadata: Metadata): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { call } = this.#request;
    this.#client.calls.delete(call);
    this.#channel.forget(this);
    this.#client.thread.loop.timers.disarm(this.#timer);
    this.#reader.clear();
    this.#outgoing.clear();
    this.#message = null;
    this.#client.thread.tell({ kind: "ended", call, status, text, metadata });
    const connection = this.#connection;
    if (connection === null || !this.isOpen || (this.peerEnded && this.weEnded)) return;
    connection.tick();
    const code = this.peerEnded ? ErrorCode.noError : ErrorCode.cancel;
    connection.frames.resetStream(this, code, false);
    connection.onRoom();
  }

  get #frames(): ClientConnection["frames"] {
    const connection = this.#connection;
    if (connection === null) throw new Error("a call without a connection");
    return connection.frames;
  }
}
