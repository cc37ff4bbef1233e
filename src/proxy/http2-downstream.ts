/**
 * A client's connection of HTTP/2: frames in, one Http2Request for each stream, frames out at the
 * end of the turn. When the connection is over it says why with GOAWAY and a ClosingClient sees to it
 * that the client can read that.
 */

import type { RequestHead } from "../codec/http1/request-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { BROKEN, END } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { MORE, readFrames } from "../net/read-frames.ts";
import type { Http2Memory } from "../protocol/http2/connection.ts";
import type { Output } from "../protocol/http2/sender.ts";
import { Http2Server, type ServerStream } from "../protocol/http2/server.ts";
import type { Http2Fault } from "../protocol/http2/stream-table.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClosingClient } from "./closing-client.ts";
import type { Context } from "./context.ts";
import { Http2Request } from "./http2-request.ts";
import {
  CLIENT_IDLE_MS,
  HEAD_TIMEOUT_MS,
  HTTP2_SWEEP_MS,
  READS_PER_TURN,
  SHARED_STREAMS_MIN,
} from "./limits.ts";
import { Router } from "./router.ts";

class Frames extends Http2Server {
  protected readonly believesMesh: boolean;
  readonly #owner: Http2Downstream;

  constructor(owner: Http2Downstream, output: Output, memory: Http2Memory) {
    super(output, memory);
    this.#owner = owner;
    // Sidecars come in at the inbound listener; an application's own word is not taken.
    this.believesMesh = owner.origin.kind === "inbound";
  }

  protected override createStream(): ServerStream {
    return Http2Request.for(this.#owner);
  }
  protected override takeHead(): RequestHead {
    return this.#owner.context.takeRequestHead();
  }
  protected override returnHead(head: RequestHead): void {
    this.#owner.context.returnRequestHead(head);
  }
  protected override onPeerSettings(): void {}
  protected override onStreamGone(): void {
    this.#owner.onStreamGone();
  }
  protected override onFault(fault: Http2Fault): void {
    this.#owner.onPeerFault(fault);
  }
}

export class Http2Downstream extends ClientConnection {
  readonly frames: Frames;
  readonly router: Router;
  readonly #kept: KeptBytes;
  readonly #begun: Http2Request[] = [];
  #usedMs = 0;
  /** Bytes read as of the last sweep that saw some, and when that was. */
  #seenBytes = 0;
  #seenMs = 0;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.router = new Router(context, origin);
    this.#kept = new KeptBytes(context.io.arena);
    this.frames = new Frames(this, this.output, context.http2Memory);
  }

  get bytes(): Uint8Array {
    return this.io.arena.bytes;
  }

  override begin(): void {
    this.context.count("http2_connections_accepted");
    this.tick();
    this.#usedMs = this.frames.nowMs;
    this.frames.start();
    if (this.isDraining) this.frames.drain();
    this.arm(HTTP2_SWEEP_MS);
    this.readable = true;
    this.io.loop.defer(this);
  }

  /** The frames' clock is the turn's. */
  tick(): void {
    this.frames.nowMs = this.io.loop.clock.nowMs;
  }

  protected override get defersFlush(): boolean {
    return true;
  }

  protected override onReady(drained: boolean): void {
    if (this.hasError) return this.reset();
    this.tick();
    if (drained) this.frames.sender.pump();
    if (this.readable) this.#read();
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    this.tick();
    if (this.readable) this.#read();
    if (!this.isOpen) return;
    if (this.frames.streamCount >= SHARED_STREAMS_MIN) this.context.sharedWrites++;
    this.flush();
    if (this.queuedBytes === 0) {
      // Streams kept what was more than one turn's output.
      this.frames.sender.pump();
      this.flush();
    }
    if (this.isBroken) return this.reset();
    const { isGoingAway, isOver, streamCount } = this.frames;
    if (isOver || (isGoingAway && streamCount === 0)) this.#finish();
  }

  #read(): void {
    const result = readFrames(this, this.frames, this.#kept, READS_PER_TURN);
    this.#beginRequests();
    if (result === MORE) this.io.loop.defer(this);
    else if (result === BROKEN) this.reset();
    else if (result === END) this.#onEnd();
  }

  /** Has a request begin when all that was read is used. */
  beginLater(request: Http2Request): void {
    this.#begun.push(request);
  }

  #beginRequests(): void {
    if (this.#begun.length === 0) return;
    for (const request of this.#begun) request.begin();
    this.#begun.length = 0;
  }

  /** The client sends no more, and so no WINDOW_UPDATE either: what is under way is called off. */
  #onEnd(): void {
    this.frames.endStreams(ErrorCode.cancel);
    this.io.loop.defer(this);
  }

  /** Another request came in: the connection is in use. */
  onRequest(): void {
    this.#usedMs = this.frames.nowMs;
    this.context.count("http2_requests");
  }

  /** The last stream of a connection that goes away may be over. */
  onStreamGone(): void {
    this.#usedMs = this.frames.nowMs;
    if (this.frames.isGoingAway) this.io.loop.defer(this);
  }

  onPeerFault(fault: Http2Fault): void {
    if (fault === "flood") this.context.count("http2_floods");
    else if (fault === "malformed") this.context.count("http2_malformed");
    else this.context.count("http2_protocol_errors");
  }

  /** All that is to be said is queued. */
  #finish(): void {
    this.frames.endStreams(ErrorCode.cancel);
    this.#kept.clear();
    new ClosingClient(this, true).begin();
  }

  override drain(): void {
    this.tick();
    this.frames.drain();
  }

  protected override onTimer(): void {
    if (!this.isOpen) return;
    this.tick();
    this.frames.sweep();
    this.#watchPart();
    const idleMs = this.frames.nowMs - this.#usedMs;
    if (this.frames.streamCount === 0 && idleMs > CLIENT_IDLE_MS)
      this.frames.end(ErrorCode.noError);
    this.arm(HTTP2_SWEEP_MS);
    this.io.loop.defer(this);
  }

  /** Half a frame holds a chunk of memory, and no longer than half a head of HTTP/1 would. */
  #watchPart(): void {
    const { nowMs } = this.frames;
    if (this.bytesRead !== this.#seenBytes || this.#kept.length === 0) {
      this.#seenBytes = this.bytesRead;
      this.#seenMs = nowMs;
    } else if (nowMs - this.#seenMs > HEAD_TIMEOUT_MS) {
      this.context.count("request_timeout");
      this.frames.end(ErrorCode.enhanceYourCalm);
    }
  }

  override onFault(): void {
    this.reset();
  }

  protected override onClosing(): void {
    this.frames.endStreams(ErrorCode.cancel);
    this.#kept.clear();
  }
}
