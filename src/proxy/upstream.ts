/**
 * A connection to an endpoint that speaks HTTP/1. Busy, it reads its exchange's response and writes
 * it to the client, no faster than the client takes it. Idle, it lies in the pool, and whatever
 * comes then (a close, or bytes that nobody asked for) closes it.
 */
import { BodyRelay } from "../codec/http1/body.ts";
import { Step } from "../codec/http1/field-section.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ConnectionChoice, writeResponseHead } from "../codec/http1/write-response.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { INPUT, INPUT_BYTES, OUTPUT } from "../net/arena.ts";
import { BROKEN, Connection, END, WAIT } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import type { Context } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { INTERIM_MAX, POOL_IDLE_MARGIN_MS, POOL_IDLE_MS, READS_PER_TURN } from "./limits.ts";
import { recordClose, recordOpen } from "./outcome.ts";
import { RELAY_SCRATCH } from "./scratch.ts";

/** A body's first bytes travel in one write with the head up to this size; beyond it, two. */
const JOINED_BYTES_MAX = 16_384;

export class Upstream extends Connection {
  readonly endpoint: Endpoint;
  isReused = false;
  /** A byte of the current response came. */
  hasReceived = false;
  readonly #context: Context;
  readonly #response = new BodyRelay();
  readonly #timer: Timer;
  #exchange: Exchange | null = null;
  #head: ResponseHead | null = null;
  #inBody = false;
  #interims = 0;
  #keepAlive = true;
  #clientGoesOn = true;
  #idleMs = POOL_IDLE_MS;
  #sentBefore = 0;
  /** Bytes that wait for more: an unfinished head or trailer section. */
  readonly #kept: KeptBytes;

  constructor(context: Context, from: Connection, endpoint: Endpoint, isCounted = false) {
    super(context.io, from.fd);
    this.#context = context;
    this.#kept = new KeptBytes(context.io.arena);
    this.endpoint = endpoint;
    this.#timer = new Timer(() => this.close());
    this.takeOver(from);
    if (!isCounted) recordOpen(context, endpoint.series);
  }

  /** Bytes of the current request that the kernel took. */
  get sentBytes(): number {
    return this.bytesWritten - this.#sentBefore;
  }

