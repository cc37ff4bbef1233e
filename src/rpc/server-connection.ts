/**
 * A client's connection to a gRPC server. A first byte of 0x16 begins TLS (RFC 8446 §5.1), anything
 * else is HTTP/2 in plaintext, which only this host may speak to us.
 *   first byte ──0x16──▶ handshake ──certificate good, or none──▶ open ──▶ ClosingConnection
 *        └───────── plaintext, from loopback ───────────────────────┘
 */
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { INPUT } from "../net/arena.ts";
import { BROKEN, Connection, END, WAIT } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { MORE, readFrames } from "../net/read-frames.ts";
import type { Origin } from "./accept.ts";
import { ClosingConnection } from "./closing.ts";
import * as limits from "./limits.ts";
import { Liveness } from "./liveness.ts";
import { PumpQueue } from "./pump-queue.ts";
import type { RpcServer } from "./server.ts";
import type { ServerCall } from "./server-call.ts";
import { ServerFrames } from "./server-frames.ts";
import type { Peer } from "./server-messages.ts";

const TLS_HANDSHAKE = 0x16;

type Stage = "first-byte" | "handshake" | "open";

export class ServerConnection extends Connection {
  readonly server: RpcServer;
  readonly frames: ServerFrames;
  peer: Peer;
  readonly #isLoopback: boolean;
  readonly #kept: KeptBytes;
  readonly #timer: Timer;
  readonly #begun: ServerCall[] = [];
  readonly #pumping = new PumpQueue();
  readonly #liveness: Liveness;
  #stage: Stage = "first-byte";
  #usedMs = 0;
  #seenBytes = 0;
  #seenMs = 0;
  /** Wall clock, milliseconds; the client's certificate is good until then. */
  #notAfterMs = Number.POSITIVE_INFINITY;

  constructor(server: RpcServer, fd: number, origin: Origin) {
    super(server.thread.io, fd);
    this.server = server;
    this.peer = { address: origin.address, isTls: false, identity: null };
    this.#isLoopback = origin.isLoopback;
    this.#kept = new KeptBytes(this.io.arena);
    this.#timer = new Timer(() => this.io.loop.guard(this, () => this.#onTimer()));
    this.frames = new ServerFrames(this);
    this.#liveness = new Liveness(server.limits.silenceMs, this.io.loop.clock.nowMs);
  }

  protected override get defersFlush(): boolean {
    return true;
  }

  begin(): void {
    this.#arm(this.server.limits.handshakeTimeoutMs);
    this.readable = true;
    this.io.loop.defer(this);
  }

  /** The frames' clock is the turn's. */
  tick(): void {
    this.frames.nowMs = this.io.loop.clock.nowMs;
  }

  /** Has a call begin when all that was read is used: one reset in the same breath never does. */
  beginLater(call: ServerCall): void {
    this.#begun.push(call);
  }

  /** Has a call send more at the turn's end. */
  pumpLater(call: ServerCall): void {
    this.#pumping.add(call, this.io.loop.clock.nowMs);
    this.io.loop.defer(this);
  }

  onCallGone(): void {
    this.#usedMs = this.frames.nowMs;
    if (this.frames.isGoingAway) this.io.loop.defer(this);
  }

