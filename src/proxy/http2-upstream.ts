/**
 * A connection of HTTP/2 to an endpoint, shared by the streams of many clients. What it writes in a
 * turn goes out together at the turn's end. It says PING when it has heard nothing for a while and
 * closes when nobody answers, so that a peer that vanished does not hold its streams for ever.
 */
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { BROKEN, type Connection, END } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { MORE, readFrames } from "../net/read-frames.ts";
import { Http2Client } from "../protocol/http2/client.ts";
import type { Http2Memory } from "../protocol/http2/connection.ts";
import { GlitchBudget } from "../protocol/http2/glitch-budget.ts";
import { Glitch } from "../protocol/http2/limits.ts";
import type { Output } from "../protocol/http2/sender.ts";
import type { Http2Fault } from "../protocol/http2/stream-table.ts";
import type { Context } from "./context.ts";
import { EndpointConnection } from "./endpoint-connection.ts";
import type { Exchange } from "./exchange.ts";
import type { UpstreamStream } from "./http2-upstream-stream.ts";
import {
  HTTP2_IDLE_MS,
  HTTP2_PING_MS,
  HTTP2_PING_TIMEOUT_MS,
  HTTP2_SWEEP_MS,
  PROOF_GRACE_MS,
  READS_PER_TURN,
  SHARED_STREAMS_MIN,
} from "./limits.ts";
import { recordClose, recordOpen } from "./outcome.ts";

/** Twice what it costs us: the connection is left while half of the peer's patience is there. */
const CANCEL_COST = 2 * Glitch.reset;

class Frames extends Http2Client {
  readonly #owner: Http2Upstream;

  constructor(owner: Http2Upstream, output: Output, memory: Http2Memory) {
    super(output, memory);
    this.#owner = owner;
  }

  /** Adds the requests that wait here without a byte of a response. */
  addWaiting(waiting: Exchange[]): void {
    for (const stream of this.streams.list()) (stream as UpstreamStream).addWaiting(waiting);
  }

  protected override onPeerSettings(): void {
    this.#owner.onRoom();
  }
  protected override onStreamGone(): void {
    this.#owner.onRoom();
  }
  protected override onPingAck(): void {}
  protected override onGoAway(lastId: number, code: number): void {
    this.#owner.context.count("http2_goaways_received");
    super.onGoAway(lastId, code);
  }
  protected override onFault(fault: Http2Fault): void {
    this.#owner.onPeerFault(fault);
  }
}

export class Http2Upstream extends EndpointConnection {
  readonly endpoint: Endpoint;
  readonly frames: Frames;
  /** For the next connection to the same endpoint. */
  readonly timeoutMs: number;
  /** It has served a request. */
  isReused = false;
  /** What our cancels would cost at the peer, if it counts as we do. */
  readonly #cancels = new GlitchBudget();
  readonly context: Context;
  readonly #kept: KeptBytes;
  readonly #timer: Timer;
  #heardMs = 0;
  #pingedMs = 0;
  #usedMs = 0;

  constructor(context: Context, from: Connection, endpoint: Endpoint, timeoutMs: number) {
    super(context.io, from.fd);
    this.context = context;
    this.endpoint = endpoint;
    this.timeoutMs = timeoutMs;
    this.takeOver(from);
    this.#kept = new KeptBytes(context.io.arena);
    this.#timer = new Timer(() => context.io.loop.guard(this, () => this.#sweep()));
    this.frames = new Frames(this, this.output, context.http2Memory);
    recordOpen(context, endpoint.series);
    context.count("http2_connections_opened");
  }

  get bytes(): Uint8Array {
    return this.io.arena.bytes;
  }

  get room(): number {
    return this.isBroken || !this.isOpen ? 0 : this.frames.room;
  }

  get isGoingAway(): boolean {
    return this.frames.isGoingAway;
  }

  begin(): void {
    const { nowMs } = this.io.loop.clock;
    this.#heardMs = nowMs;
    this.#usedMs = nowMs;
    this.tick();
    this.frames.start();
    this.#arm();
    this.io.loop.defer(this);
  }

  /** The frames' clock is the turn's. */
  tick(): void {
    this.frames.nowMs = this.io.loop.clock.nowMs;
  }

