/**
 * A connection to an endpoint that speaks HTTP/1. Busy, it reads its exchange's response and writes
 * it to the client, no faster than the client takes it. Idle, it lies in the pool, and whatever
 * comes then (a close, or bytes that nobody asked for) closes it.
 */
import { BodyRelay } from "../codec/http1/body.ts";
import { Step } from "../codec/http1/field-section.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { writeTrailers } from "../codec/http1/trailers.ts";
import { writeRequestHead, writtenBytesMax } from "../codec/http1/write-request.ts";
import { RESPONSE_HEAD_GROWTH_BYTES } from "../codec/http1/write-response.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { appendOrWrite } from "../net/append-or-write.ts";
import { CHUNK_BYTES, CONTENT, FRAMED, OUTPUT } from "../net/arena.ts";
import { BROKEN, type Connection, END, WAIT } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { DrainPhase } from "../shared/layout.ts";
import type { Context } from "./context.ts";
import { EndpointConnection } from "./endpoint-connection.ts";
import type { Exchange } from "./exchange.ts";
import { IdleTime } from "./idle-time.ts";
import { INTERIM_MAX, READS_PER_TURN } from "./limits.ts";
import { recordClose, recordOpen } from "./outcome.ts";
import type { Responder } from "./sides.ts";
import { Unanswered } from "./unanswered.ts";

export class Upstream extends EndpointConnection implements Responder {
  readonly endpoint: Endpoint;
  isReused = false;
  /** A byte of the current response came. */
  hasReceived = false;
  readonly #context: Context;
  /** Frames the request's content for the endpoint. */
  readonly #request = new BodyRelay();
  /** Takes the framing off the response's. */
  readonly #response = new BodyRelay();
  #exchange: Exchange | null = null;
  #head: ResponseHead | null = null;
  #inBody = false;
  #interims = 0;
  #keepAlive = true;
  readonly #idle: IdleTime;
  #sentBefore = 0;
  #unanswered: Unanswered | null = null;
  /** Bytes that wait for more: an unfinished head or trailer section. */
  readonly #kept: KeptBytes;

  constructor(context: Context, from: Connection, endpoint: Endpoint, isCounted = false) {
    super(context.io, from.fd);
    this.#context = context;
    this.#kept = new KeptBytes(context.io.arena);
    this.endpoint = endpoint;
    this.#idle = new IdleTime(context, endpoint.row, () => this.close());
    this.takeOver(from);
    if (!isCounted) recordOpen(context, endpoint.series);
  }

  get progress(): number {
    return this.bytesRead + this.bytesWritten;
  }

  /** The kernel took no byte of the current request, or nobody at the endpoint got any. */
  get isUnsent(): boolean {
    return this.bytesWritten === this.#sentBefore || this.#unanswered?.isUnread === true;
  }

  get isBlocked(): boolean {
    return this.queuedBytes > 0;
  }

  begin(exchange: Exchange, isReused: boolean): void {
    this.#exchange = exchange;
    this.isReused = isReused;
    this.hasReceived = false;
    this.#inBody = false;
    this.#interims = 0;
    this.#sentBefore = this.bytesWritten;
    this.#idle.end(isReused);
    if (this.readable) this.io.loop.defer(this);
  }

  sendHead(head: RequestHead, base: number, isEnd: boolean): void {
    const { isChunked, contentLength } = head.framing;
    // A chunked body that turned out to be empty still has its last chunk.
    const from = isChunked || !isEnd ? BodyKind.stream : BodyKind.none;
    this.#request.start(from, isChunked ? BodyKind.chunked : BodyKind.length, contentLength);
    const at = this.output.reserve(Math.min(CHUNK_BYTES, writtenBytesMax(head)));
    this.output.commit(writeRequestHead(this.io.arena.bytes, base, head, at));
    if (isEnd) this.endContent(0, 0);
  }

