/**
 * One stream of a client's connection of HTTP/2: a request that is routed and balanced by itself.
 *
 *   head ──▶ waiting ──▶ exchange ──▶ over
 *
 * It waits for the name to be looked up or its port's policy to come, and in any case for the end of
 * what was read together with its head: a request that is reset in the same breath (CVE-2023-44487)
 * never reaches a backend.
 */

import { type Http1Error, statusOf } from "../codec/http1/errors.ts";
import type { FieldSection } from "../codec/http1/field-section.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { writeTrailers } from "../codec/http1/trailers.ts";
import { writtenBytesMax } from "../codec/http1/write-request.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { CHUNK_BYTES, OUTPUT } from "../net/arena.ts";
import type { ResetBy } from "../protocol/http2/stream.ts";
import type { Missing, Waiter } from "./directory.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { Http2Downstream } from "./http2-downstream.ts";
import { FAILFAST_MS, LINGER_BYTES_MAX, LINGER_MS } from "./limits.ts";
import { badRequestFields, trailersFor } from "./respond-http2.ts";
import { RespondingStream } from "./responding-stream.ts";
import type { ServiceRoute } from "./router.ts";
import type { Requester } from "./sides.ts";

const State = { head: 0, waiting: 1, exchange: 2, over: 3 } as const;
type State = (typeof State)[keyof typeof State];

export class Http2Request extends RespondingStream implements Requester, Waiter {
  readonly #exchange: Exchange;
  #state: State = State.head;
  /** Content that was not passed on yet, and is not given back to the client. */
  #owed = 0;
  #route: ServiceRoute | null = null;
  #isRetired = false;
  /** While it waits for what the snapshot lacks. */
  #timer: Timer | null = null;
  #lateCode: ProxyErrorCode = "failfast";

  constructor(downstream: Http2Downstream) {
    super(downstream);
    this.#exchange = new Exchange(downstream.context, this);
  }

  /** Returns one for a new stream of `downstream`, used before or new. */
  static for(downstream: Http2Downstream): Http2Request {
    const request = downstream.context.requests.take();
    if (request === null) return new Http2Request(downstream);
    request.renew();
    request.downstream = downstream;
    request.#state = State.head;
    request.#owed = 0;
    request.#route = null;
    request.#isRetired = false;
    return request;
  }

  /** To be called whenever the stream or the exchange has come to its end: the last one retires it. */
  #retireIfOver(): void {
    if (this.isOpen || this.#state !== State.over || this.#isRetired) return;
    this.#isRetired = true;
    this.context.requests.retire(this);
  }

