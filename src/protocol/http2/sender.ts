/**
 * The frames that a connection sends, and flow control's sending half (RFC 9113 §5.2, §6.9). It
 * takes all content it is given and keeps what cannot go yet, a window's worth by the discipline of
 * whoever gives; streams that can send take turns, one frame each. Sans I/O: frames go to an Output,
 * which somebody flushes once per turn.
 */
import * as control from "../../codec/http2/control-frames.ts";
import {
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  FrameType,
  writeFrameHead,
} from "../../codec/http2/frame-head.ts";
import { INITIAL_WINDOW_BYTES, PeerSettings } from "../../codec/http2/settings.ts";
import { trailersBytesMax } from "../../codec/http2/write-head.ts";
import { copyWithin } from "../../lib/viewed-bytes.ts";
import { type KeptBudget, KeptData } from "./kept-data.ts";
import { OUTPUT_BYTES_MAX } from "./limits.ts";
import { SendQueue } from "./send-queue.ts";
import type { Http2Stream } from "./stream.ts";

/** Where frames are written. */
export interface Output {
  /** `reserve` may put a longer view of the same memory in its place. */
  readonly bytes: Uint8Array;
  /** Bytes that wait for the socket. */
  readonly queuedBytes: number;
  /** Returns the offset of `count` bytes of room in `bytes`. Never fails; a broken one throws away. */
  reserve(count: number): number;
  /** What was written there up to `end` is to be sent. */
  commit(end: number): void;
  /** Sends what it can now. */
  flush(): void;
}

/** Room in `bytes` for one encoded block; it belongs to whoever runs until the next call. */
export type Scratch = { readonly start: number; readonly end: number };

type EncodeTrailers = (
  bytes: Uint8Array,
  start: number,
  end: number,
  at: number,
  carries: boolean,
) => number;

export class Sender {
  readonly peer: PeerSettings;
  /** What all streams together may still send. */
  window = INITIAL_WINDOW_BYTES;
  /** Frames without content written since the output was last empty. */
  controlQueued = 0;
  /** A DATA frame was sent. */
  onData: (stream: Http2Stream) => void = () => {};
  /** A stream has ended on our side. */
  onEnd: (stream: Http2Stream) => void = () => {};
  /** Encodes trailer lines to the output's `bytes` from `at` on and returns where they end. */
  encodeTrailers: EncodeTrailers = () => 0;
  readonly #output: Output;
  readonly #budget: KeptBudget;
  readonly #scratch: Scratch;
  /** Where the frame begins whose block is being encoded; -1: it is encoded in the scratch. */
  #framed = -1;
  readonly #queue = new SendQueue();

  /** `isServer`: it is a server that sends. */
  constructor(output: Output, budget: KeptBudget, scratch: Scratch, isServer: boolean) {
    this.peer = new PeerSettings(!isServer);
    this.#output = output;
    this.#budget = budget;
    this.#scratch = scratch;
  }

  /**
   * Returns where to encode a block of at most `bytesMax`, which `sendBlock` then sends: in its frame
   * already, unless it may need more than one.
   */
  beginBlock(bytesMax: number): number {
    this.#framed = -1;
    if (bytesMax > FRAME_BYTES_MAX) return this.#scratch.start;
    this.#framed = this.#output.reserve(FRAME_HEAD_BYTES + bytesMax);
    return this.#framed + FRAME_HEAD_BYTES;
  }

  /** Sends the block that was encoded where `beginBlock` said, up to `end`. */
  sendBlock(stream: Http2Stream, end: number, isEnd: boolean): void {
    const { bytes } = this.#output;
    const start = this.#framed;
    this.#framed = -1;
    if (start === -1) return this.#sendLongBlock(stream, end, isEnd);
    const flags = isEnd ? Flag.endStream | Flag.endHeaders : Flag.endHeaders;
    const length = end - start - FRAME_HEAD_BYTES;
    writeFrameHead(bytes, start, length, FrameType.headers, flags, stream.id);
    this.#output.commit(end);
    if (isEnd) this.#ended(stream);
  }

