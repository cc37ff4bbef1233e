/**
 * A client's connection to a gRPC server, shared by its calls.
 *
 *   dialling ──▶ handshake, server checked ──▶ settling ──SETTINGS──▶ open ──GOAWAY──▶ going away
 *                                                │ plaintext begins here
 *
 * `closed` is told to the main thread as soon as no more calls are taken. A server that has been
 * silent while calls are open is asked whether it lives, and given up when it does not answer.
 */
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { BROKEN, Connection, END } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { MORE, readFrames } from "../net/read-frames.ts";
import { Http2Client } from "../protocol/http2/client.ts";
import type { Http2Fault } from "../protocol/http2/stream-table.ts";
import type { ClientCall } from "./client-call.ts";
import type { Channel } from "./client-channel.ts";
import type { ClientTls } from "./client-messages.ts";
import { EXPIRED_GRACE_MS, PING_MS, READS_PER_TURN, STREAMS_MAX, SWEEP_MS } from "./limits.ts";
import { Liveness } from "./liveness.ts";
import { PumpQueue } from "./pump-queue.ts";
import { verifyServer } from "./verify-server.ts";

class Frames extends Http2Client {
  readonly #owner: ClientConnection;

  constructor(owner: ClientConnection) {
    super(owner.output, owner.channel.client.thread.http2);
    this.#owner = owner;
  }

  protected override get ownStreamsMax(): number {
    return STREAMS_MAX;
  }
  protected override onPeerSettings(): void {
    this.#owner.onSettings();
  }
  protected override onStreamGone(): void {
    this.#owner.onRoom();
  }
  protected override onPingAck(): void {}
  protected override onGoAway(lastId: number, code: number): void {
    super.onGoAway(lastId, code);
    this.#owner.channel.onClosed("the server goes away");
  }
  protected override onFault(fault: Http2Fault): void {
    this.#owner.onPeerFault(fault);
  }
}

export class ClientConnection extends Connection {
  readonly channel: Channel;
  readonly frames: Frames;
  readonly #kept: KeptBytes;
  readonly #timer: Timer;
  readonly #pumping = new PumpQueue();
  /** What the server is checked by, until it has been. */
  #unchecked: ClientTls | null;
  /** What the server last did wrong. */
  #fault: Http2Fault | null = null;
  /** Wall clock, milliseconds; the server's certificate is good until then. */
  #notAfterMs = Number.POSITIVE_INFINITY;
  readonly #liveness: Liveness;

  /** Takes the dialled connection `from` over. */
  constructor(channel: Channel, from: Connection, tls: ClientTls | null) {
    super(channel.client.thread.io, from.fd);
    this.channel = channel;
    this.takeOver(from);
    this.#unchecked = tls;
    this.#kept = new KeptBytes(this.io.arena);
    this.#timer = new Timer(() => this.io.loop.guard(this, () => this.#sweep()));
    this.frames = new Frames(this);
    this.#liveness = new Liveness(PING_MS, this.io.loop.clock.nowMs);
  }

  protected override get defersFlush(): boolean {
    return true;
  }

