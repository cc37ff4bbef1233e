/**
 * An HTTP/2 connection, either end of it, RFC 9113: bytes in, calls of streams' handlers and frames
 * out. No socket and no clock: who owns it feeds `receive`, flushes the Output once per turn, calls
 * `sender.pump` when the socket has taken what waited, and `sweep` about once a second.
 *
 *   open ──GOAWAY, received or sent──▶ going away: no new streams ──all streams over──▶ (owner closes)
 *    └──── any connection error ──▶ GOAWAY sent, over: the owner flushes and closes
 */

import { HpackDecoder } from "../../codec/hpack/decoder.ts";
import { HpackEncoder } from "../../codec/hpack/encoder.ts";
import { ErrorCode } from "../../codec/http2/error-code.ts";
import { Flag } from "../../codec/http2/frame-head.ts";
import { SentBlock } from "../../codec/http2/sent-block.ts";
import { INITIAL_WINDOW_BYTES, WINDOW_BYTES_MAX } from "../../codec/http2/settings.ts";
import { TrailerFields } from "../../codec/http2/trailer-fields.ts";
import { encodeTrailers } from "../../codec/http2/write-head.ts";
import { Closed } from "./closed-streams.ts";

import type { KeptBudget } from "./kept-data.ts";
import * as limits from "./limits.ts";
import { type Output, type Scratch, Sender } from "./sender.ts";
import type { Http2Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** What the connections of a worker share. */
export type Http2Memory = {
  readonly budget: KeptBudget;
  /** Where a block is decoded to, with room for 256 KiB. */
  readonly decodedAt: number;
  /** Where a block is encoded. */
  readonly scratch: Scratch;
};

const SMALL_UPDATE_BYTES = 1_024;

export abstract class Http2Connection extends StreamTable {
  readonly encoder = new HpackEncoder();
  protected readonly memory: Http2Memory;
  protected readonly decoder = new HpackDecoder();
  readonly #trailers = new TrailerFields();
  readonly #isServer: boolean;
  #receiveWindow = limits.CONNECTION_WINDOW_BYTES;
  #sent: SentBlock | null = null;

  constructor(output: Output, memory: Http2Memory, isServer: boolean) {
    super(output, new Sender(output, memory.budget, memory.scratch, isServer));
    this.memory = memory;
    this.#isServer = isServer;
    this.sender.encodeTrailers = (bytes, start, end, at, carries) =>
      encodeTrailers(this.encoder, bytes, start, end, this.bytes, at, carries);
  }

  /** The last head's block, for the next one. */
  get sent(): SentBlock {
    this.#sent ??= new SentBlock();
    return this.#sent;
  }

  /** The peer has changed its SETTINGS. */
  protected abstract onPeerSettings(): void;
  protected override get stallMs(): number {
    const { isPressed } = this.memory.budget;
    return isPressed ? limits.STREAM_STALL_PRESSED_MS : limits.STREAM_STALL_MS;
  }

  /** The number that our next stream will have; 0 for a server, which has none. */
  protected abstract get nextOwnId(): number;

  /** Says our SETTINGS: the first thing on a connection, a client's preface aside. */
  protected sayHello(settings: readonly (readonly [number, number])[]): void {
    this.startedMs = this.nowMs;
    this.sender.settings(0, settings);
    this.sender.windowUpdate(0, limits.CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES);
  }

  protected override onData(
    id: number,
    start: number,
    end: number,
    length: number,
    isEnd: boolean,
  ): void {
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) return this.fail(ErrorCode.flowControlError);
    this.#giveBackConnection();
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#lateData(id);
    if (stream.peerEnded) return this.resetStream(stream, ErrorCode.streamClosed, true);
    if (!stream.hasHead) return this.resetStream(stream, ErrorCode.protocolError, true);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.resetStream(stream, ErrorCode.flowControlError, true);
    const count = end - start;
    if (!isEnd && count < limits.TINY_DATA_BYTES) {
      const { empty, tiny } = limits.Glitch;
      if (!this.glitch(count === 0 ? empty : tiny)) return;
    }
    if (stream.contentLeft >= 0) {
      // §8.1.1: content and Content-Length must agree.
      stream.contentLeft -= count;
      const isWrong = stream.contentLeft < 0 || (isEnd && stream.contentLeft > 0);
      if (isWrong) return this.malformed(stream);
    }
    stream.progressMs = this.nowMs;
    if (length > count) this.consumed(stream, length - count);
    if (isEnd) stream.peerEnded = true;
    stream.onData(start, end, isEnd);
    if (isEnd) this.closeIfDone(stream);
  }

  protected override onRstStream(id: number, code: number): void {
    if (this.#isIdle(id)) return this.fail(ErrorCode.protocolError);
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.#late(id);
      return this.closed.set(id, Closed.byPeer);
    }
    this.remove(stream, Closed.byPeer);
    stream.onReset(code, "peer");
    // A server resets what it cannot serve; only a client's resets cost us work (CVE-2023-44487).
    if (this.#isServer) this.glitch(limits.Glitch.reset);
  }

  protected override onWindowUpdate(id: number, increment: number): void {
    if (increment < SMALL_UPDATE_BYTES && !this.#answer()) return;
    if (id === 0) {
      if (increment === 0) return this.fail(ErrorCode.protocolError);
      this.sender.window += increment;
      if (this.sender.window > WINDOW_BYTES_MAX) return this.fail(ErrorCode.flowControlError);
      return this.sender.pump();
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.#isIdle(id)) this.fail(ErrorCode.protocolError);
      else this.#answer();
      return;
    }
    if (increment === 0) return this.resetStream(stream, ErrorCode.protocolError, true);
    stream.sendWindow += increment;
    if (stream.sendWindow > WINDOW_BYTES_MAX) {
      return this.resetStream(stream, ErrorCode.flowControlError, true);
    }
    if (stream.keptBytes === 0) return;
    stream.progressMs = this.nowMs;
    this.sender.windowGrew(stream);
    this.sender.pump();
  }

  protected override onSettings(start: number, end: number, isFirst: boolean): void {
    if (!isFirst && !this.glitch(limits.Glitch.control)) return;
    const { peer } = this.sender;
    const before = peer.initialWindowBytes;
    const error = peer.read(this.bytes, start, end);
    if (error !== ErrorCode.noError) return this.fail(error);
    const delta = peer.initialWindowBytes - before;
    if (delta !== 0) {
      // §6.9.2: it moves the windows of all streams, below zero perhaps.
      for (const stream of this.streams.list()) {
        stream.sendWindow += delta;
        if (stream.sendWindow > WINDOW_BYTES_MAX) return this.fail(ErrorCode.flowControlError);
        if (delta > 0) this.sender.windowGrew(stream);
      }
    }
    this.encoder.setTableBytesMax(peer.headerTableBytes);
    this.sender.settings(Flag.ack, []);
    this.checkQueue();
    if (delta > 0) this.sender.pump();
    this.onPeerSettings();
  }

  protected override onSettingsAck(): void {
    this.isAcknowledged = true;
  }

  protected override onPing(payload: number): void {
    if (!this.#answer()) return;
    this.sender.pong(payload);
    this.checkQueue();
  }

  protected override onPriority(id: number, error: number): void {
    const stream = this.streams.get(id);
    if (error === ErrorCode.noError) this.glitch(limits.Glitch.priority);
    else if (stream === undefined) this.fail(error);
    else this.resetStream(stream, error, true);
  }

  /** Gives back at once what was received: what streams keep is bounded by their own windows. */
  #giveBackConnection(): void {
    if (this.#receiveWindow > limits.CONNECTION_WINDOW_BYTES / 2) return;
    this.sender.windowUpdate(0, limits.CONNECTION_WINDOW_BYTES - this.#receiveWindow);
    this.#receiveWindow = limits.CONNECTION_WINDOW_BYTES;
    this.checkQueue();
  }

  /** `count` bytes of a stream's content were passed on: the peer may send as many more. */
  consumed(stream: Http2Stream, count: number): void {
    if (!stream.isOpen || stream.peerEnded) return;
    stream.returnable += count;
    if (stream.returnable < limits.STREAM_WINDOW_BYTES / 2) return;
    this.sender.windowUpdate(stream.id, stream.returnable);
    stream.receiveWindow += stream.returnable;
    stream.returnable = 0;
    this.checkQueue();
  }

  /** A frame for a stream that is not there any more. False: nothing more is to be said of it. */
  #late(id: number): boolean {
    const how = this.closed.how(id);
    // All numbers below our next one were used: what we forgot of them, we had ended.
    const isCrossed = how === Closed.byUs || (!this.#isServer && how === Closed.forgotten);
    const { crossed, late } = limits.Glitch;
    return this.glitch(isCrossed ? crossed : late) && !isCrossed;
  }

  #lateData(id: number): void {
    if (this.#isIdle(id)) return this.fail(ErrorCode.protocolError);
    if (!this.#late(id)) return;
    this.sender.rstStream(id, ErrorCode.streamClosed);
    // §5.1: nothing more is said of it.
    this.closed.set(id, Closed.byUs);
    if (this.glitch(limits.Glitch.reset)) this.checkQueue();
  }

  /** HEADERS for a stream that is over. Its block was decoded, so the tables still agree. */
  protected lateHeaders(id: number): void {
    // §5.1.1: a lower number that was never used. §5.1: one that has ended.
    const isUnused = this.#isServer && this.closed.how(id) === Closed.forgotten;
    if (this.#late(id)) this.fail(isUnused ? ErrorCode.protocolError : ErrorCode.streamClosed);
  }

  #isIdle(id: number): boolean {
    const isPeers = (id & 1) === (this.#isServer ? 1 : 0);
    return isPeers ? id > this.lastPeerId : id >= this.nextOwnId;
  }

  /** PING or a window's update. False: the connection is over. */
  #answer(): boolean {
    if (this.glitches.takeAnswer(this.nowMs)) return true;
    this.calm();
    return false;
  }

  /** A second block on a stream: its trailer section. */
  protected takeTrailers(
    stream: Http2Stream,
    isEnd: boolean,
    block: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { decodedAt } = this.memory;
    const trailers = this.#trailers;
    trailers.begin(decodedAt);
    if (!this.decoder.decode(block, start, end, this.bytes, decodedAt, trailers)) {
      return this.fail(ErrorCode.compressionError);
    }
    if (stream.peerEnded) return this.resetStream(stream, ErrorCode.streamClosed, true);
    // §8.1: trailers are the last thing on a stream.
    const isShort = stream.contentLeft > 0;
    if (!isEnd || trailers.isMalformed || isShort || this.decoder.isTooLarge) {
      return this.malformed(stream);
    }
    stream.peerEnded = true;
    trailers.restoreCase(this.bytes, this.decoder.outEnd);
    stream.onTrailers(trailers.fields, decodedAt);
    this.closeIfDone(stream);
  }
}
