/**
 * The streams of a connection from their first frame to their end, and how the connection itself
 * ends: the errors of RFC 9113 §5.4, what misbehaviour costs, and streams on which nothing moves.
 */
import { ErrorCode } from "../../codec/http2/error-code.ts";
import { Closed, ClosedStreams } from "./closed-streams.ts";
import { FrameReader } from "./frame-reader.ts";
import { GlitchBudget } from "./glitch-budget.ts";
import * as limits from "./limits.ts";
import type { Output, Sender } from "./sender.ts";
import type { Http2Stream } from "./stream.ts";
import { Streams } from "./streams.ts";

/** What the peer did wrong, for a counter: broke a rule, sent a malformed message, or too much. */
export type Http2Fault = "protocol" | "malformed" | "flood";

export abstract class StreamTable extends FrameReader {
  readonly sender: Sender;
  /** No new streams: the peer or we have said GOAWAY. */
  isGoingAway = false;
  protected readonly streams = new Streams();
  protected readonly closed = new ClosedStreams();
  protected readonly glitches = new GlitchBudget();
  /** Highest stream that the peer opened. */
  protected lastPeerId = 0;
  protected startedMs = 0;
  /** The peer has acknowledged our SETTINGS. */
  protected isAcknowledged = false;

  constructor(output: Output, sender: Sender) {
    super(output);
    this.sender = sender;
    sender.onData = (stream) => {
      stream.progressMs = this.nowMs;
      this.glitches.sentData();
    };
    sender.onEnd = (stream) => this.closeIfDone(stream);
  }

  /** How long a stream may not move. */
  protected abstract get stallMs(): number;
  protected abstract onFault(fault: Http2Fault): void;
  /** A stream left the table. */
  protected abstract onStreamGone(): void;

  get streamCount(): number {
    return this.streams.size;
  }

  protected open(stream: Http2Stream, id: number): void {
    stream.id = id;
    stream.isOpen = true;
    stream.sendWindow = this.sender.peer.initialWindowBytes;
    stream.progressMs = this.nowMs;
    this.streams.add(stream);
  }

  /** Ends a stream with RST_STREAM; `isPeersFault`: it counts against the peer (CVE-2025-8671). */
  resetStream(stream: Http2Stream, code: number, isPeersFault: boolean): void {
    if (!stream.isOpen) return;
    this.remove(stream, Closed.byUs);
    this.refuse(stream.id, code, isPeersFault);
    stream.onReset(code, "us");
  }

  /** Sends RST_STREAM for a stream that is in no table. */
  protected refuse(id: number, code: number, isPeersFault: boolean): void {
    this.sender.rstStream(id, code);
    if (isPeersFault) {
      this.onFault("protocol");
      if (!this.glitch(limits.Glitch.reset)) return;
    }
    this.checkQueue();
  }

  /** A message that breaks a rule of RFC 9113 §8. */
  protected malformed(stream: Http2Stream): void {
    this.onFault("malformed");
    this.resetStream(stream, ErrorCode.protocolError, true);
  }

  /** The peer says that it has not looked at a stream, so it may be sent again (§6.8). */
  protected abandon(stream: Http2Stream): void {
    if (!stream.isOpen) return;
    this.remove(stream, Closed.byUs);
    stream.onReset(ErrorCode.refusedStream, "peer");
  }

  protected closeIfDone(stream: Http2Stream): void {
    if (!stream.isOpen || !stream.peerEnded || !stream.weEnded) return;
    this.remove(stream, Closed.byEnd);
    this.glitches.completed();
    stream.onClosed();
  }

  protected remove(stream: Http2Stream, how: Closed): void {
    this.streams.delete(stream.id);
    stream.isOpen = false;
    this.closed.add(stream.id, how);
    this.sender.forget(stream);
    this.onStreamGone();
  }

  protected override glitch(cost: number): boolean {
    if (this.glitches.take(cost, this.nowMs)) return true;
    this.calm();
    return false;
  }

  protected override calm(): void {
    if (this.isOver) return;
    this.onFault("flood");
    this.end(ErrorCode.enhanceYourCalm);
  }

  /** Answers that the peer does not read must not pile up (CVE-2019-9512, CVE-2019-9515). */
  protected checkQueue(): void {
    if (this.sender.controlQueued <= limits.CONTROL_FRAMES_QUEUED_MAX) return;
    this.output.flush();
    if (this.output.queuedBytes > 0) this.calm();
    else this.sender.controlQueued = 0;
  }

  override fail(code: number): void {
    if (this.isOver) return;
    this.onFault("protocol");
    this.end(code);
  }

  /** The last stream that GOAWAY may name: it must not rise (§6.8). */
  protected get lastAcceptedId(): number {
    return this.lastPeerId;
  }

  /** Says GOAWAY and ends all streams; the owner flushes and closes. */
  end(code: number): void {
    if (this.isOver) return;
    this.sender.goAway(this.lastAcceptedId, code);
    this.endStreams(code);
  }

  /** The connection is gone, or about to be: tells every stream. */
  endStreams(code: number): void {
    this.isOver = true;
    this.isGoingAway = true;
    for (const stream of this.streams.list()) {
      if (!stream.isOpen) continue;
      this.remove(stream, Closed.byUs);
      stream.onReset(code, "connection");
    }
  }

  /**
   * Resets streams whose peer takes nothing, or does not send the rest of what it announced, and
   * ends a connection whose peer never acknowledged our SETTINGS. A stream on which both sides are
   * silent may live for ever: gRPC's do.
   */
  sweep(): void {
    const isLate = this.nowMs - this.startedMs > limits.SETTINGS_TIMEOUT_MS;
    if (!this.isAcknowledged && isLate) return this.fail(ErrorCode.settingsTimeout);
    if (this.blockMs > limits.BLOCK_TIMEOUT_MS) return this.calm();
    for (const stream of this.streams.list()) {
      if (stream.weEnded && stream.resetAtMs !== 0) {
        if (this.nowMs >= stream.resetAtMs) this.resetStream(stream, ErrorCode.noError, false);
        continue;
      }
      const isSending = stream.contentLeft > 0 && !stream.peerEnded && stream.receiveWindow > 0;
      if (stream.keptBytes === 0 && !isSending) continue;
      if (this.nowMs - stream.progressMs > this.stallMs) {
        this.resetStream(stream, ErrorCode.cancel, true);
      }
    }
  }
}