  /** TLS, if any, was started. */
  begin(): void {
    this.readable = true;
    if (this.#unchecked === null) this.#startFrames();
    this.io.loop.defer(this);
  }

  /** The frames' clock is the turn's. */
  tick(): void {
    this.frames.nowMs = this.io.loop.clock.nowMs;
  }

  /** The server has said what it allows: it speaks HTTP/2. */
  onSettings(): void {
    this.channel.onOpened();
    this.onRoom();
  }

  /** There may be room for a call, or the last one of a connection that goes away is over. */
  onRoom(): void {
    if (this.isOpen) this.io.loop.defer(this);
  }

  /** Whether it ends the connection or only a stream, the frames know. */
  onPeerFault(fault: Http2Fault): void {
    this.#fault = fault;
  }

  /** Has a call send more at the turn's end. */
  pumpLater(call: ClientCall): void {
    this.#pumping.add(call, this.io.loop.clock.nowMs);
    this.io.loop.defer(this);
  }

  protected override onReady(drained: boolean): void {
    this.tick();
    if (drained && this.#unchecked === null) this.frames.sender.pump();
    this.#advance();
    if (!this.#pumping.isEmpty) this.io.loop.defer(this);
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    this.tick();
    this.#advance();
    if (!this.isOpen || this.#unchecked !== null) return;
    this.channel.beginCalls();
    this.#pumping.run(this.frames.sender, this.frames.nowMs);
    this.flush();
    if (this.isOpen && this.queuedBytes === 0) {
      this.frames.sender.pump();
      this.flush();
    }
    if (!this.#pumping.isEmpty && !this.frames.sender.isBlocked) this.io.loop.defer(this);
    if (this.isBroken) return this.#gone();
    const { isGoingAway, isOver, streamCount } = this.frames;
    if (isOver && this.#fault !== null) this.fail(`the server breaks a rule: ${this.#fault}`);
    else if (isOver || (isGoingAway && streamCount === 0)) this.close();
  }

  #advance(): void {
    if (this.#unchecked !== null) this.#shakeHands(this.#unchecked);
    if (this.isOpen && this.#unchecked === null && this.readable) this.#read();
    if (this.isBroken) this.#gone();
  }

  #shakeHands(tls: ClientTls): void {
    const result = this.handshake();
    if (result === "waiting") return;
    if (result === "failed") {
      const failure = this.tls?.failure ?? "closed";
      const hint = failure === "untrusted" ? ", its trust anchors are others" : "";
      return this.fail(`the TLS handshake failed: ${failure}${hint}`);
    }
    const verdict = verifyServer(this.tls?.peerChain() ?? [], tls, Date.now());
    if ("refusal" in verdict) return this.fail(verdict.refusal);
    this.#unchecked = null;
    this.#notAfterMs = verdict.notAfterMs;
    this.#startFrames();
  }

  #startFrames(): void {
    this.tick();
    this.frames.start();
    this.#arm();
    this.readable = true;
    this.io.loop.defer(this);
  }

  #read(): void {
    const result = readFrames(this, this.frames, this.#kept, READS_PER_TURN);
    if (result === MORE) this.io.loop.defer(this);
    else if (result === END || result === BROKEN) this.#gone();
  }

  #gone(): void {
    const why = this.tls?.failure ?? null;
    this.fail(why === null ? "the server has closed the connection" : `TLS: ${why}`);
  }

  /** Gives the connection up; its calls and the main thread are told why. */
  fail(reason: string): void {
    this.channel.onClosed(reason);
    this.close();
  }

  /** Calls under way end; the server is told. */
  sayGoodbye(): void {
    this.tick();
    this.frames.end(ErrorCode.noError);
    this.io.loop.defer(this);
  }

  override onFault(): void {
    this.fail("an error within the client");
  }

  #arm(): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + SWEEP_MS);
  }

  #sweep(): void {
    if (!this.isOpen) return;
    this.tick();
    this.frames.sweep();
    this.#watchExpiry();
    if (this.frames.streamCount > 0) this.#watch(this.frames.nowMs);
    if (!this.isOpen) return;
    this.#arm();
    this.io.loop.defer(this);
  }

  #watchExpiry(): void {
    const expiredMs = Date.now() - this.#notAfterMs;
    if (expiredMs <= 0) return;
    this.frames.isGoingAway = true;
    this.channel.onClosed("the server's certificate has expired");
    if (expiredMs > EXPIRED_GRACE_MS) this.close();
  }

  #watch(nowMs: number): void {
    const verdict = this.#liveness.look(this.bytesRead, nowMs);
    if (verdict === "gone") this.fail("the server does not answer");
    else if (verdict === "ask") this.frames.sender.ping();
  }

  override close(): void {
    if (!this.isOpen) return;
    this.io.loop.timers.disarm(this.#timer);
    this.#kept.clear();
    this.#pumping.clear();
    this.tick();
    this.frames.endStreams(ErrorCode.connectError);
    super.close();
    this.channel.onGone();
  }
}
