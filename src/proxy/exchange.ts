/**
 * One request and its response, whatever either side speaks: which endpoint, on which connection,
 * again or not, and what came of it. An HTTP/1 client uses one exchange for one request after
 * another, each stream of HTTP/2 has its own.
 *
 * The request is kept until the response begins, to be sent again though no route asks for it:
 *
 *   nothing of it was sent: no connection, or a dead one  │ always, TRIES_MAX times
 *   the endpoint says it did not look at it (REFUSED_STREAM, or above the last id of a GOAWAY) │ same
 *   the connection broke before a byte of the response, and it is idempotent │ once, from the budget
 *   the endpoint hangs (balancer/silence.ts) │ the same, to another endpoint
 *
 * Endpoints that it was not sent to yet are preferred; where there are none the same is asked again,
 * after a rest but for connections that had grown old. What comes in goes to the one application that
 * there is, and is repeated only when a reused connection to it had died: all else its caller's
 * sidecar does, which knows more endpoints. Two who repeat would multiply.
 *
 *   start ─▶ attempt ─▶ (connecting | waiting for a stream) ─▶ sent ─▶ responding ─▶ over
 *             ▲  ▲─────────────── failed, and may be sent again ──┤
 *             └────────────────────── pause ◀── the try failed ───┘
 *
 * That is one try (tries.ts, repeats.ts), and without routes the only one. A route (course.ts) may ask for more: when the
 * response's status, or that of our own error in its place, is worth it, or a try takes too long.
 * Then the whole request must have been read and be kept still. The response is thrown away with its
 * connection (HTTP/1, whose content would have to be read first) or stream, its time counts for the
 * endpoint, and after a pause the next try chooses backend and endpoint anew, in the newest snapshot.
 * What is in the way of that (no try left, no budget, too long a content) lets the response through
 * as it is. Interim responses that were passed on do not count: there may be any number of them. A
 * final head does, from `responding` on the route can only end it.
 *
 * In the pause there is no endpoint and no upstream, only the timer: a client that goes away, or the
 * route's timeout, ends it as any other state; a drain waits for it. Of a head and a timeout in one
 * turn whichever is seen first counts: what arrived is read before timers are looked at.
 */

import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { Protocol } from "./conveyance.ts";
import { counterOfAnswer, isBad, isFailure, type ProxyErrorCode, statusOfTry } from "./errors.ts";
import { Repeats } from "./repeats.ts";
import type { ServiceRoute } from "./router.ts";
import { isUnseen, saysItClosed } from "./told-by-sidecar.ts";

