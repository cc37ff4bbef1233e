/**
 * From bytes to whole frames, RFC 9113 §4 and §6: sizes, padding, the rule that nothing may come
 * between a HEADERS frame and its last CONTINUATION. What a frame means is its heir's business.
 */
import {
  PING_BYTES,
  PRIORITY_BYTES,
  RST_STREAM_BYTES,
  WINDOW_UPDATE_BYTES,
} from "../../codec/http2/control-frames.ts";
import { ErrorCode } from "../../codec/http2/error-code.ts";
import {
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  FrameType,
  readLength,
  readU31,
  readU32,
} from "../../codec/http2/frame-head.ts";
import { Payload } from "../../codec/http2/payload.ts";
import { SETTING_BYTES } from "../../codec/http2/settings.ts";
import { HeaderBlock } from "./header-block.ts";
import { Glitch, SETTINGS_ENTRIES_MAX } from "./limits.ts";
import type { Output } from "./sender.ts";

const GO_AWAY_BYTES_MIN = 8;

export abstract class FrameReader {
  /** No frame is read any more. */
  isOver = false;
  /** Monotonic; set by the owner before it calls anything else. */
  nowMs = 0;
  readonly #payload = new Payload();
  readonly #block = new HeaderBlock();
  protected readonly output: Output;
  #hasSettings = false;

  constructor(output: Output) {
    this.output = output;
  }

  /** What is read and what is written lie in the same memory. */
  get bytes(): Uint8Array {
    return this.output.bytes;
  }

  /** Takes what must come before the first frame; returns where frames begin, -1: it is wrong. */
  protected abstract takePreface(start: number, end: number): number;
  /** `length` is the whole payload's, which flow control counts; the content is in `[start, end)`. */
  protected abstract onData(
    id: number,
    start: number,
    end: number,
    length: number,
    isEnd: boolean,
  ): void;
  /** A whole header block is in `block[start, end)`. */
  protected abstract onBlock(
    id: number,
    isEnd: boolean,
    isSelfDependent: boolean,
    block: Uint8Array,
    start: number,
    end: number,
  ): void;
  protected abstract onRstStream(id: number, code: number): void;
  protected abstract onWindowUpdate(id: number, increment: number): void;
  /** Entries in `bytes[start, end)`. */
  protected abstract onSettings(start: number, end: number, isFirst: boolean): void;
  protected abstract onSettingsAck(): void;
  /** Eight bytes at `payload`. */
  protected abstract onPing(payload: number): void;
  protected abstract onPingAck(): void;
  protected abstract onGoAway(lastId: number, code: number): void;
  /** `error` is an ErrorCode: RFC 7540's rules for the frame that RFC 9113 §5.3.2 deprecates. */
  protected abstract onPriority(id: number, error: number): void;
  /** Ends the connection with an error. */
  abstract fail(code: number): void;
  /** Counts misbehaviour. False: it was too much, the connection is over. */
  protected abstract glitch(cost: number): boolean;
  /** Ends the connection for too much of something. */
  protected abstract calm(): void;

  /** Uses the frames that are whole in `bytes[start, end)`; returns the first byte not used. */
  receive(start: number, end: number): number {
    const { bytes } = this;
    let at = this.takePreface(start, end);
    if (at === -1) {
      this.fail(ErrorCode.protocolError);
      return end;
    }
    while (!this.isOver && end - at >= FRAME_HEAD_BYTES) {
      const length = readLength(bytes, at);
      if (length > FRAME_BYTES_MAX) {
        this.fail(ErrorCode.frameSizeError);
        break;
      }
      const from = at + FRAME_HEAD_BYTES;
      if (end - from < length) break;
      const type = bytes[at + 3] ?? 0;
      const flags = bytes[at + 4] ?? 0;
      const id = readU31(bytes, at + 5);
      at = from + length;
      this.#take(type, flags, id, from, at);
    }
    return this.isOver ? end : at;
  }

  /** How long a header block has been on its way, milliseconds; 0 when none is. */
  get blockMs(): number {
    return this.#block.streamId === 0 ? 0 : this.nowMs - this.#block.beganMs;
  }

