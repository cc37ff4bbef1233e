/** One request on a connection of HTTP/2 to an endpoint. */

import type { FieldSection } from "../codec/http1/field-section.ts";
import { Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { writeTrailers } from "../codec/http1/trailers.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { restoreResponseCase } from "../codec/http2/response-fields.ts";
import { OUTPUT } from "../net/arena.ts";
import { ClientStream } from "../protocol/http2/client.ts";
import type { ResetBy } from "../protocol/http2/stream.ts";
import type { Exchange } from "./exchange.ts";
import type { Http2Upstream } from "./http2-upstream.ts";
import type { Responder } from "./sides.ts";

export class UpstreamStream extends ClientStream implements Responder {
  isReused = false;
  hasReceived = false;
  #connection: Http2Upstream;
  #carries = false;
  #exchange: Exchange | null = null;
  #isRetired = false;
  /** Content that the client has not taken yet, and that is not given back to the peer. */
  #owed = 0;
  /** Bytes that the connection has sent when the request's first one is next. */
  #sentBefore = 0;

  private constructor(connection: Http2Upstream) {
    super();
    this.#connection = connection;
  }

  /** Returns one for a request of `exchange`, used before or new. */
  static for(connection: Http2Upstream, exchange: Exchange, carries: boolean): UpstreamStream {
    const used = connection.context.upstreamStreams.take();
    const stream = used ?? new UpstreamStream(connection);
    stream.renew();
    stream.isHead = false;
    stream.interims = 0;
    stream.hasReceived = false;
    stream.isReused = connection.isReused;
    stream.#connection = connection;
    stream.#carries = carries;
    stream.#exchange = exchange;
    stream.#owed = 0;
    stream.#isRetired = false;
    return stream;
  }

  /** Whenever the stream has ended or the exchange lets go: the last one retires it. */
  #retireIfOver(): void {
    if (this.isOpen || this.#exchange !== null || this.#isRetired) return;
    this.#isRetired = true;
    this.#connection.context.upstreamStreams.retire(this);
  }

  get progress(): number {
    return this.progressMs;
  }

  get isBlocked(): boolean {
    return this.keptBytes > 0;
  }

  /** The kernel took no byte of the request. */
  get isUnsent(): boolean {
    return this.#connection.bytesWritten <= this.#sentBefore;
  }

  /** A connection that breaks tells its streams by itself. */
  get isBroken(): boolean {
    return false;
  }

  sendHead(head: RequestHead, base: number, isEnd: boolean): void {
    const connection = this.#connection;
    connection.isReused = true;
    connection.tick();
    this.#sentBefore = connection.bytesWritten + connection.queuedBytes;
    const isHead = head.method === Method.head;
    connection.frames.request(this, head, base, this.#carries, isHead, isEnd);
  }

  sendContent(start: number, end: number, isLast: boolean): void {
    if (!this.isOpen) return;
    this.#connection.tick();
    const isKept = this.#connection.frames.sender.sendData(this, start, end, isLast);
    if (!isKept) this.#exchange?.onBackendGone("no-memory");
  }

  endContent(start: number, end: number): void {
    if (!this.isOpen) return;
    this.#connection.tick();
    const { sender } = this.#connection.frames;
    if (end === start) sender.sendData(this, 0, 0, true);
    else sender.sendTrailers(this, start, end, this.#carries);
  }

  /** The connection flushes by itself at the end of the turn. */
  flush(): void {}

  pump(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed === 0 || !this.isOpen) return;
    this.#connection.tick();
    this.#connection.frames.consumed(this, owed);
  }

  /** Adds the request that waits here, if no byte of a response has come. */
  addWaiting(waiting: Exchange[]): void {
    if (this.#exchange !== null && !this.hasReceived) waiting.push(this.#exchange);
  }

  /** Whatever is left of the stream is not wanted any more. */
  finish(): void {
    this.#exchange = null;
    if (!this.isOpen) return this.#retireIfOver();
    if (this.peerEnded && this.weEnded) return;
    this.#connection.tick();
    const code = this.peerEnded ? ErrorCode.noError : ErrorCode.cancel;
    this.#connection.frames.resetStream(this, code, false);
    this.#connection.onCancel();
  }

  override onInterim(head: ResponseHead, base: number): void {
    this.hasReceived = true;
    if (this.#carries) restoreResponseCase(this.#connection.bytes, base, head);
    this.#exchange?.onInterim(head, base);
  }

  override onResponse(head: ResponseHead, base: number, isEnd: boolean): void {
    const exchange = this.#exchange;
    this.hasReceived = true;
    if (exchange === null) return;
    if (this.#carries) restoreResponseCase(this.#connection.bytes, base, head);
    exchange.onHead(head, base, isEnd);
    if (isEnd) this.#complete();
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    const { client } = this.#exchange ?? {};
    if (client === undefined) return this.#connection.frames.consumed(this, end - start);
    client.writeContent(start, end, isEnd);
    if (isEnd) return this.#complete();
    if (this.#exchange === null) return;
    // A client of HTTP/1 flushes at the end of the turn, and then pumps.
    if (client.isBlocked) this.#owed += end - start;
    else this.#connection.frames.consumed(this, end - start);
  }

  override onTrailers(fields: FieldSection, base: number): void {
    const end = writeTrailers(this.#connection.bytes, base, fields, OUTPUT);
    this.#exchange?.onTrailers(fields, base);
    this.#exchange?.client.endContent(OUTPUT, end);
    this.#complete();
  }

  #complete(): void {
    // The exchange lets go of this stream with `finish`, which ends what is still being sent. The
    // client flushes at the end of the turn.
    this.#exchange?.complete(true);
  }

  override onReset(code: number, by: ResetBy): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#retireIfOver();
    if (exchange === null) return;
    if (by === "connection") exchange.onBackendGone("backend-closed");
    else if (by === "us") exchange.onBackendGone("bad-response", code);
    else exchange.onBackendReset(code, this.#connection.isGoingAway);
  }

  override onDrained(): void {
    this.#exchange?.client.wantsPump();
  }

  override onClosed(): void {
    this.#connection.onCompleted();
    this.#retireIfOver();
  }
}
