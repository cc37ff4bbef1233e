/**
 * One request and its response, whatever either side speaks: which endpoint, on which connection,
 * again or not, and what came of it. An HTTP/1 client uses one exchange for one request after
 * another, each stream of HTTP/2 has its own.
 *
 * The request is kept until the response begins, so that it can be sent again: on another endpoint
 * when connecting failed or the endpoint refused to look at it, and on a new connection when a
 * reused one turned out to be closed before a byte of the response came, if the request is
 * idempotent or nothing was sent.
 *
 *   start ─▶ attempt ─▶ (connecting | waiting for a stream) ─▶ sent ─▶ responding ─▶ over
 *               ▲─────────────── failed, and may be sent again ──┘
 */

import type { FieldSection } from "../codec/http1/field-section.ts";
import { isIdempotent, Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { DECODED } from "../net/arena.ts";
import type { DialFailure } from "../net/dial.ts";
import { accessLine, type Requested } from "./access-log.ts";
import type { Context } from "./context.ts";
import { Conveyance, chooseProtocol } from "./conveyance.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";
import { codeOf } from "./open-tunnel.ts";
import { record } from "./outcome.ts";
import type { Route } from "./router.ts";
import { REPLAYED_BYTES_MAX, SavedRequest } from "./saved-request.ts";
import type { Requester, Responder } from "./sides.ts";

const NONE_TRIED: readonly Endpoint[] = [];

export type ServiceRoute = Extract<Route, { kind: "service" }>;

export class Exchange {
  readonly client: Requester;
  readonly context: Context;
  /** For the access log, if there is one. */
  access: Requested | null = null;
  isActive = false;
  isHead = false;
  /** All of the request's content was read. */
  isRequestDone = true;
  minorVersion = 1;
  expectsContinue = false;
  wantsUpgrade = false;
  /** A byte of a final response was sent to the client. */
  hasResponded = false;
  upstream: Responder | null = null;
  endpoint: Endpoint | null = null;
  readonly #saved: SavedRequest;
  readonly #conveyance: Conveyance;
  #head: RequestHead | null = null;
  /** Where the head's text is, while it still is where it was parsed; else -1. */
  #liveBase = -1;
  #liveStamp = 0;
  #route: ServiceRoute | null = null;
  #isIdempotent = false;
  #tried: Endpoint[] = [];
  #isRetried = false;
  #refusals = 0;
  #startedUs = 0;
  #sentUs = 0;
  #latencyUs = 0;
  #deadlineMs = 0;
  #status = 0;

  constructor(context: Context, client: Requester) {
    this.context = context;
    this.client = client;
    this.#saved = new SavedRequest(context.keptBudget);
    this.#conveyance = new Conveyance(context, {
      ready: (responder, isReused) => this.#send(responder, isReused),
      failed: (why) => this.#onConnectFailed(why),
    });
  }

  /**
   * Starts a request, whose head it owns from now on; the head's text is in the arena at `base`.
   * Content follows by `sendContent` and `endContent`, unless `isEnd`.
   */
  start(head: RequestHead, base: number, route: ServiceRoute, isEnd: boolean): void {
    this.#route = route;
    if (!this.hold(head, base, isEnd)) return this.fail("no-memory");
    this.#liveBase = base;
    this.#liveStamp = this.context.decodedStamp;
    this.#attempt("no-endpoints");
    this.#liveBase = -1;
  }

  /** Takes a request, as `start`, whose route is not known yet. False: there is no memory. */
  hold(head: RequestHead, base: number, isEnd: boolean): boolean {
    const { io } = this.context;
    this.isActive = true;
    this.isHead = head.method === Method.head;
    this.isRequestDone = isEnd;
    this.minorVersion = head.minorVersion;
    this.expectsContinue = head.expectsContinue;
    this.wantsUpgrade = head.wantsUpgrade;
    this.hasResponded = false;
    this.#head = head;
    this.#isIdempotent = isIdempotent(head.method);
    if (this.#tried.length > 0) this.#tried = [];
    this.#isRetried = false;
    this.#refusals = 0;
    this.#status = 0;
    this.#latencyUs = 0;
    this.#startedUs = io.loop.clock.nowUs;
    this.#deadlineMs = io.loop.clock.nowMs + FAILFAST_MS;
    return this.#saved.save(io.arena.bytes, base, base + head.end);
  }

  /** Takes the text of a held request out again; returns the head and where its text is now. */
  takeOut(): { readonly head: RequestHead; readonly base: number } | null {
    if (this.#head === null) return null;
    this.context.decodedStamp++;
    this.#saved.copyTo(this.context.io.arena.bytes, DECODED);
    return { head: this.#head, base: DECODED };
  }

  /** The held request's route is known. */
  resume(route: ServiceRoute): void {
    this.#route = route;
    this.#attempt("no-endpoints");
  }

  /** Lets go of a held request that comes to nothing. */
  drop(): void {
    this.isActive = false;
    this.access = null;
    this.#forget();
  }

  /** The request's content is not to be read now: it could not be sent on. */
  get isBlocked(): boolean {
    if (this.upstream !== null) return this.upstream.isBlocked;
    return this.#saved.contentBytes > 0;
  }

  /** Takes content of the request, `bytes[start, end)` of the arena. */
  sendContent(start: number, end: number, isLast: boolean): void {
    if (isLast) this.isRequestDone = true;
    const { upstream } = this;
    const { bytes } = this.context.io.arena;
    if (upstream === null) {
      if (!this.#saved.append(bytes, start, end)) this.fail("no-memory");
      return;
    }
    if (this.#saved.isWhole && end > start) this.#saveMore(start, end);
    upstream.sendContent(start, end, isLast);
  }

  /** The request's content is over. */
  endContent(trailers: FieldSection | null, base: number): void {
    this.isRequestDone = true;
    // Trailers are not kept: a request that has some is sent once.
    if (trailers !== null && trailers.count > 0) this.#saved.clear();
    this.upstream?.endContent(trailers, base);
    if (this.upstream === null && trailers !== null) this.#saved.clear();
  }

  #saveMore(start: number, end: number): void {
    const { bytes } = this.context.io.arena;
    if (this.#saved.contentBytes + end - start > REPLAYED_BYTES_MAX) this.#saved.clear();
    else this.#saved.append(bytes, start, end);
  }

  /** What was sent on is to be on its way; a connection that broke meanwhile shows here. */
  flush(): void {
    const { upstream } = this;
    if (upstream === null) return;
    upstream.flush();
    if (upstream.isBroken && upstream === this.upstream) this.onBackendGone("backend-closed");
  }

  /** Chooses an endpoint and a way to it. */
  #attempt(last: ProxyErrorCode): void {
    const { balancer, io } = this.context;
    const { clock } = io.loop;
    const route = this.#route;
    const head = this.#head;
    if (route === null || head === null) return this.fail(last);
    // A second try may come after a new snapshot: rows have new owners by then.
    const isFirst = this.#tried.length === 0 && !this.#isRetried && this.#refusals === 0;
    const service = isFirst ? route.service : this.context.directory.current(route.service);
    const tried = this.#tried.length === 0 ? NONE_TRIED : this.#tried;
    const isOver = tried.length >= TRIES_MAX || clock.nowMs > this.#deadlineMs;
    const endpoint = isOver ? null : balancer.pick(service.endpoints, clock.nowMs, tried);
    if (endpoint === null) return this.fail(service.failure ?? last);
    balancer.acquire(endpoint);
    this.endpoint = endpoint;
    const speaks = this.client.origin.speaks ?? endpoint.speaks;
    const isHttp2 = this.client.isHttp2 && head.origVersion === -1;
    const protocol = chooseProtocol(speaks, isHttp2, head.wantsUpgrade);
    // An endpoint that speaks HTTP/2 cannot be upgraded from HTTP/1: the offer is not made.
    if (protocol !== "http1") {
      head.wantsUpgrade = false;
      this.wantsUpgrade = false;
    }
    const wantsNew = head.minorVersion === 0 || this.#isRetried;
    this.#conveyance.find(this, endpoint, protocol, wantsNew, route.timeoutMs, this.#deadlineMs);
  }

  #send(upstream: Responder, isReused: boolean): void {
    const head = this.#head;
    if (head === null) return upstream.finish(false);
    const { bytes } = this.context.io.arena;
    this.upstream = upstream;
    this.#sentUs = this.context.io.loop.clock.nowUs;
    if (this.#liveBase !== -1 && this.#liveStamp === this.context.decodedStamp) {
      upstream.sendHead(head, this.#liveBase, this.isRequestDone);
    } else {
      this.context.decodedStamp++;
      const end = this.#saved.copyTo(bytes, DECODED);
      const content = DECODED + this.#saved.textBytes;
      const isEmpty = content === end;
      upstream.sendHead(head, DECODED, isEmpty && this.isRequestDone);
      if (!isEmpty) upstream.sendContent(content, end, this.isRequestDone);
      if (end - content > REPLAYED_BYTES_MAX) this.#saved.clear();
      this.client.wantsPump();
      upstream.flush();
    }
    if (upstream.isBroken && upstream === this.upstream) this.onBackendGone("backend-closed");
    else if (!isReused) this.client.wantsPump();
  }

  #onConnectFailed(why: DialFailure | "no-stream"): void {
    const { balancer, io } = this.context;
    const { endpoint } = this;
    if (endpoint === null) return;
    if (why === "no-stream") return this.fail("failfast");
    const code = codeOf(why);
    const isOurs = why === "no-descriptors";
    if (!isOurs) balancer.connectFailed(endpoint, io.loop.clock.nowMs);
    balancer.release(endpoint);
    this.endpoint = null;
    if (isOurs) return this.fail(code);
    this.context.count(why === "timeout" ? "connect_timeout" : "connect_refused");
    this.#tried.push(endpoint);
    this.context.count("retried_connect");
    this.#attempt(code);
  }

  /** An interim response came. */
  onInterim(head: ResponseHead, base: number): void {
    if (this.minorVersion === 0 || (head.status === 100 && !this.expectsContinue)) return;
    this.client.writeInterim(head, base);
  }

  /** A final head came: it is too late to try again. `isEnd`: no content follows. */
  onHead(head: ResponseHead, base: number, isEnd: boolean): void {
    this.hasResponded = true;
    this.onResponse(head.status);
    this.client.writeHead(head, base, isEnd);
  }

  /** Notes the response's status and when it came. */
  onResponse(status: number): void {
    const { clock } = this.context.io.loop;
    this.#status = status;
    this.#latencyUs = clock.nowUs - this.#startedUs;
    if (this.endpoint !== null) {
      this.context.balancer.observe(this.endpoint, clock.nowUs - this.#sentUs, clock.nowMs);
    }
    this.#forget();
  }

  /** The endpoint says that it has not looked at the request: it may always be sent again. */
  onRefused(): void {
    const canRepeat = this.#saved.isWhole && !this.hasResponded && this.#refusals < TRIES_MAX;
    this.#dropUpstream();
    if (!canRepeat) {
      // Who speaks HTTP/2 may still send it again, and is told that it is safe to.
      const isTold = this.hasResponded || (this.client.isHttp2 && this.#head?.origVersion === -1);
      return isTold ? this.#cut(ErrorCode.refusedStream) : this.fail("refused");
    }
    this.#refusals++;
    this.context.count("retried_refused");
    this.#attempt("refused");
  }

  /** The backend closed or broke off, or sent nonsense. `resetCode`: the client may be told so. */
  onBackendGone(code: ProxyErrorCode, resetCode: number = ErrorCode.internalError): void {
    const { upstream } = this;
    if (upstream === null) return;
    const canRepeat = this.#isIdempotent || upstream.isUnsent;
    const isRaced = upstream.isReused && !upstream.hasReceived && code === "backend-closed";
    this.#dropUpstream();
    if (this.hasResponded) return this.#cut(resetCode);
    if (isRaced && canRepeat && this.#saved.isWhole && !this.#isRetried) {
      this.#isRetried = true;
      this.context.count("retried_reused");
      this.#attempt(code);
      return;
    }
    this.fail(code);
  }

  /** The endpoint ended the stream early: an HTTP/2 client is told the same. */
  onBackendReset(code: number): void {
    if (code === ErrorCode.refusedStream && !this.hasResponded) return this.onRefused();
    const isCarried = this.#head?.origVersion !== -1 || !this.client.isHttp2;
    if (this.hasResponded || isCarried) return this.onBackendGone("backend-reset", code);
    this.#dropUpstream();
    this.#cut(code);
  }

  /** Answers for the backend. */
  fail(code: ProxyErrorCode): void {
    this.#latencyUs = this.context.io.loop.clock.nowUs - this.#startedUs;
    this.#status = this.client.replyFailure(code, this.isRequestDone);
    this.#finish();
    this.client.afterExchange(this.isRequestDone);
  }

  /** The response is over. `isReusable`: the backend's connection can serve another request. */
  complete(isReusable: boolean): void {
    const { upstream } = this;
    this.upstream = null;
    const isWhole = this.isRequestDone;
    if (upstream !== null) upstream.finish(isReusable && isWhole);
    this.#finish();
    this.client.afterExchange(isWhole);
  }

  /** The backend switched protocols: the upstream is now the tunnel's. */
  detachForTunnel(): Endpoint | null {
    const { endpoint } = this;
    this.upstream = null;
    this.#finish();
    return endpoint;
  }

  /** The client is gone: nobody waits for the response any more. */
  abort(): void {
    if (!this.isActive) return;
    this.context.count("client_aborted");
    this.#status = 0;
    this.#dropUpstream();
    this.#finish();
  }

  /** The response breaks off, or never comes; the client must see that. */
  #cut(code: number): void {
    this.context.count("backend_aborted");
    this.#status = 0;
    this.#finish();
    this.client.cut(code);
  }

  #dropUpstream(): void {
    const { upstream } = this;
    this.upstream = null;
    upstream?.finish(false);
    if (this.endpoint !== null) this.context.balancer.release(this.endpoint);
    this.endpoint = null;
  }

  #finish(): void {
    const { endpoint } = this;
    this.#conveyance.cancel();
    if (endpoint !== null) this.context.balancer.release(endpoint);
    this.endpoint = null;
    this.#forget();
    this.isActive = false;
    const route = this.#route;
    const fixed = route?.series ?? 0;
    const series = fixed >= 0 ? fixed : (endpoint?.series ?? route?.service.series ?? 0);
    const outcome = { series, endpoint, status: this.#status, latencyUs: this.#latencyUs };
    record(this.context, outcome);
    if (this.access !== null)
      this.context.access?.(accessLine(this.access, outcome, this.client.origin));
    this.access = null;
  }

  /** The request will not be sent again. */
  #forget(): void {
    this.#saved.clear();
    if (this.#head !== null) this.context.returnRequestHead(this.#head);
    this.#head = null;
  }
}