  drain(): void {
    if (this.#stage === "first-byte" || this.#stage === "handshake") return this.close();
    this.tick();
    this.frames.drain();
  }

  protected override onReady(drained: boolean): void {
    if (this.hasError) return this.reset();
    this.tick();
    if (drained && this.#stage === "open") this.frames.sender.pump();
    this.#advance();
    if (!this.#pumping.isEmpty) this.io.loop.defer(this);
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    this.tick();
    this.#advance();
    if (!this.isOpen || this.#stage !== "open") return;
    this.#pumping.run(this.frames.sender, this.frames.nowMs);
    this.flush();
    if (this.queuedBytes === 0) {
      // Streams kept what was more than one turn's output.
      this.frames.sender.pump();
      this.flush();
    }
    if (!this.#pumping.isEmpty && !this.frames.sender.isBlocked) this.io.loop.defer(this);
    if (this.isBroken) return this.reset();
    const { isGoingAway, isOver, streamCount } = this.frames;
    if (isOver || (isGoingAway && streamCount === 0)) this.#finish();
  }

  #advance(): void {
    if (this.#stage === "first-byte") this.#look();
    if (this.#stage === "handshake") this.#shakeHands();
    if (this.#stage === "open" && this.readable) this.#read();
  }

  #look(): void {
    const count = this.peek(INPUT);
    if (count === WAIT) return;
    if (count <= 0) return this.close();
    if (this.io.arena.bytes[INPUT] !== TLS_HANDSHAKE) {
      if (this.#isLoopback) {
        this.server.admission.know(this, null);
        return this.#open();
      }
      this.server.count("refused_plaintext");
      return this.close();
    }
    const { tls } = this.server;
    if (tls === null) {
      this.server.count("refused_tls");
      return this.close();
    }
    this.startTls(tls.context, null);
    this.#stage = "handshake";
  }

  #shakeHands(): void {
    const result = this.handshake();
    if (result === "waiting") return;
    if (result === "failed") {
      this.server.count("failed_handshakes");
      return this.close();
    }
    if (!this.#identify()) {
      this.server.count("refused_certificates");
      return this.close();
    }
    const { identity } = this.peer;
    if (identity === null || this.server.admission.know(this, identity)) return this.#open();
    this.server.count("refused_connections");
    this.close();
  }

  /** OpenSSL has checked what was shown, if anything was, and now we do. */
  #identify(): boolean {
    const chain = this.tls?.peerChain() ?? null;
    if (chain === null) return false;
    const verifier = this.server.tls?.verifier ?? null;
    let identity = null;
    if (chain.length > 0 && verifier !== null) {
      const verdict = verifier.verify(chain, "client", Date.now());
      if ("refused" in verdict) return false;
      identity = verdict.identity;
      this.#notAfterMs = verdict.notAfterMs;
    }
    this.peer = { address: this.peer.address, isTls: true, identity };
    return true;
  }

  #open(): void {
    this.#stage = "open";
    this.#usedMs = this.io.loop.clock.nowMs;
    this.frames.start();
    if (this.server.isDraining) this.frames.drain();
    this.#arm(limits.SWEEP_MS);
    this.readable = true;
  }

  #read(): void {
    const result = readFrames(this, this.frames, this.#kept, limits.READS_PER_TURN);
    this.#beginCalls();
    if (result === MORE) this.io.loop.defer(this);
    else if (result === BROKEN) this.reset();
    else if (result === END) this.#onEnd();
  }

  /** It sends no WINDOW_UPDATE any more either: what is under way is called off. */
  #onEnd(): void {
    this.frames.endStreams(ErrorCode.cancel);
    this.io.loop.defer(this);
  }

  #beginCalls(): void {
    if (this.#begun.length === 0) return;
    this.#usedMs = this.frames.nowMs;
    for (const call of this.#begun) call.begin();
    this.#begun.length = 0;
  }

  /** All that is to be said is queued. */
  #finish(): void {
    const { server } = this;
    this.#leave();
    const closing = new ClosingConnection(this.io, this, (closed) => server.onGone(closed));
    server.connections.add(closing);
    closing.begin();
  }

  #arm(ms: number): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + ms);
  }

  #onTimer(): void {
    if (!this.isOpen) return;
    if (this.#stage !== "open") {
      this.server.count("failed_handshakes");
      return this.close();
    }
    this.tick();
    this.frames.sweep();
    this.#watch();
    if (this.frames.streamCount > 0) this.#probe();
    if (!this.isOpen) return;
    this.#arm(limits.SWEEP_MS);
    this.io.loop.defer(this);
  }

  #watch(): void {
    const { nowMs, streamCount } = this.frames;
    const { idleMs } = this.server.limits;
    const isKnown = this.peer.identity !== null || !this.peer.isTls;
    const patienceMs = isKnown ? idleMs : Math.min(idleMs, limits.ANONYMOUS_IDLE_MS);
    if (streamCount === 0 && nowMs - this.#usedMs > patienceMs) {
      this.server.count("idle_closed");
      this.frames.end(ErrorCode.noError);
    }
    const expiredMs = Date.now() - this.#notAfterMs;
    if (expiredMs > limits.EXPIRED_GRACE_MS) this.frames.end(ErrorCode.noError);
    else if (expiredMs > 0) this.frames.drain();
    if (this.bytesRead !== this.#seenBytes || this.#kept.length === 0) {
      this.#seenBytes = this.bytesRead;
      this.#seenMs = nowMs;
    } else if (nowMs - this.#seenMs > limits.PART_TIMEOUT_MS) {
      this.frames.end(ErrorCode.enhanceYourCalm);
    }
  }

  /** Calls of who is gone would be open for ever. */
  #probe(): void {
    const { nowMs, sender } = this.frames;
    const verdict = this.#liveness.look(this.bytesRead, nowMs);
    if (verdict === "ask") sender.ping();
    // One that speaks but takes nothing is no better.
    const isStuck = this.#pumping.stalledMs(nowMs) > this.frames.stallMs;
    if (verdict !== "gone" && !isStuck) return;
    this.server.count("silent_closed");
    this.reset();
  }

  override onFault(): void {
    this.reset();
  }

  override close(): void {
    if (!this.isOpen) return;
    this.#leave();
    super.close();
  }

  override reset(): void {
    if (!this.isOpen) return;
    this.#leave();
    super.reset();
  }

  #leave(): void {
    this.tick();
    this.frames.endStreams(ErrorCode.cancel);
    this.#kept.clear();
    this.#pumping.clear();
    this.io.loop.timers.disarm(this.#timer);
    this.server.onGone(this);
  }
}
