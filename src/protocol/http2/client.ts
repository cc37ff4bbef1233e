/** The client's end of an HTTP/2 connection: opens streams as far as the server allows. */

import { DECODED_BYTES_MAX } from "../../codec/hpack/decoder.ts";
import type { RequestHead } from "../../codec/http1/request-head.ts";
import { ResponseHead } from "../../codec/http1/response-head.ts";
import { writtenBytesMax } from "../../codec/http1/write-request.ts";
import { ErrorCode } from "../../codec/http2/error-code.ts";
import { PREFACE, STREAM_ID_MAX } from "../../codec/http2/frame-head.ts";
import { ReceivedResponse } from "../../codec/http2/received-block.ts";
import { ResponseFields } from "../../codec/http2/response-fields.ts";
import { sendRequestHead } from "../../codec/http2/send-head.ts";
import { Setting } from "../../codec/http2/settings.ts";
import { blockBytesMax } from "../../codec/http2/write-head.ts";
import { Http2Connection, type Http2Memory } from "./connection.ts";
import { INTERIM_MAX } from "./limits.ts";
import type { Output } from "./sender.ts";
import { NO_FIELDS } from "./server.ts";
import { Http2Stream } from "./stream.ts";

const SETTINGS: readonly (readonly [number, number])[] = [
  [Setting.enablePush, 0],
  [Setting.maxHeaderListSize, DECODED_BYTES_MAX],
];
/** Our own bound on the streams of a connection, whatever the server allows: more share its fate. */
export const OWN_STREAMS_MAX = 1_000;

/** A request's stream, as its client sees it. */
export abstract class ClientStream extends Http2Stream {
  /** The request is HEAD: its response has no content, whatever its length says. */
  isHead = false;
  interims = 0;
  /** An interim response; its text is in the connection's bytes from `base` until this returns. */
  abstract onInterim(head: ResponseHead, base: number): void;
  /** The final response's head; `isEnd`: it has no content. */
  abstract onResponse(head: ResponseHead, base: number, isEnd: boolean): void;
}

export abstract class Http2Client extends Http2Connection {
  readonly #head = new ResponseHead();
  readonly #fields = new ResponseFields();
  #received: ReceivedResponse | null = null;
  #nextId: number;

  /** `firstId` is odd; only tests begin elsewhere than at 1. */
  constructor(output: Output, memory: Http2Memory, firstId = 1) {
    super(output, memory, false);
    this.#nextId = firstId;
  }

  protected override get nextOwnId(): number {
    return this.#nextId;
  }

  /** Says the preface and our SETTINGS. */
  start(): void {
    this.sender.raw(PREFACE);
    this.sayHello(SETTINGS);
  }

  protected get ownStreamsMax(): number {
    return OWN_STREAMS_MAX;
  }

  /** How many more streams may be opened now. */
  get room(): number {
    if (this.isGoingAway || this.isOver || this.#nextId > STREAM_ID_MAX) return 0;
    const max = Math.min(this.ownStreamsMax, this.sender.peer.maxConcurrentStreams);
    return Math.max(0, max - this.streams.size);
  }

  /**
   * Opens a stream with a request whose text is in the connection's bytes from `base` on; there must
   * be room. `carries`: see encodeRequestHead. `isEnd`: no content follows.
   */
  request(
    stream: ClientStream,
    head: RequestHead,
    base: number,
    carries: boolean,
    isHead: boolean,
    isEnd: boolean,
  ): void {
    stream.isHead = isHead;
    this.open(stream, this.#nextId);
    this.#nextId += 2;
    // §5.1.1: when the numbers are used up, another connection serves the rest.
    if (this.#nextId > STREAM_ID_MAX) this.isGoingAway = true;
    const at = this.sender.beginBlock(blockBytesMax(writtenBytesMax(head), head.fields.count));
    const { bytes, encoder } = this;
    const end = sendRequestHead(this.sent, encoder, bytes, base, head, at, carries);
    this.sender.sendBlock(stream, end, isEnd);
  }

  protected override takePreface(start: number): number {
    return start;
  }

  /** §6.8: what the server says it has not processed may be sent again elsewhere. */
  protected override onGoAway(lastId: number, code: number): void {
    this.isGoingAway = true;
    for (const stream of this.streams.list()) {
      if (stream.id > lastId) this.abandon(stream);
    }
    if (code !== ErrorCode.noError) this.onFault("protocol");
    this.onStreamGone();
  }

  protected override onBlock(
    id: number,
    isEnd: boolean,
    _isSelfDependent: boolean,
    block: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { decodedAt } = this.memory;
    const { bytes, decoder } = this;
    if ((id & 1) === 0 || id >= this.#nextId) return this.fail(ErrorCode.protocolError);
    const stream = this.streams.get(id) as ClientStream | undefined;
    if (stream === undefined || stream.peerEnded) {
      if (!decoder.decode(block, start, end, bytes, decodedAt, NO_FIELDS)) {
        return this.fail(ErrorCode.compressionError);
      }
      if (stream === undefined) return this.lateHeaders(id);
      return this.resetStream(stream, ErrorCode.streamClosed, true);
    }
    if (stream.hasHead) return this.takeTrailers(stream, isEnd, block, start, end);
    const head = this.#head;
    this.#received ??= new ReceivedResponse();
    const kind = (isEnd ? 1 : 0) | (stream.isHead ? 2 : 0);
    if (!this.#received.again(decoder, block, start, end, kind, head, bytes, decodedAt)) {
      const before = decoder.table.changes;
      this.#fields.begin(head, bytes, decodedAt);
      if (!decoder.decode(block, start, end, bytes, decodedAt, this.#fields)) {
        return this.fail(ErrorCode.compressionError);
      }
      const isWhole = this.#fields.finish(decoder.outEnd, isEnd, stream.isHead);
      if (!isWhole || decoder.isTooLarge) return this.malformed(stream);
      this.#received.keep(decoder, before, block, start, end, kind, head, bytes, decodedAt);
    }
    stream.progressMs = this.nowMs;
    if (head.status < 200) {
      if (++stream.interims > INTERIM_MAX) return this.malformed(stream);
      return stream.onInterim(head, decodedAt);
    }
    const mayLackContent = stream.isHead || head.status === 204 || head.status === 304;
    stream.hasHead = true;
    stream.contentLeft = mayLackContent ? 0 : head.framing.contentLength;
    if (isEnd) stream.peerEnded = true;
    stream.onResponse(head, decodedAt, isEnd);
    if (isEnd) this.closeIfDone(stream);
  }
}
