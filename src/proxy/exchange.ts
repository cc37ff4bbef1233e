/**
 * One request and its response, whatever either side speaks: which endpoint, on which connection,
 * again or not, and what came of it. An HTTP/1 client uses one exchange for one request after
 * another, each stream of HTTP/2 has its own.
 *
 * The request is kept until the response begins, to be sent again: on another endpoint when
 * connecting failed or the endpoint refused to look at it, and on a new connection when a reused one
 * had closed before a byte of the response came, if it is idempotent or nothing was sent.
 *
 *   start ─▶ attempt ─▶ (connecting | waiting for a stream) ─▶ sent ─▶ responding ─▶ over
 *               ▲─────────────── failed, and may be sent again ──┘
 */

import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { Attempts } from "./attempts.ts";
import type { Context } from "./context.ts";
import { Conveyance, type ConveyanceFailure, chooseProtocol } from "./conveyance.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { ExchangeOutcome } from "./exchange-outcome.ts";
import { codeOf } from "./open-tunnel.ts";
import { RequestTraits } from "./request-traits.ts";
import type { ServiceRoute } from "./router.ts";
import { SavedRequest } from "./saved-request.ts";
import type { Requester, Responder } from "./sides.ts";

export class Exchange {
  readonly client: Requester;
  readonly context: Context;
  readonly request = new RequestTraits();
  isActive = false;
  /** All of the request's content was read. */
  isRequestDone = true;
  /** A final response has begun. */
  hasResponded = false;
  upstream: Responder | null = null;
  endpoint: Endpoint | null = null;
  readonly #saved: SavedRequest;
  readonly #conveyance: Conveyance;
  #route: ServiceRoute | null = null;
  readonly #attempts = new Attempts();
  readonly outcome = new ExchangeOutcome();