  /**
   * A client has called its request off. One client's cancels must not have the peer end what all
   * share (CVE-2023-44487): before that, another connection takes its place.
   */
  onCancel(): void {
    if (!this.#cancels.take(CANCEL_COST, this.frames.nowMs)) this.retire();
  }

  onCompleted(): void {
    this.#cancels.completed();
  }

  /** Those that waited went elsewhere, and nothing is left: it may be this and not the endpoint that is dead. */
  retireIfEmpty(): void {
    if (this.isOpen && this.frames.streamCount === 0) this.retire();
  }

  /** Takes no new streams; closes when the last is over. */
  retire(): void {
    if (this.frames.isGoingAway) return;
    this.frames.isGoingAway = true;
    this.context.http2.remove(this);
    if (this.frames.streamCount === 0) this.close();
  }

  /** There may be room for a stream, or the last one of a connection that goes away is over. */
  onRoom(): void {
    this.#usedMs = this.io.loop.clock.nowMs;
    if (this.frames.isOver) return this.io.loop.defer(this);
    if (!this.frames.isGoingAway) return this.context.http2.onRoom(this);
    if (this.frames.streamCount === 0) this.io.loop.defer(this);
  }

  onPeerFault(fault: Http2Fault): void {
    if (fault === "flood") this.context.count("http2_floods");
    else this.context.count("bad_response");
  }

  protected override onReady(drained: boolean): void {
    this.tick();
    if (drained) this.frames.sender.pump();
    if (this.readable) this.#read();
    if (this.isBroken) this.#gone();
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    this.tick();
    if (this.readable) this.#read();
    if (this.frames.streamCount >= SHARED_STREAMS_MIN) this.context.sharedWrites++;
    this.flush();
    if (this.isOpen && this.queuedBytes === 0) {
      this.frames.sender.pump();
      this.flush();
    }
    if (this.isBroken) return this.#gone();
    const { isGoingAway, isOver, streamCount } = this.frames;
    if (isOver || (isGoingAway && streamCount === 0)) this.close();
  }

  #read(): void {
    const before = this.bytesRead;
    const result = readFrames(this, this.frames, this.#kept, READS_PER_TURN);
    if (this.bytesRead > before) this.#heardMs = this.io.loop.clock.nowMs;
    if (result === MORE) this.io.loop.defer(this);
    else if (result === END || result === BROKEN) this.#gone();
  }

  /** The peer closed or broke off: every stream learns of it. */
  #gone(): void {
    this.tick();
    this.frames.endStreams(ErrorCode.connectError);
    this.close();
  }

  override onFault(): void {
    this.#gone();
  }

  #arm(): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + HTTP2_SWEEP_MS);
  }

  #sweep(): void {
    if (!this.isOpen) return;
    const { nowMs } = this.io.loop.clock;
    this.tick();
    this.frames.sweep();
    if (this.tls !== null && !this.#isProofValid()) return;
    if (this.frames.streamCount === 0 && nowMs - this.#usedMs > HTTP2_IDLE_MS) {
      this.frames.end(ErrorCode.noError);
    } else if (this.frames.streamCount > 0) this.#watch(nowMs);
    this.#arm();
    this.io.loop.defer(this);
  }

  /** What was proved is over: no new streams, and in the end none at all. False: closed. */
  #isProofValid(): boolean {
    const overMs = this.context.mesh.wallMs - this.provenUntilMs;
    if (overMs >= PROOF_GRACE_MS) {
      this.context.count("tls_proof_expired");
      this.#gone();
    } else if (overMs >= 0) this.retire();
    return this.isOpen;
  }

  #watch(nowMs: number): void {
    const isAnswered = this.#heardMs >= this.#pingedMs;
    if (!isAnswered && nowMs - this.#pingedMs > HTTP2_PING_TIMEOUT_MS) {
      this.context.count("backend_aborted");
      this.isBroken = true;
    } else if (isAnswered && nowMs - this.#heardMs > HTTP2_PING_MS) {
      this.#pingedMs = nowMs;
      this.frames.sender.ping();
    }
  }

  override close(): void {
    if (!this.isOpen) return;
    this.frames.endStreams(ErrorCode.connectError);
    this.context.http2.remove(this);
    this.io.loop.timers.disarm(this.#timer);
    this.#kept.clear();
    recordClose(this.context, this.endpoint.series, this.bytesRead, this.bytesWritten);
    super.close();
  }
}
