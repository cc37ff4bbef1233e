/**
 * A client's HTTP/1 connection: reads one request after another, and the next only when the last
 * one's response is all written. What a pipelining client sent ahead waits in the kernel, or in one
 * chunk if it was read already.
 *
 *   head ──▶ exchange ──▶ head …        waiting: the name is being looked up
 *    │  └─▶ waiting ─▶ head (again)     over: closed, or taken over by what follows, which is
 *    └────▶ over                        ClosingClient, ConnectClient or a tunnel
 */
import { BodyRelay } from "../codec/http1/body.ts";
import { type FieldSection, Step } from "../codec/http1/field-section.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import { Method } from "../codec/http1/method.ts";
import { type RequestHead, TargetForm } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { REQUEST_HEAD_GROWTH_BYTES } from "../codec/http1/write-request.ts";
import {
  ConnectionChoice,
  RESPONSE_HEAD_GROWTH_BYTES,
  writeResponseHead,
} from "../codec/http1/write-response.ts";
import type { Service } from "../mesh/snapshot.ts";
import { CHUNK_BYTES, CONTENT, FRAMED } from "../net/arena.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import type { ClientOrigin } from "./client.ts";
import { ClosingClient } from "./closing-client.ts";
import { ConnectClient } from "./connect-client.ts";
import type { Context } from "./context.ts";
import { PROXY_ERRORS, type ProxyErrorCode } from "./errors.ts";
import { Exchange, type ServiceRoute } from "./exchange.ts";
import * as limits from "./limits.ts";
import { ReadingClient } from "./reading-client.ts";
import { type Reply, replyMethodNotAllowed, replyToBadRequest, replyToFailure } from "./respond.ts";
import { Router } from "./router.ts";
import type { Requester } from "./sides.ts";
import type { Upstream } from "./upstream.ts";

const State = { head: 0, waiting: 1, exchange: 2, over: 3 } as const;
type State = (typeof State)[keyof typeof State];