  constructor(context: Context, client: Requester) {
    this.context = context;
    this.client = client;
    this.#saved = new SavedRequest(context);
    this.#conveyance = new Conveyance(context, {
      ready: (responder) => this.#send(responder),
      failed: (why) => this.#onConnectFailed(why),
    });
  }

  /**
   * Starts a request, whose head it owns from now on; the head's text is in the arena at `base`.
   * Content follows by `sendContent` and `endContent`, unless `isEnd`.
   */
  start(head: RequestHead, base: number, route: ServiceRoute, isEnd: boolean): void {
    if (this.hold(head, base, isEnd)) this.resume(route);
    else this.fail("no-memory");
  }

  /** Takes a request, as `start`, whose route is not known yet. False: there is no memory. */
  hold(head: RequestHead, base: number, isEnd: boolean): boolean {
    const { clock } = this.context.io.loop;
    this.isActive = true;
    this.#route = null;
    this.isRequestDone = isEnd;
    this.hasResponded = false;
    this.request.read(head);
    this.#attempts.begin(clock.nowMs);
    this.outcome.begin(clock.nowUs);
    return this.#saved.save(head, base);
  }

  /** The head of a request that is held, and where its text is. */
  get held(): { readonly head: RequestHead | null; readonly base: number } {
    return this.#saved;
  }

  /** The held request's route is known. */
  resume(route: ServiceRoute): void {
    this.#route = route;
    this.#attempt();
  }

  /** Lets go of a held request that comes to nothing. */
  drop(): void {
    this.isActive = false;
    this.outcome.watched = null;
    this.#saved.clear();
  }

  /** The request's content is not to be read now: it could not be sent on. */
  get isBlocked(): boolean {
    if (this.upstream !== null) return this.upstream.isBlocked;
    return this.#saved.contentBytes > 0;
  }

  /** The client speaks HTTP/2 in this request, and is told of resets as they are. */
  get #isNative(): boolean {
    return this.client.isHttp2 && !this.request.isCarried;
  }

  /** Takes content of the request, `bytes[start, end)` of the arena. */
  sendContent(start: number, end: number, isLast: boolean): void {
    if (!this.isActive) return;
    if (isLast) this.isRequestDone = true;
    const { upstream } = this;
    if (upstream === null) {
      if (!this.#saved.append(start, end)) this.fail("no-memory");
      return;
    }
    this.#saved.appendSent(start, end);
    upstream.sendContent(start, end, isLast);
  }

  /** The request's content is over, with the trailer lines in `bytes[start, end)` of the arena. */
  endContent(start: number, end: number): void {
    this.isRequestDone = true;
    this.#saved.appendTrailers(start, end);
    this.upstream?.endContent(start, end);
  }

  /** What was sent on is to be on its way; a connection that broke meanwhile shows here. */
  flush(): void {
    this.upstream?.flush();
    if (this.upstream?.isBroken === true) this.onBackendGone("backend-closed");
  }

  /** Chooses an endpoint and a way to it. */
  #attempt(last: ProxyErrorCode = "no-endpoints"): void {
    const { balancer, io } = this.context;
    const { clock } = io.loop;
    const [route, head] = [this.#route, this.#saved.head];
    if (route === null || head === null) return this.fail(last);
    // A second try may come after a new snapshot: rows have new owners by then.
    const { deadlineMs, isFirst, isRetried, tried } = this.#attempts;
    const service = isFirst ? route.service : this.context.directory.current(route.service);
    const isOver = this.#attempts.isOver(clock.nowMs);
    const endpoint = isOver ? null : balancer.pick(service.endpoints, clock.nowMs, tried);
    if (endpoint === null) return this.fail(service.failure ?? last);
    balancer.acquire(endpoint);
    this.endpoint = endpoint;
    const speaks = this.client.origin.speaks ?? endpoint.speaks;
    const mustStay = head.wantsUpgrade || head.authorityEnd === head.authorityStart;
    const protocol = chooseProtocol(speaks, this.#isNative, mustStay);
    // An endpoint that speaks HTTP/2 cannot be upgraded from HTTP/1: the offer is not made.
    if (protocol !== "http1") {
      head.wantsUpgrade = false;
      this.request.wantsUpgrade = false;
    }
    const wantsNew = head.minorVersion === 0 || isRetried;
    this.#conveyance.find(this, endpoint, protocol, wantsNew, route.timeoutMs, deadlineMs);
  }

  #send(upstream: Responder): void {
    const { head } = this.#saved;
    if (head === null) return upstream.finish(false);
    this.upstream = upstream;
    this.outcome.sent(this.context.io.loop.clock.nowUs);
    // Not flushed here but at the end of the turn, all together: one by one, as they come out of one
    // read, requests cost 1.15 of HAProxy's CPU between two sidecars instead of 0.97 (bench chain).
    this.#saved.sendTo(upstream, head, this.isRequestDone);
    if (upstream !== this.upstream) return;
    if (upstream.isBroken) this.onBackendGone("backend-closed");
    else if (!this.isRequestDone && !upstream.isBlocked) this.client.wantsPump();
  }

  #onConnectFailed(why: ConveyanceFailure): void {
    const { endpoint } = this;
    if (endpoint === null) return;
    this.#dropUpstream();
    if (why === "no-stream") return this.fail("failfast");
    const code = codeOf(why);
    if (why === "no-descriptors") return this.fail(code);
    this.#attempts.connectFailed(endpoint);
    this.context.count("retried_connect");
    this.#attempt(code);
  }

  /** An interim response came. */
  onInterim(head: ResponseHead, base: number): void {
    const { expectsContinue, minorVersion } = this.request;
    if (minorVersion === 0 || (head.status === 100 && !expectsContinue)) return;
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
    const { nowMs, nowUs } = this.context.io.loop.clock;
    this.outcome.end(status, nowUs);
    const rttUs = nowUs - this.outcome.sentUs;
    if (this.endpoint !== null) this.context.balancer.observe(this.endpoint, rttUs, nowMs);
    this.#saved.clear();
  }

  /** The endpoint says that it has not looked at the request: it may always be sent again. */
  onRefused(): void {
    const canRepeat = this.#saved.isWhole && !this.hasResponded && this.#attempts.refused();
    this.#dropUpstream();
    if (!canRepeat) {
      // Who speaks HTTP/2 may still send it again, and is told that it is safe to.
      const isTold = this.hasResponded || this.#isNative;
      return isTold ? this.#cut(ErrorCode.refusedStream) : this.fail("refused");
    }
    this.context.count("retried_refused");
    this.#attempt("refused");
  }

  /** The backend closed or broke off, or sent nonsense. `resetCode`: the client may be told so. */
  onBackendGone(code: ProxyErrorCode, resetCode: number = ErrorCode.internalError): void {
    const { upstream } = this;
    if (upstream === null) return;
    const canRepeat = this.#saved.isWhole && (this.request.isIdempotent || upstream.isUnsent);
    const isRaced = upstream.isReused && !upstream.hasReceived && code === "backend-closed";
    this.#dropUpstream();
    if (this.hasResponded) return this.#cut(resetCode);
    if (isRaced && canRepeat && !this.#attempts.isRetried) {
      this.#attempts.isRetried = true;
      this.context.count("retried_reused");
      return this.#attempt(code);
    }
    this.fail(code);
  }

  /** The endpoint ended the stream early: an HTTP/2 client is told the same. */
  onBackendReset(code: number): void {
    if (code === ErrorCode.refusedStream && !this.hasResponded) return this.onRefused();
    if (this.hasResponded || !this.#isNative) return this.onBackendGone("backend-reset", code);
    this.#dropUpstream();
    this.#cut(code);
  }

  /** Answers for the backend. */
  fail(code: ProxyErrorCode): void {
    const status = this.client.replyFailure(code, this.isRequestDone);
    this.outcome.end(status, this.context.io.loop.clock.nowUs);
    this.#finish();
    this.client.afterExchange(this.isRequestDone);
  }

  /** The response is over. `isReusable`: the backend's connection can serve another request. */
  complete(isReusable: boolean): void {
    const isWhole = this.isRequestDone;
    this.upstream?.finish(isReusable && isWhole);
    this.upstream = null;
    this.#finish();
    this.client.afterExchange(isWhole);
  }

  /** The backend switched protocols: the upstream is now the tunnel's. */
  detachForTunnel(): void {
    this.upstream = null;
    this.#finish();
  }

  /** The client is gone: nobody waits for the response any more. */
  abort(): void {
    if (!this.isActive) return;
    this.context.count("client_aborted");
    this.outcome.cut();
    this.#dropUpstream();
    this.#finish();
  }

  /** The response breaks off, or never comes; the client must see that. */
  #cut(code: number): void {
    this.context.count("backend_aborted");
    this.outcome.cut();
    this.#finish();
    this.client.cut(code);
  }

  #dropUpstream(): void {
    this.upstream?.finish(false);
    this.upstream = null;
    if (this.endpoint !== null) this.context.balancer.release(this.endpoint);
    this.endpoint = null;
  }

  #finish(): void {
    const { endpoint } = this;
    this.#conveyance.cancel();
    if (endpoint !== null) this.context.balancer.release(endpoint);
    this.endpoint = null;
    this.#saved.clear();
    this.isActive = false;
    this.outcome.record(this.context, this.client.origin, this.#route, endpoint);
  }
}