  begin(exchange: Exchange, isReused: boolean): void {
    this.#exchange = exchange;
    this.isReused = isReused;
    this.hasReceived = false;
    this.#inBody = false;
    this.#interims = 0;
    this.#sentBefore = this.bytesWritten;
    if (isReused) this.io.loop.timers.disarm(this.#timer);
    if (this.readable) this.io.loop.defer(this);
  }

  /** The exchange is over: back to the pool, or closed. */
  finish(isReusable: boolean): void {
    this.#exchange = null;
    const isClean =
      this.#kept.length === 0 && this.queuedBytes === 0 && !this.hasError && this.isOpen;
    if (!isReusable || !isClean || !this.#keepAlive || this.#context.isDraining)
      return this.close();
    if (this.#idleMs <= 0 || !this.#context.pools.put(this)) return this.close();
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + this.#idleMs);
    if (this.readable) this.io.loop.defer(this);
  }

  override close(): void {
    if (!this.isOpen) return;
    if (this.#exchange === null) this.#context.pools.remove(this);
    this.io.loop.timers.disarm(this.#timer);
    this.#kept.clear();
    if (this.#head !== null) this.#context.returnResponseHead(this.#head);
    this.#head = null;
    recordClose(this.#context, this.endpoint.series, this.bytesRead, this.bytesWritten);
    super.close();
  }

  protected override onReady(drained: boolean): void {
    if (this.readable) this.pump();
    if (drained && this.isOpen) this.#exchange?.client.wantsPump();
    if (this.isBroken && this.isOpen && !this.readable) this.#gone();
  }

  override onDeferred(): void {
    if (this.isOpen) this.pump();
  }

  override onFault(): void {
    const exchange = this.#exchange;
    if (exchange !== null) exchange.client.onFault();
    else this.close();
  }

  /** Reads and hands on, while there is something and the client takes it. */
  pump(): void {
    for (let reads = 0; this.readable; reads++) {
      const exchange = this.#exchange;
      if (exchange === null) {
        this.#context.count("pool_closed_idle");
        return this.close();
      }
      if (exchange.client.queuedBytes > 0) return;
      if (reads === READS_PER_TURN) return this.io.loop.defer(this);
      const kept = this.#kept;
      const at = kept.length > 0 ? kept.end : INPUT;
      const count = this.read(at, kept.length > 0 ? kept.room : INPUT_BYTES);
      if (count === WAIT) return;
      if (count === END || count === BROKEN) return this.#onEnd(exchange, count === END);
      this.hasReceived = true;
      const start = kept.length > 0 ? kept.start : INPUT;
      if (!this.#take(exchange, start, at + count)) return;
    }
  }

  #onEnd(exchange: Exchange, isFin: boolean): void {
    const { bytes } = this.io.arena;
    this.#keepAlive = false;
    if (isFin && this.#inBody && this.#response.finish(bytes, OUTPUT)) {
      exchange.client.write(this.#response.outStart, this.#response.outEnd);
      return exchange.complete(false, this.#clientGoesOn);
    }
    this.#gone();
  }

  #gone(): void {
    if (this.#exchange === null) this.close();
    else this.#exchange.onBackendGone("backend-closed");
  }

  /** Uses `bytes[start, end)`. False: this connection is not to be read any more for now. */
  #take(exchange: Exchange, start: number, end: number): boolean {
    let at = start;
    let out = OUTPUT;
    while (!this.#inBody) {
      this.#head ??= this.#context.takeResponseHead();
      const head = this.#head;
      const step = head.parse(this.io.arena.bytes, at, end);
      if (step === Step.incomplete) return this.#keep(exchange, at, end);
      if (step === Step.malformed) return this.#bad(exchange);
      if (head.status === 101) return this.#switch(exchange, head, at, end);
      if (head.status < 200) {
        if (++this.#interims > INTERIM_MAX) return this.#bad(exchange);
        this.#writeInterim(exchange, head, at);
        at += head.end;
        head.reset();
        if (at === end) return this.#keep(exchange, at, end);
        continue;
      }
      out = this.#writeHead(exchange, head, at);
      at += head.end;
      this.#context.returnResponseHead(head);
      this.#head = null;
      this.#inBody = true;
    }
    return this.#takeBody(exchange, at, end, out);
  }

  #takeBody(exchange: Exchange, start: number, end: number, headEnd: number): boolean {
    const { bytes } = this.io.arena;
    const response = this.#response;
    const client = exchange.client;
    if (!response.relay(bytes, start, end, RELAY_SCRATCH)) {
      client.write(OUTPUT, headEnd);
      return this.#bad(exchange);
    }
    const length = response.outEnd - response.outStart;
    if (headEnd > OUTPUT && length <= JOINED_BYTES_MAX) {
      bytes.copyWithin(headEnd, response.outStart, response.outEnd);
      client.write(OUTPUT, headEnd + length);
    } else {
      client.write(OUTPUT, headEnd);
      client.write(response.outStart, response.outEnd);
    }
    if (client.isBroken) {
      client.onFault();
      return false;
    }
    if (!response.isDone) return this.#keep(exchange, response.consumed, end);
    // Bytes after the response were not asked for: nobody may ever see them.
    const isExact = response.consumed === end;
    this.#kept.clear();
    exchange.complete(isExact && this.#keepAlive, this.#clientGoesOn);
    return false;
  }

  /** Writes the final head to OUTPUT and returns where it ends. */
  #writeHead(exchange: Exchange, head: ResponseHead, base: number): number {
    const { status, framing } = head;
    const isV1 = exchange.minorVersion === 1;
    let from: BodyKind = BodyKind.untilClose;
    if (exchange.isHead || status === 204 || status === 304) from = BodyKind.none;
    else if (framing.isChunked) from = BodyKind.chunked;
    else if (framing.contentLength !== -1) from = BodyKind.length;
    const isOpenEnded = from === BodyKind.chunked || from === BodyKind.untilClose;
    const to = isOpenEnded ? (isV1 ? BodyKind.chunked : BodyKind.untilClose) : from;
    this.#response.start(from, to, framing.contentLength);
    this.#keepAlive = head.keepAlive && from !== BodyKind.untilClose;
    if (head.idleSeconds >= 0) {
      this.#idleMs = Math.min(POOL_IDLE_MS, head.idleSeconds * 1_000 - POOL_IDLE_MARGIN_MS);
    }
    this.#clientGoesOn =
      exchange.clientKeepsAlive &&
      to !== BodyKind.untilClose &&
      !exchange.wantsUpgrade &&
      !this.#context.isDraining;
    let choice: ConnectionChoice = ConnectionChoice.silent;
    if (!this.#clientGoesOn) choice = ConnectionChoice.close;
    else if (!isV1) choice = ConnectionChoice.keepAlive;
    exchange.hasResponded = true;
    exchange.onResponse(status);
    return writeResponseHead(this.io.arena.bytes, base, head, to, choice, OUTPUT);
  }

  #writeInterim(exchange: Exchange, head: ResponseHead, base: number): void {
    if (exchange.minorVersion === 0 || (head.status === 100 && !exchange.expectsContinue)) return;
    const { bytes } = this.io.arena;
    const none = BodyKind.none;
    const end = writeResponseHead(bytes, base, head, none, ConnectionChoice.silent, OUTPUT);
    exchange.client.write(OUTPUT, end);
  }

  /** 101: only if the client asked, and only now may its bytes flow (CVE-2026-2833 and kin). */
  #switch(exchange: Exchange, head: ResponseHead, base: number, end: number): boolean {
    if (!exchange.wantsUpgrade || !head.upgrades) {
      exchange.onBackendGone("bad-upgrade");
      return false;
    }
    const { bytes } = this.io.arena;
    const none = BodyKind.none;
    const choice = ConnectionChoice.upgrade;
    const headEnd = writeResponseHead(bytes, base, head, none, choice, OUTPUT);
    exchange.client.write(OUTPUT, headEnd);
    exchange.client.write(base + head.end, end);
    this.#context.returnResponseHead(head);
    this.#head = null;
    exchange.onResponse(101);
    this.io.loop.timers.disarm(this.#timer);
    this.#kept.clear();
    exchange.client.becomeTunnel(this);
    return false;
  }

  #bad(exchange: Exchange): boolean {
    this.#context.count("bad_response");
    exchange.onBackendGone("bad-response");
    return false;
  }

  /** Keeps bytes that wait for more. */
  #keep(exchange: Exchange, at: number, end: number): boolean {
    return this.#kept.keep(at, end) || this.#bad(exchange);
  }
}