  #take(type: number, flags: number, id: number, start: number, end: number): void {
    const pending = this.#block.streamId;
    if (pending !== 0 && (type !== FrameType.continuation || id !== pending)) {
      return this.fail(ErrorCode.protocolError);
    }
    // §3.4: SETTINGS come first, and not as an answer.
    const isHello = type === FrameType.settings && (flags & Flag.ack) === 0;
    if (!this.#hasSettings && !isHello) return this.fail(ErrorCode.protocolError);
    switch (type) {
      case FrameType.data:
        return this.#takeData(flags, id, start, end);
      case FrameType.headers:
        return this.#takeHeaders(flags, id, start, end);
      case FrameType.continuation:
        return this.#takeContinuation(flags, start, end);
      case FrameType.rstStream:
      case FrameType.windowUpdate:
        return this.#takeFour(type, id, start, end);
      case FrameType.settings:
        return this.#takeSettings(flags, id, start, end);
      case FrameType.ping:
        return this.#takePing(flags, id, start, end);
      case FrameType.goAway:
        if (id !== 0) return this.fail(ErrorCode.protocolError);
        if (end - start < GO_AWAY_BYTES_MIN) return this.fail(ErrorCode.frameSizeError);
        return this.onGoAway(readU31(this.bytes, start), readU32(this.bytes, start + 4));
      case FrameType.priority:
        return this.#takePriority(id, start, end);
      case FrameType.pushPromise:
        // Never allowed by us, nor to a server (§8.4).
        return this.fail(ErrorCode.protocolError);
      default:
        // §4.1: unknown types are ignored; many of them are a flood like any other.
        this.glitch(Glitch.priority);
    }
  }

  #takeData(flags: number, id: number, start: number, end: number): void {
    const payload = this.#payload;
    if (id === 0 || !payload.read(this.bytes, start, end, flags & ~Flag.priority, id)) {
      return this.fail(ErrorCode.protocolError);
    }
    const isEnd = (flags & Flag.endStream) !== 0;
    this.onData(id, payload.start, payload.end, end - start, isEnd);
  }

  #takeHeaders(flags: number, id: number, start: number, end: number): void {
    const payload = this.#payload;
    if (id === 0 || !payload.read(this.bytes, start, end, flags, id)) {
      return this.fail(ErrorCode.protocolError);
    }
    const isEnd = (flags & Flag.endStream) !== 0;
    const { isSelfDependent, start: from, end: to } = payload;
    if ((flags & Flag.endHeaders) !== 0) {
      return this.onBlock(id, isEnd, isSelfDependent, this.bytes, from, to);
    }
    if (from === to && !this.glitch(Glitch.empty)) return;
    this.#block.beganMs = this.nowMs;
    this.#block.begin(id, isEnd, isSelfDependent, this.bytes, from, to);
  }

  #takeContinuation(flags: number, start: number, end: number): void {
    const block = this.#block;
    if (block.streamId === 0) return this.fail(ErrorCode.protocolError);
    if (!block.continue(this.bytes, start, end)) return this.calm();
    if ((flags & Flag.endHeaders) === 0) {
      if (start === end) this.glitch(Glitch.empty);
      return;
    }
    const { streamId, isEnd, isSelfDependent, bytes, length } = block;
    block.end();
    this.onBlock(streamId, isEnd, isSelfDependent, bytes, 0, length);
  }

  /** RST_STREAM and WINDOW_UPDATE: four bytes each. */
  #takeFour(type: number, id: number, start: number, end: number): void {
    const isReset = type === FrameType.rstStream;
    if (end - start !== (isReset ? RST_STREAM_BYTES : WINDOW_UPDATE_BYTES)) {
      return this.fail(ErrorCode.frameSizeError);
    }
    if (!isReset) return this.onWindowUpdate(id, readU31(this.bytes, start));
    if (id === 0) return this.fail(ErrorCode.protocolError);
    this.onRstStream(id, readU32(this.bytes, start));
  }

  #takeSettings(flags: number, id: number, start: number, end: number): void {
    const length = end - start;
    if (id !== 0) return this.fail(ErrorCode.protocolError);
    if ((flags & Flag.ack) !== 0) {
      if (length !== 0) return this.fail(ErrorCode.frameSizeError);
      return this.onSettingsAck();
    }
    if (length % SETTING_BYTES !== 0) return this.fail(ErrorCode.frameSizeError);
    if (length / SETTING_BYTES > SETTINGS_ENTRIES_MAX) return this.calm();
    const isFirst = !this.#hasSettings;
    this.#hasSettings = true;
    this.onSettings(start, end, isFirst);
  }

  #takePing(flags: number, id: number, start: number, end: number): void {
    if (id !== 0) return this.fail(ErrorCode.protocolError);
    if (end - start !== PING_BYTES) return this.fail(ErrorCode.frameSizeError);
    if ((flags & Flag.ack) !== 0) this.onPingAck();
    else this.onPing(start);
  }

  #takePriority(id: number, start: number, end: number): void {
    if (id === 0) return this.fail(ErrorCode.protocolError);
    if (end - start !== PRIORITY_BYTES) return this.onPriority(id, ErrorCode.frameSizeError);
    const isSelfDependent = readU31(this.bytes, start) === id;
    this.onPriority(id, isSelfDependent ? ErrorCode.protocolError : ErrorCode.noError);
  }
}