  override onRequest(head: RequestHead, base: number, isEnd: boolean): void {
    this.downstream.onRequest();
    this.isGrpc = head.isGrpc;
    this.origVersion = head.origVersion;
    head.clientId = this.downstream.origin.client?.field ?? null;
    // Written as HTTP/1 it may be longer, and must fit a chunk.
    if (writtenBytesMax(head) > CHUNK_BYTES) {
      this.context.returnRequestHead(head);
      return this.onBadRequest("head-too-large");
    }
    const context = this.context;
    const { bytes, router } = this.downstream;
    const route = router.route(bytes, base, head);
    const { outcome } = this.#exchange;
    if (context.watch !== null) outcome.describe(this, bytes, base, head, route);
    if (route.kind !== "refused" && context.enter()) {
      this.#state = State.waiting;
      if (!this.#exchange.hold(head, base, isEnd)) return this.#giveUp("no-memory");
      if (route.kind === "unknown") return this.#wait(route.missing);
      this.#route = route;
      return this.downstream.beginLater(this);
    }
    context.returnRequestHead(head);
    this.#refuse(route.kind === "refused" ? route.code : context.tooMany);
  }

  /** The frames that came with the head are all read: if none of them reset it, it goes on. */
  begin(): void {
    const route = this.#route;
    this.#route = null;
    if (this.#state !== State.waiting || route === null) return;
    this.#state = State.exchange;
    this.#exchange.resume(route);
  }

  #wait(missing: Missing): void {
    const { clock, timers } = this.context.io.loop;
    if (!this.context.directory.wait(missing, this)) return this.#giveUp("overloaded");
    this.#lateCode = missing.kind === "port" ? "policy-unknown" : "failfast";
    this.#timer ??= new Timer(() => this.#giveUp(this.#lateCode));
    if (this.#timer.deadlineMs === 0) timers.arm(this.#timer, clock.nowMs + FAILFAST_MS);
  }

  /** Discovery has news: the request is routed again. */
  onDirectoryChange(): void {
    if (this.#state !== State.waiting) return;
    const { base, head } = this.#exchange.held;
    if (head === null || this.#route !== null) return;
    const route = this.downstream.router.route(this.downstream.bytes, base, head);
    if (route.kind === "unknown") return this.#wait(route.missing);
    if (route.kind === "refused") return this.#giveUp(route.code);
    this.#stopWaiting();
    this.#state = State.exchange;
    this.#exchange.resume(route);
  }

  #stopWaiting(): void {
    if (this.#timer !== null) this.context.io.loop.timers.disarm(this.#timer);
    this.context.directory.stopWaiting(this);
  }

  /** The name was not found in time, or leads nowhere. */
  #giveUp(code: ProxyErrorCode): void {
    if (this.#state !== State.waiting) return;
    this.#stopWaiting();
    const { watched } = this.#exchange.outcome;
    this.#exchange.drop();
    this.#exchange.outcome.watched = watched;
    this.context.leave();
    this.#refuse(code);
  }

  /** A request that came to nothing before it had an exchange. */
  #refuse(code: ProxyErrorCode): void {
    this.#state = State.over;
    this.#exchange.outcome.refused(this, this.replyFailure(code));
    this.#end();
  }

  override onBadRequest(error: Http1Error): void {
    this.#state = State.over;
    this.context.count("bad_request");
    this.reply(badRequestFields(statusOf(error), error));
    this.#end();
  }

  override onData(start: number, end: number, isEnd: boolean): void {
    if (this.#state === State.over) return this.#discard(end - start);
    const exchange = this.#exchange;
    exchange.sendContent(start, end, isEnd);
    if (isEnd || !this.isOpen) return;
    if (exchange.isBlocked) this.#owed += end - start;
    else this.downstream.frames.consumed(this, end - start);
  }

  override onTrailers(fields: FieldSection, base: number): void {
    if (this.#state === State.over) return;
    this.#exchange.endContent(OUTPUT, writeTrailers(this.downstream.bytes, base, fields, OUTPUT));
  }

  override onReset(_code: number, _by: ResetBy): void {
    const before = this.#state;
    this.#state = State.over;
    if (before === State.waiting) {
      this.#stopWaiting();
      this.#exchange.drop();
    } else if (before === State.exchange) this.#exchange.abort();
    if (before === State.waiting || before === State.exchange) this.context.leave();
    this.#retireIfOver();
  }

  override onDrained(): void {
    this.#exchange.upstream?.pump();
  }

  override onClosed(): void {
    this.#retireIfOver();
  }

  wantsPump(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed === 0 || !this.isOpen) return;
    this.downstream.tick();
    this.downstream.frames.consumed(this, owed);
  }

  onFault(): void {
    this.cut(ErrorCode.internalError, "backend-closed");
  }

  afterExchange(): void {
    if (this.#state === State.exchange) this.context.leave();
    this.#state = State.over;
    this.#end();
  }

  /**
   * The response is complete. The rest of a request that goes on is not wanted, but what is on its
   * way may come: a reset at once would look like an error to some clients (RFC 9113 §8.1).
   */
  #end(): void {
    if (this.isOpen && !this.peerEnded) this.resetAtMs = this.downstream.frames.nowMs + LINGER_MS;
    this.#retireIfOver();
  }

  #discard(count: number): void {
    this.#owed += count;
    if (this.#owed > LINGER_BYTES_MAX) {
      this.downstream.frames.resetStream(this, ErrorCode.noError, false);
    } else this.downstream.frames.consumed(this, count);
  }

  cut(resetCode: number, why: ProxyErrorCode): void {
    if (this.#state === State.exchange) this.context.leave();
    this.#state = State.over;
    if (!this.isOpen) return this.#retireIfOver();
    this.downstream.tick();
    const { bytes, frames } = this.downstream;
    // gRPC reads why in the trailers; anybody else must see a reset, not a short body.
    const isOurs = resetCode === ErrorCode.internalError || why !== "backend-closed";
    if (!this.isGrpc || !this.#exchange.hasResponded || !isOurs) {
      return frames.resetStream(this, resetCode, false);
    }
    const text = trailersFor(why);
    bytes.set(text, OUTPUT);
    frames.sender.sendTrailers(this, OUTPUT, OUTPUT + text.length, false);
    this.#end();
  }

  writeSwitch(): void {}

  /** No request of HTTP/2 asks for an upgrade, so no response can grant one. */
  becomeTunnel(): void {
    this.onFault();
  }
}