  /** The block lies in the scratch, and goes in as many frames as it takes (§6.10). */
  #sendLongBlock(stream: Http2Stream, end: number, isEnd: boolean): void {
    let at = this.#scratch.start;
    let type: number = FrameType.headers;
    let flags: number = isEnd ? Flag.endStream : 0;
    do {
      const count = Math.min(end - at, FRAME_BYTES_MAX);
      if (at + count === end) flags |= Flag.endHeaders;
      const room = this.#output.reserve(FRAME_HEAD_BYTES + count);
      const { bytes } = this.#output;
      const to = writeFrameHead(bytes, room, count, type, flags, stream.id);
      bytes.copyWithin(to, at, at + count);
      this.#output.commit(to + count);
      at += count;
      type = FrameType.continuation;
      flags = 0;
    } while (at < end);
    if (isEnd) this.#ended(stream);
  }

  /**
   * Sends content, now or when it can be. False: there was no room to keep it, and the stream must
   * be reset.
   */
  sendData(stream: Http2Stream, start: number, end: number, isEnd: boolean): boolean {
    let at = start;
    if (stream.keptBytes === 0) {
      while (at < end) {
        const count = this.#allowed(stream, end - at);
        if (count <= 0) break;
        this.#frame(stream, at, count, isEnd && at + count === end);
        at += count;
      }
      if (at === end) {
        if (isEnd && start === end) this.#frame(stream, at, 0, true);
        return true;
      }
    }
    stream.kept ??= new KeptData(this.#budget);
    if (!stream.kept.append(this.#output.bytes, at, end)) return false;
    stream.endsAfterKept = isEnd;
    this.#queue.push(stream);
    return true;
  }

  /**
   * Sends the trailer section `bytes[start, end)`, lines of HTTP/1, behind all content. `carries`:
   * to a sidecar that gives the names their case back.
   */
  sendTrailers(stream: Http2Stream, start: number, end: number, carries: boolean): void {
    const { bytes } = this.#output;
    stream.carriesTrailers = carries;
    if (stream.keptBytes > 0) stream.trailersAfterKept = bytes.slice(start, end);
    else this.#sendTrailersNow(stream, bytes, start, end);
  }

  #sendTrailersNow(stream: Http2Stream, bytes: Uint8Array, start: number, end: number): void {
    const at = this.beginBlock(trailersBytesMax(end - start));
    this.sendBlock(
      stream,
      this.encodeTrailers(bytes, start, end, at, stream.carriesTrailers),
      true,
    );
  }

  /** Nothing of any stream can go: the socket or the connection's window is full. */
  get isBlocked(): boolean {
    return this.window <= 0 || !this.#hasOutput();
  }

  /** So much of a stream's content would go at once, as one frame; 0: it would be kept. */
  room(stream: Http2Stream): number {
    return Math.max(0, this.#allowed(stream, FRAME_BYTES_MAX));
  }

  /** A window has grown, or the socket has taken what was queued. */
  pump(): void {
    if (this.#output.queuedBytes === 0) this.controlQueued = 0;
    for (let stream = this.#queue.shift(); stream !== null; stream = this.#queue.shift()) {
      if (!stream.isOpen || stream.kept === null) continue;
      const count = this.#allowed(stream, stream.keptBytes);
      if (count <= 0) {
        if (stream.sendWindow > 0) {
          // It is not this stream that is blocked but the connection.
          this.#queue.unshift(stream);
          return;
        }
        continue;
      }
      this.#keptFrame(stream, stream.kept, count);
      if (stream.keptBytes > 0) this.#queue.push(stream);
    }
  }

  /** A stream's own window has grown. */
  windowGrew(stream: Http2Stream): void {
    if (stream.keptBytes > 0) this.#queue.push(stream);
  }

  /** The stream is over: what it kept is thrown away. */
  forget(stream: Http2Stream): void {
    this.#queue.remove(stream);
    stream.kept?.clear();
    stream.kept = null;
    stream.trailersAfterKept = null;
  }

  /** Sends bytes that are no frame: a client's preface. */
  raw(bytes: Uint8Array): void {
    const at = this.#output.reserve(bytes.length);
    this.#output.bytes.set(bytes, at);
    this.#output.commit(at + bytes.length);
  }

  rstStream(id: number, code: number): void {
    const at = this.#control();
    this.#output.commit(control.writeRstStream(this.#output.bytes, at, id, code));
  }

  windowUpdate(id: number, increment: number): void {
    const at = this.#control();
    this.#output.commit(control.writeWindowUpdate(this.#output.bytes, at, id, increment));
  }

  /** Answers a PING whose eight bytes are at `payload`. */
  pong(payload: number): void {
    const at = this.#control();
    this.#output.commit(control.writePing(this.#output.bytes, at, Flag.ack, payload));
  }

  /** Asks for an answer. */
  ping(): void {
    const { bytes } = this.#output;
    bytes.fill(0, this.#scratch.start, this.#scratch.start + control.PING_BYTES);
    const at = this.#control();
    this.#output.commit(control.writePing(this.#output.bytes, at, 0, this.#scratch.start));
  }

  goAway(lastId: number, code: number): void {
    const at = this.#control();
    this.#output.commit(control.writeGoAway(this.#output.bytes, at, lastId, code));
  }

  settings(flags: number, entries: readonly (readonly [number, number])[]): void {
    const at = this.#control(entries.length * 6);
    this.#output.commit(control.writeSettings(this.#output.bytes, at, flags, entries));
  }

  #control(more = 0): number {
    if (this.#output.queuedBytes === 0) this.controlQueued = 0;
    this.controlQueued++;
    return this.#output.reserve(control.CONTROL_FRAME_BYTES + more);
  }

  /** How much of `wanted` may go in one frame now. */
  #allowed(stream: Http2Stream, wanted: number): number {
    if (!this.#hasOutput()) return 0;
    // The least that every peer takes: larger frames save nothing and block the other streams.
    return Math.min(wanted, stream.sendWindow, this.window, FRAME_BYTES_MAX);
  }

  #hasOutput(): boolean {
    if (this.#output.queuedBytes < OUTPUT_BYTES_MAX) return true;
    this.#output.flush();
    return this.#output.queuedBytes < OUTPUT_BYTES_MAX;
  }

  #frame(stream: Http2Stream, at: number, count: number, isEnd: boolean): void {
    const to = this.#dataHead(stream, count, isEnd);
    this.#output.commit(copyWithin(this.#output.bytes, at, at + count, to));
    if (isEnd) this.#ended(stream);
  }

  #keptFrame(stream: Http2Stream, kept: KeptData, count: number): void {
    const isLast = count === kept.length;
    const isEnd = isLast && stream.endsAfterKept;
    const to = this.#dataHead(stream, count, isEnd);
    kept.take(count, this.#output.bytes, to);
    this.#output.commit(to + count);
    if (!isLast) return;
    const trailers = stream.trailersAfterKept;
    stream.trailersAfterKept = null;
    if (trailers !== null) {
      this.#sendTrailersNow(stream, trailers, 0, trailers.length);
    } else if (isEnd) this.#ended(stream);
    else stream.onDrained();
  }

  #dataHead(stream: Http2Stream, count: number, isEnd: boolean): number {
    const flags = isEnd ? Flag.endStream : 0;
    stream.sendWindow -= count;
    this.window -= count;
    this.onData(stream);
    const room = this.#output.reserve(FRAME_HEAD_BYTES + count);
    return writeFrameHead(this.#output.bytes, room, count, FrameType.data, flags, stream.id);
  }

  #ended(stream: Http2Stream): void {
    stream.weEnded = true;
    this.onEnd(stream);
  }
}