  sendContent(start: number, end: number, isLast: boolean): void {
    if (end > start) {
      this.#request.relay(this.io.arena.bytes, start, end, FRAMED);
      appendOrWrite(this, this.#request.outStart, this.#request.outEnd);
    }
    if (isLast) this.endContent(0, 0);
  }

  endContent(start: number, end: number): void {
    this.#request.finish(this.io.arena.bytes, FRAMED, start, end);
    this.append(this.#request.outStart, this.#request.outEnd);
  }

  /** Adds the request that waits here, if no byte of a response has come. */
  addWaiting(waiting: Exchange[]): void {
    if (this.#exchange !== null && !this.hasReceived) waiting.push(this.#exchange);
  }

  isUsable(mayRepeat: boolean): boolean {
    // What has come was not asked for, and closes it.
    return !this.readable && this.#idle.isUsable(mayRepeat);
  }

  /** The exchange is over: back to the pool, or closed. */
  finish(isReusable: boolean): void {
    this.#exchange = null;
    if (!this.isOpen) return;
    const isClean = this.#kept.length === 0 && this.queuedBytes === 0 && !this.hasError;
    if (!isReusable || !isClean || !this.#keepAlive) return this.close();
    if (this.#context.drainedTo === DrainPhase.all) return this.close();
    if (this.tls !== null && this.#context.mesh.wallMs >= this.provenUntilMs) return this.close();
    if (this.#idle.limitMs <= 0 || !this.#context.pools.put(this)) return this.close();
    this.#idle.begin();
    if (this.readable) this.io.loop.defer(this);
  }

  override close(): void {
    if (!this.isOpen) return;
    if (this.#exchange === null) this.#context.pools.remove(this);
    if (this.isBroken && !this.hasReceived) this.#idle.raced();
    this.#idle.cancel();
    this.#unanswered?.cancel();
    this.#kept.clear();
    if (this.#head !== null) this.#context.returnResponseHead(this.#head);
    this.#head = null;
    recordClose(this.#context, this.endpoint.series, this.bytesRead, this.bytesWritten);
    super.close();
  }

  protected override onReady(drained: boolean): void {
    // Who takes no more may have answered before.
    if (this.isBroken) this.readable = true;
    if (this.readable) this.#read();
    if (drained && this.isOpen) this.#exchange?.client.wantsPump();
    if (this.isBroken && this.isOpen && !this.readable) this.#gone();
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    const hadQueue = this.queuedBytes > 0;
    if (hadQueue && !this.isBroken) this.flush();
    this.onReady(hadQueue && this.queuedBytes === 0);
  }

  override onFault(): void {
    if (this.#exchange !== null) this.#exchange.client.onFault();
    else this.close();
  }

  /** Later in this turn: whoever asks may be in the midst of bytes that lie where we read to. */
  pump(): void {
    this.io.loop.defer(this);
  }

  /** Reads and hands on, while there is something and the client takes it. */
  #read(): void {
    for (let reads = 0; this.readable; reads++) {
      const exchange = this.#exchange;
      if (exchange === null) {
        this.#context.count("pool_closed_idle");
        return this.#gone();
      }
      if (exchange.client.isBlocked) return;
      if (reads === READS_PER_TURN) return this.io.loop.defer(this);
      const count = this.read(this.#kept.end, this.#kept.room);
      if (count === WAIT) return;
      if (count === END || count === BROKEN) return this.#onEnd(exchange, count === END);
      // It was on its way before the request was, and answers something else.
      if (this.isReused && this.bytesWritten === this.#sentBefore) return this.#gone();
      this.hasReceived = true;
      if (!this.#take(exchange, this.#kept.start, this.#kept.end + count)) return;
    }
  }

  #onEnd(exchange: Exchange, isFin: boolean): void {
    this.#keepAlive = false;
    if (!this.hasReceived) {
      if (this.#unanswered === null) this.#idle.raced();
      const before = this.#sentBefore;
      if (isFin) this.#unanswered ??= new Unanswered(this.io, this, before, () => this.#gone());
      if (!exchange.request.isIdempotent && this.#unanswered?.awaitVerdict()) return;
    }
    if (!isFin || !this.#inBody || !this.#response.finish(this.io.arena.bytes, CONTENT)) {
      return this.#gone();
    }
    exchange.client.endContent(0, 0);
    exchange.client.flush();
    if (this.#exchange === exchange) exchange.complete(false);
  }

  #gone(): void {
    if (this.#exchange !== null) return this.#exchange.onBackendGone("backend-closed");
    this.#idle.closed();
    this.close();
  }

  /** Uses `bytes[start, end)`. False: this connection is not to be read any more for now. */
  #take(exchange: Exchange, start: number, end: number): boolean {
    let at = start;
    while (!this.#inBody) {
      this.#head ??= this.#context.takeResponseHead();
      const head = this.#head;
      const step = head.parse(this.io.arena.bytes, at, end);
      if (step === Step.incomplete) return this.#keep(exchange, at, end);
      if (step === Step.malformed) return this.#bad(exchange);
      // Rewritten it may be longer, and must fit a chunk.
      if (head.end + RESPONSE_HEAD_GROWTH_BYTES > CHUNK_BYTES) return this.#bad(exchange);
      if (head.status === 101) return this.#switch(exchange, head, at, end);
      if (head.status < 200) {
        if (++this.#interims > INTERIM_MAX) return this.#bad(exchange);
        exchange.onInterim(head, at);
        exchange.client.flush();
        at += head.end;
        head.reset();
        if (at === end) return this.#keep(exchange, at, end);
        continue;
      }
      this.#takeHead(exchange, head, at);
      if (this.#exchange !== exchange) return false;
      at += head.end;
      this.#context.returnResponseHead(head);
      this.#head = null;
      this.#inBody = true;
    }
    return this.#takeBody(exchange, at, end);
  }

  #takeBody(exchange: Exchange, start: number, end: number): boolean {
    const { bytes } = this.io.arena;
    const response = this.#response;
    const { client } = exchange;
    if (!response.relay(bytes, start, end, CONTENT)) {
      client.flush();
      return this.#bad(exchange);
    }
    const { isDone, trailers } = response;
    client.writeContent(response.outStart, response.outEnd, isDone && trailers === null);
    if (trailers !== null) {
      client.endContent(OUTPUT, writeTrailers(bytes, response.trailersBase, trailers, OUTPUT));
    }
    client.flush();
    if (client.isBroken) client.onFault();
    // Writing may have shown that the client is gone, which calls the exchange off.
    if (this.#exchange !== exchange) return false;
    if (!isDone) return this.#keep(exchange, response.consumed, end);
    // Bytes after the response were not asked for: nobody may ever see them.
    this.#kept.clear();
    exchange.complete(response.consumed === end && this.#keepAlive);
    return false;
  }

  #takeHead(exchange: Exchange, head: ResponseHead, base: number): void {
    const from = head.bodyKind(exchange.request.isHead);
    this.#response.start(from, BodyKind.stream, head.framing.contentLength);
    this.#keepAlive = head.keepAlive && from !== BodyKind.untilClose;
    this.#idle.told(head.idleSeconds);
    exchange.onHead(head, base, this.#response.isDone);
  }

  /** 101: only if the client asked, and only now may its bytes flow (CVE-2026-2833 and kin). */
  #switch(exchange: Exchange, head: ResponseHead, base: number, end: number): boolean {
    if (!exchange.request.wantsUpgrade || !head.upgrades) {
      exchange.onBackendGone("bad-upgrade");
      return false;
    }
    exchange.client.writeSwitch(head, base, end);
    this.#context.returnResponseHead(head);
    this.#head = null;
    exchange.onSwitch();
    this.#kept.clear();
    exchange.client.becomeTunnel(this);
    return false;
  }

  #bad(exchange: Exchange): boolean {
    this.#context.count("bad_response");
    exchange.onBackendGone("bad-response");
    return false;
  }

  #keep(exchange: Exchange, at: number, end: number): boolean {
    return this.#kept.keep(at, end) || this.#bad(exchange);
  }
}