export class Downstream extends ReadingClient implements Requester {
  readonly isHttp2 = false;
  readonly #exchange: Exchange;
  readonly #router: Router;
  /** Takes the framing off the request's content. */
  readonly #request = new BodyRelay();
  /** Frames the response's for the client. */
  readonly #response = new BodyRelay();
  /** The connection can take another request after this one. */
  #goesOn = true;
  #state: State = State.head;
  #head: RequestHead | null = null;
  #progress = 0;
  /** CONNECT was read; set while the bytes behind it are put aside. */
  #connectTo: Service | null = null;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.#exchange = new Exchange(context, this);
    this.#router = new Router(context, origin);
    this.arm(limits.HEAD_TIMEOUT_MS);
  }

  begin(): void {
    this.readable = true;
    this.io.loop.defer(this);
  }

  protected override onReady(drained: boolean): void {
    if (this.hasError) return this.abort();
    if (drained) this.#exchange.upstream?.pump();
    if (this.isOpen && this.readable) this.pump();
  }

  get isBlocked(): boolean {
    return this.queuedBytes > 0;
  }

  /** Bytes were queued: they go at the end of the turn, unless `flush` comes first. */
  override commit(end: number): void {
    super.commit(end);
    this.io.loop.defer(this);
  }

  override onDeferred(): void {
    if (!this.isOpen) return;
    if (this.queuedBytes > 0) {
      this.flush();
      if (this.isBroken) return this.abort();
      if (this.queuedBytes === 0) this.#exchange.upstream?.pump();
    }
    if (this.isOpen) this.pump();
  }

  /** Discovery has news: the request is read again, from its kept first byte. */
  onDirectoryChange(): void {
    if (this.#state !== State.waiting) return;
    this.#state = State.head;
    this.isUnseen = true;
    this.wantsPump();
  }

  drain(): void {
    if (this.#state === State.head && this.kept.length === 0 && this.#head === null) this.close();
  }

  protected override wantsBytes(areKept: boolean): boolean {
    if (this.#state === State.exchange) return !this.#request.isDone && !this.#exchange.isBlocked;
    return this.#state === State.head && (areKept || this.queuedBytes === 0);
  }

  protected override use(start: number, end: number): void {
    if (this.#state === State.head) this.#process(start, end);
    else this.#relayBody(start, end);
  }

  protected override onEnd(): void {
    const isIdle = this.#state === State.head && this.kept.length === 0 && this.#head === null;
    if (isIdle) return this.close();
    // The request's rest will never come (RFC 9112 §8).
    this.context.count("client_aborted");
    if (this.#state === State.head) this.#refuse(replyToBadRequest("bad-framing"));
    else this.abort();
  }

  /** Parses requests from `bytes[start, end)` until one is under way. */
  #process(start: number, end: number): void {
    const { bytes } = this.io.arena;
    let at = start;
    while (this.isOpen) {
      if (this.#connectTo !== null) return this.#connect(this.#connectTo, at, end);
      if (this.#state !== State.head) return this.keep(at, end, true);
      if (at === end) return this.keep(at, end, false);
      if (this.#head === null) {
        this.#head = this.context.takeRequestHead();
        this.arm(limits.HEAD_TIMEOUT_MS);
      }
      const head = this.#head;
      const step = head.parse(bytes, at, end);
      if (step === Step.incomplete) return this.keep(at, end, false);
      if (step === Step.malformed) return this.#refuse(replyToBadRequest(head.error));
      const used = this.#serve(head, at, end);
      if ((this.#state as State) === State.waiting) return this.keep(at, end, false);
      if (used === -1) return this.#refuse(replyToBadRequest("bad-chunk"));
      at = used;
    }
  }

  #serve(head: RequestHead, base: number, end: number): number {
    const { bytes } = this.io.arena;
    const past = base + head.end;
    // Rewritten it may be longer, and must fit a chunk.
    if (head.end + REQUEST_HEAD_GROWTH_BYTES > CHUNK_BYTES) {
      this.#refuse(replyToBadRequest("head-too-large"));
      return past;
    }
    const route = this.#router.route(bytes, base, head);
    if (route.kind === "unknown") {
      if (this.context.directory.wait(route.authority, this)) {
        this.#state = State.waiting;
        this.#dropHead();
        this.arm(limits.FAILFAST_MS);
      } else this.#replyOnly("overloaded", head);
      return past;
    }
    if (this.context.access !== null)
      this.#exchange.access = this.#router.describe(bytes, base, head);
    if (route.kind === "refused") {
      this.#replyOnly(route.code, head);
      return past;
    }
    if (head.method === Method.connect) {
      this.#dropHead();
      if (this.origin.kind === "inbound") this.#refuse(replyMethodNotAllowed());
      else this.#connectTo = route.service;
      return past;
    }
    if (!this.context.enter()) {
      this.#replyOnly("overloaded", head);
      return past;
    }
    return this.#begin(head, base, end, route);
  }

  #begin(head: RequestHead, base: number, end: number, route: ServiceRoute): number {
    const { isChunked, contentLength } = head.framing;
    const from = isChunked ? BodyKind.chunked : contentLength > 0 ? BodyKind.length : BodyKind.none;
    let used = base + head.end;
    this.#state = State.exchange;
    this.#progress = -1;
    this.#goesOn = head.keepAlive;
    this.#request.start(from, BodyKind.stream, contentLength);
    this.arm(limits.CLIENT_STALL_MS);
    // Intercepted, it was meant for the server in that form, not for a proxy.
    head.keepsAbsolute = head.form === TargetForm.absolute && this.origin.target !== null;
    this.#head = null;
    this.#exchange.start(head, base, route, this.#request.isDone);
    if (this.#exchange.isActive && !this.#request.isDone && used < end) {
      used = this.#sendContent(used, end);
    }
    this.#exchange.flush();
    return used;
  }

  /** Returns how far the bytes were used, or -1 when the chunked coding is broken. */
  #sendContent(start: number, end: number): number {
    const request = this.#request;
    if (!request.relay(this.io.arena.bytes, start, end, CONTENT)) return -1;
    const { isDone, trailers } = request;
    this.#exchange.sendContent(request.outStart, request.outEnd, isDone && trailers === null);
    if (trailers !== null) this.#exchange.endContent(trailers, request.trailersBase);
    return request.consumed;
  }

  /** What follows a CONNECT is not HTTP any more; it goes with the bytes behind it. */
  #connect(service: Service, at: number, end: number): void {
    const kept = new KeptBytes(this.io.arena);
    if (!kept.keep(at, end)) return this.abort();
    this.context.inFlight++;
    this.#letGo();
    this.#state = State.over;
    new ConnectClient(this, kept, service).begin();
  }

  #replyOnly(code: ProxyErrorCode, head: RequestHead): void {
    const isWhole = !head.framing.isChunked && head.framing.contentLength <= 0;
    this.#dropHead();
    this.#state = State.exchange;
    this.context.inFlight++;
    this.#goesOn = head.keepAlive;
    this.replyFailure(code, isWhole);
    this.afterExchange(isWhole);
  }

  #relayBody(start: number, end: number): void {
    const used = this.#sendContent(start, end);
    if (used === -1) {
      this.context.count("bad_request");
      this.#exchange.abort();
      this.#leave();
      if (this.#exchange.hasResponded) return this.abort();
      return this.#refuse(replyToBadRequest("bad-chunk"));
    }
    if (!this.isOpen) return;
    this.keep(used, end, used < end && this.#request.isDone);
    this.#exchange.flush();
  }

  writeInterim(head: ResponseHead, base: number): void {
    this.#writeHead(head, base, BodyKind.none, ConnectionChoice.silent);
  }

  writeHead(head: ResponseHead, base: number, isEnd: boolean): void {
    const { minorVersion, wantsUpgrade } = this.#exchange;
    const isV1 = minorVersion === 1;
    let to: BodyKind = isV1 ? BodyKind.chunked : BodyKind.untilClose;
    if (isEnd) to = BodyKind.none;
    else if (head.framing.contentLength !== -1) to = BodyKind.length;
    const isDraining = this.context.isDraining;
    this.#goesOn &&= to !== BodyKind.untilClose && !wantsUpgrade && !isDraining;
    let choice: ConnectionChoice = ConnectionChoice.silent;
    if (!this.#goesOn) choice = ConnectionChoice.close;
    else if (!isV1) choice = ConnectionChoice.keepAlive;
    this.#response.start(isEnd ? BodyKind.none : BodyKind.stream, to, head.framing.contentLength);
    this.#writeHead(head, base, to, choice);
  }

  #writeHead(head: ResponseHead, base: number, to: BodyKind, choice: ConnectionChoice): void {
    const at = this.reserve(Math.min(CHUNK_BYTES, head.end + RESPONSE_HEAD_GROWTH_BYTES));
    this.commit(writeResponseHead(this.io.arena.bytes, base, head, to, choice, at));
  }

  writeContent(start: number, end: number, isLast: boolean): void {
    if (end > start) {
      const response = this.#response;
      response.relay(this.io.arena.bytes, start, end, FRAMED);
      if (response.outEnd - response.outStart <= limits.JOINED_BYTES_MAX) {
        this.append(response.outStart, response.outEnd);
      } else {
        this.flush();
        this.write(response.outStart, response.outEnd);
      }
    }
    if (isLast) this.endContent(null, 0);
  }

  endContent(trailers: FieldSection | null, base: number): void {
    this.#response.finish(this.io.arena.bytes, FRAMED, trailers, base);
    this.append(this.#response.outStart, this.#response.outEnd);
  }

  /** Writes a proxy-made response; returns its status. */
  replyFailure(code: ProxyErrorCode, isRequestRead: boolean): number {
    this.#goesOn &&= isRequestRead && !this.context.isDraining;
    const reply = replyToFailure(code, "", !this.#goesOn);
    // Failed connects are counted one by one, where they fail.
    if (!code.startsWith("connect-")) this.context.count(PROXY_ERRORS[code].counter);
    this.writeText(reply.text);
    return reply.status;
  }

  /** The response is written (or queued): on to the next request, or to the end. */
  afterExchange(isWhole: boolean): void {
    this.#leave();
    if (!this.isOpen) return;
    if (this.isBroken) return this.abort();
    const goesOn = isWhole && this.#goesOn && !this.context.isDraining;
    if (!goesOn) return this.#finish(!this.#exchange.isRequestDone);
    this.#state = State.head;
    this.arm(limits.CLIENT_IDLE_MS);
    this.isUnseen = this.kept.length > 0;
    if (this.isUnseen || this.readable) this.wantsPump();
  }

  /** The response broke off: the client sees a reset, never a short body that looks whole. */
  cut(): void {
    this.#leave();
    this.reset();
  }

  writeSwitch(head: ResponseHead, base: number, end: number): void {
    this.#writeHead(head, base, BodyKind.none, ConnectionChoice.upgrade);
    this.append(base + head.end, end);
    this.flush();
  }

  /** Both sides agreed to leave HTTP: kept bytes go first, then all that comes. */
  becomeTunnel(upstream: Upstream): void {
    const endpoint = this.#exchange.detachForTunnel();
    if (endpoint === null) return;
    this.context.count("upgraded");
    // `detach` gave the endpoint's place in the balancer back; the tunnel takes its own.
    this.context.balancer.acquire(endpoint);
    const { start, end, length } = this.kept;
    this.joinTunnel(upstream, endpoint, length > 0 ? { start, end } : null);
    this.kept.clear();
  }

  #refuse(reply: Reply): void {
    this.context.count("bad_request");
    this.#dropHead();
    this.writeText(reply.text);
    this.#finish(true);
  }

  #refuseWith(code: ProxyErrorCode): void {
    this.#leave();
    this.writeText(replyToFailure(code, "", true).text);
    this.#finish(true);
  }

  /** Nothing more is answered; unread bytes would have a close reset the response. */
  #finish(needsLinger: boolean): void {
    const isUnread = this.kept.length > 0;
    this.#letGo();
    this.#state = State.over;
    new ClosingClient(this, needsLinger || isUnread).begin();
  }

  protected override onTimer(): void {
    if (this.#state === State.waiting) {
      this.context.directory.stopWaiting(this);
      return this.#refuseWith("failfast");
    }
    if (this.#state !== State.exchange) {
      if (this.#state !== State.head || this.#head === null) return this.close();
      this.#dropHead();
      return this.#refuseWith("request-timeout");
    }
    const isClientsTurn =
      this.queuedBytes > 0 || (!this.#request.isDone && !this.#exchange.isBlocked);
    const progress = this.bytesRead + this.bytesWritten;
    if (isClientsTurn && progress === this.#progress) return this.abort();
    this.#progress = progress;
    this.arm(limits.CLIENT_STALL_MS);
  }

  #leave(): void {
    if (this.#state === State.exchange) this.context.leave();
    this.#state = State.over;
  }

  protected override abort(): void {
    if (!this.isOpen) return;
    this.#exchange.abort();
    this.#leave();
    this.reset();
  }

  protected override onClosing(): void {
    this.#letGo();
  }

  #letGo(): void {
    this.context.directory.stopWaiting(this);
    this.#dropHead();
    this.kept.clear();
  }

  #dropHead(): void {
    if (this.#head !== null) this.context.returnRequestHead(this.#head);
    this.#head = null;
  }
}
