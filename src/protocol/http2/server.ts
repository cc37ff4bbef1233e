/** The server's end of an HTTP/2 connection: takes requests, refuses what is too much or malformed. */

import { DECODED_BYTES_MAX, type FieldSink } from "../../codec/hpack/decoder.ts";
import type { Http1Error } from "../../codec/http1/errors.ts";
import type { RequestHead } from "../../codec/http1/request-head.ts";
import { ErrorCode } from "../../codec/http2/error-code.ts";
import { PREFACE, STREAM_ID_MAX } from "../../codec/http2/frame-head.ts";
import { ReceivedRequest } from "../../codec/http2/received-block.ts";
import { RequestFields, type RequestVerdict } from "../../codec/http2/request-fields.ts";
import { Setting } from "../../codec/http2/settings.ts";
import { Closed } from "./closed-streams.ts";
import { Http2Connection, type Http2Memory } from "./connection.ts";
import { Glitch, STREAMS_MAX } from "./limits.ts";
import type { Output } from "./sender.ts";
import { Http2Stream } from "./stream.ts";

const ROUND_TRIP_MS = 1_000;

/** Takes nothing: the block is decoded for its tables' sake only. */
export const NO_FIELDS: FieldSink = { field: () => false };

/** A request's stream, as its server sees it. */
export abstract class ServerStream extends Http2Stream {
  /**
   * The head is there, its text in the connection's bytes from `base` on until this returns. The
   * head is whoever's who implements this. `isEnd`: it has no content.
   */
  abstract onRequest(head: RequestHead, base: number, isEnd: boolean): void;
  /** The request cannot be served; it is to be answered with the error's status. */
  abstract onBadRequest(error: Http1Error): void;
}

export abstract class Http2Server extends Http2Connection {
  readonly #fields = new RequestFields();
  readonly #streamsMax: number;
  #received: ReceivedRequest | null = null;
  #prefaceBytes = 0;
  /** Streams above are ignored: the client knew that we go away. */
  #lastAccepted = STREAM_ID_MAX;
  #drainedAtMs = 0;

  /** `streamsMax`: that the client may have open at once. */
  constructor(output: Output, memory: Http2Memory, streamsMax = STREAMS_MAX) {
    super(output, memory, true);
    this.#streamsMax = streamsMax;
  }

  protected abstract createStream(): ServerStream;
  protected abstract takeHead(): RequestHead;
  protected abstract returnHead(head: RequestHead): void;
  /** `l5d-orig-proto` counts on this connection. */
  protected abstract readonly believesMesh: boolean;

  protected override get nextOwnId(): number {
    return 0;
  }

  start(): void {
    this.sayHello([
      [Setting.maxConcurrentStreams, this.#streamsMax],
      [Setting.maxHeaderListSize, DECODED_BYTES_MAX],
    ]);
  }

  /**
   * Begins a graceful end (RFC 9113 §6.8): first a GOAWAY that refuses nothing, so that no request
   * on its way is lost, and when a round trip is over the one that counts.
   */
  drain(): void {
    if (this.#drainedAtMs !== 0 || this.isOver) return;
    this.#drainedAtMs = this.nowMs;
    this.sender.goAway(STREAM_ID_MAX, ErrorCode.noError);
    this.sender.ping();
  }

  protected override onPingAck(): void {
    if (this.#drainedAtMs === 0 || this.isGoingAway) return;
    this.isGoingAway = true;
    this.#lastAccepted = this.lastPeerId;
    this.sender.goAway(this.lastPeerId, ErrorCode.noError);
    this.onStreamGone();
  }

  protected override get lastAcceptedId(): number {
    return Math.min(this.lastPeerId, this.#lastAccepted);
  }

  /** If our PING is not answered, this long is a round trip too. */
  override sweep(): void {
    const isWaiting = this.#drainedAtMs !== 0;
    if (isWaiting && this.nowMs - this.#drainedAtMs >= ROUND_TRIP_MS) this.onPingAck();
    super.sweep();
  }

  protected override takePreface(start: number, end: number): number {
    let at = start;
    while (this.#prefaceBytes < PREFACE.length && at < end) {
      if (this.bytes[at++] !== PREFACE[this.#prefaceBytes++]) return -1;
    }
    return at;
  }

  protected override onGoAway(): void {
    // The client opens no streams any more; those that it has go on.
    if (this.glitch(Glitch.control)) this.onStreamGone();
  }

  protected override onBlock(
    id: number,
    isEnd: boolean,
    isSelfDependent: boolean,
    block: Uint8Array,
    start: number,
    end: number,
  ): void {
    if ((id & 1) === 0) return this.fail(ErrorCode.protocolError);
    const stream = this.streams.get(id);
    if (stream !== undefined) return this.takeTrailers(stream, isEnd, block, start, end);
    if (id > this.lastPeerId && id <= this.#lastAccepted && this.streams.size < this.#streamsMax) {
      return this.#onRequest(id, isEnd, isSelfDependent, block, start, end);
    }
    // §4.3: every block is decoded, or the next one could not be.
    if (!this.decoder.decode(block, start, end, this.bytes, this.memory.decodedAt, NO_FIELDS)) {
      return this.fail(ErrorCode.compressionError);
    }
    if (id <= this.lastPeerId) return this.lateHeaders(id);
    this.lastPeerId = id;
    this.closed.add(id, Closed.byUs);
    if (id > this.#lastAccepted) return void this.glitch(Glitch.late);
    this.refuse(id, ErrorCode.refusedStream, true);
  }

  #onRequest(
    id: number,
    isEnd: boolean,
    isSelfDependent: boolean,
    block: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { decodedAt } = this.memory;
    const { decoder } = this;
    this.lastPeerId = id;
    const head = this.takeHead();
    this.#received ??= new ReceivedRequest();
    const kind = isEnd ? 1 : 0;
    let verdict: RequestVerdict = "ok";
    const { bytes } = this;
    if (!this.#received.again(decoder, block, start, end, kind, head, bytes, decodedAt)) {
      const before = decoder.table.changes;
      this.#fields.begin(head, bytes, decodedAt);
      if (!decoder.decode(block, start, end, bytes, decodedAt, this.#fields)) {
        this.returnHead(head);
        return this.fail(ErrorCode.compressionError);
      }
      const { outEnd, isTooLarge } = decoder;
      verdict = this.#fields.finish(outEnd, isEnd, isTooLarge, this.believesMesh);
      if (verdict === "ok") {
        this.#received.keep(decoder, before, block, start, end, kind, head, bytes, decodedAt);
      }
    }
    if (verdict === "malformed" || isSelfDependent) {
      this.returnHead(head);
      this.onFault("malformed");
      this.closed.add(id, Closed.byUs);
      return this.refuse(id, ErrorCode.protocolError, true);
    }
    const stream = this.createStream();
    this.open(stream, id);
    stream.hasHead = true;
    stream.peerEnded = isEnd;
    stream.contentLeft = isEnd ? -1 : head.framing.contentLength;
    if (verdict === "ok") return stream.onRequest(head, decodedAt, isEnd);
    this.returnHead(head);
    stream.onBadRequest(verdict);
  }
}