export class Exchange extends Repeats {
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
    this.route = null;
    this.service = null;
    this.isRequestDone = isEnd;
    this.hasResponded = false;
    this.request.read(head);
    this.attempts.begin(clock.nowMs);
    this.outcome.begin(clock.nowUs);
    return this.saved.save(head, base);
  }

  /** The head of a request that is held, and where its text is. */
  get held(): { readonly head: RequestHead | null; readonly base: number } {
    return this.saved;
  }

  /** Lets go of a held request that comes to nothing. */
  drop(): void {
    this.isActive = false;
    this.outcome.watched = null;
    this.saved.clear();
  }

  protected override connect(route: ServiceRoute, endpoint: Endpoint, protocol: Protocol): void {
    const { deadlineMs } = this.attempts;
    const wantsNew = this.request.minorVersion === 0 || this.attempts.wantsNew;
    this.conveyance.find(this, endpoint, protocol, wantsNew, route.timeoutMs, deadlineMs);
  }

  /** The request's content is not to be read now: it could not be sent on. */
  get isBlocked(): boolean {
    if (this.upstream !== null) return this.upstream.isBlocked;
    return this.saved.contentBytes > 0;
  }

  /** Takes content of the request, `bytes[start, end)` of the arena. */
  sendContent(start: number, end: number, isLast: boolean): void {
    if (!this.isActive) return;
    if (isLast) this.#onRequestEnd();
    const { upstream } = this;
    if (upstream === null) {
      if (!this.saved.append(start, end)) this.fail("no-memory");
      return;
    }
    this.saved.appendSent(start, end);
    upstream.sendContent(start, end, isLast);
  }

  /** The request's content is over, with the trailer lines in `bytes[start, end)` of the arena. */
  endContent(start: number, end: number): void {
    this.#onRequestEnd();
    this.saved.appendTrailers(start, end);
    this.upstream?.endContent(start, end);
  }

  #onRequestEnd(): void {
    this.isRequestDone = true;
    this.course?.requestEnded();
    if (this.upstream === null || this.endpoint === null || this.hasResponded) return;
    this.outcome.sentAll(this.context.io.loop.clock.nowUs);
    this.trial.awaits(this.endpoint);
  }

  /** What was sent on is to be on its way. If that fails there may be an answer all the same. */
  flush(): void {
    this.upstream?.flush();
    if (this.upstream?.isBroken === true) this.upstream.pump();
  }

  /** An interim response came. */
  onInterim(head: ResponseHead, base: number): void {
    this.noteAnswer();
    const { expectsContinue, minorVersion } = this.request;
    if (minorVersion === 0 || (head.status === 100 && !expectsContinue)) return;
    this.client.writeInterim(head, base);
  }

  /** A final head came: it is too late to try again, if it is passed on. `isEnd`: it is all. */
  onHead(head: ResponseHead, base: number, isEnd: boolean): void {
    let { status } = head;
    const isGrpc = this.request.isGrpc && status === 200;
    if (isGrpc) this.observeGrpc(head, base);
    else this.observe(isFailure(status), isBad(status));
    if (isGrpc ? isEnd : isFailure(status)) status = this.takeAdvice(head, base, isGrpc);
    if (this.endpoint?.speaks === "sidecar" && this.#isLostBehind(head, base)) return;
    const hasPolicy = this.course !== null;
    if (hasPolicy ? this.triesAgain(status) : status === 503 && this.goesElsewhere()) return;
    this.hasResponded = true;
    this.#noteStatus(head.status);
    this.client.writeHead(head, base, isEnd);
  }

  /** The response is a sidecar's, and says that the application's connection broke: once more. */
  #isLostBehind(head: ResponseHead, base: number): boolean {
    const { endpoint, upstream } = this;
    if (endpoint === null || upstream === null) return false;
    this.context.balancer.connectSucceeded(endpoint);
    if (!saysItClosed(this.context.io.arena.bytes, base, head)) return false;
    if (!this.saved.isWhole || !this.mayRepeat(upstream)) return false;
    this.context.count("retried_reused");
    this.repeat("backend-closed", true);
    return true;
  }

  /** The response is a switch of protocols. */
  onSwitch(): void {
    this.observe(false);
    this.#noteStatus(101);
  }

  #noteStatus(status: number): void {
    this.outcome.end(status, this.context.io.loop.clock.nowUs);
    this.course?.responseBegan();
    this.saved.clear();
  }

  /** The request or response took longer than its route allows. */
  override onTimeout(code: "route-timeout" | "idle-timeout"): void {
    this.observeTimeout();
    this.dropUpstream();
    if (this.hasResponded) this.#cut(ErrorCode.cancel, code);
    else this.fail(code);
  }

  /**
   * The endpoint says that it has not looked at the request: it may always be sent again. `isLeaving`:
   * it is the connection that takes no more, and not the endpoint.
   */
  #onRefused(isLeaving: boolean): void {
    const { attempts, endpoint } = this;
    const isSidecar = endpoint?.speaks === "sidecar";
    if (isSidecar && !isLeaving && endpoint !== null) {
      // It lives, but its application does not: as good as an endpoint that cannot be connected to.
      this.context.balancer.connectFailed(endpoint, this.context.io.loop.clock.nowMs, true);
    } else if (!isLeaving) this.observe(true);
    const canRepeat = this.saved.isWhole && attempts.refused();
    // Who speaks HTTP/2 may still send it again, and is told that it is safe to.
    if (!canRepeat) return this.lose("refused", ErrorCode.refusedStream, !isSidecar);
    this.context.count("retried_refused");
    this.repeat("refused", !isLeaving || attempts.refusals > 1);
  }

  /** The backend closed or broke off, or sent nonsense. `resetCode`: the client may be told so. */
  override onBackendGone(code: ProxyErrorCode, resetCode: number = ErrorCode.internalError): void {
    const { upstream } = this;
    if (upstream === null) return;
    const isSilent = !upstream.hasReceived && code === "backend-closed" && !this.hasResponded;
    if (!isSilent || !this.saved.isWhole || !this.mayRepeat(upstream)) {
      return this.lose(code, resetCode);
    }
    // One that had been kept may just have grown too old; that is not the endpoint's fault.
    if (!upstream.isReused) this.observe(true);
    this.context.count("retried_reused");
    this.attempts.wantsNew = true;
    this.repeat(code, !upstream.isReused);
  }

  /** The endpoint ended the stream early: an HTTP/2 client is told the same. */
  onBackendReset(code: number, isLeaving: boolean): void {
    this.noteAnswer();
    if (code === ErrorCode.refusedStream && !this.hasResponded) return this.#onRefused(isLeaving);
    this.lose("backend-reset", code, true);
  }

  /** The try came to nothing. `isReset`: a client that speaks HTTP/2 is told just that. */
  protected override lose(
    code: ProxyErrorCode,
    resetCode: number = ErrorCode.internalError,
    isReset = false,
  ): void {
    if (this.upstream !== null && code !== "refused" && statusOfTry(code) !== 0) this.observe(true);
    if (this.triesAgainAfter(code)) return;
    this.dropUpstream();
    if (this.hasResponded || (isReset && this.isNative)) return this.#cut(resetCode);
    const isSent = this.attempts.isRepeated;
    if (!isUnseen(this.client, code)) {
      return this.fail(isSent && code === "backend-closed" ? "backend-closed-again" : code);
    }
    if (isSent) this.fail("backend-closed");
    else this.#cut(ErrorCode.refusedStream, code);
  }

  /** Answers for the backend. */
  override fail(code: ProxyErrorCode): void {
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
    this.dropUpstream();
    this.#finish();
  }

  /** The response breaks off, or never comes; the client must see that. */
  #cut(resetCode: number, why: ProxyErrorCode = "backend-closed"): void {
    this.context.count(counterOfAnswer(why));
    this.outcome.cut();
    this.#finish();
    this.client.cut(resetCode, why);
  }

  #finish(): void {
    const { endpoint } = this;
    this.leaveAll();
    this.saved.clear();
    this.course?.end();
    this.course = null;
    this.isActive = false;
    this.outcome.record(this.context, this.client.origin, this.route, this.service, endpoint);
  }
}
