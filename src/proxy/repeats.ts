/**
 * What a response says of its endpoint, and whether a request that came to nothing is sent again,
 * because its route asks for it or without.
 */
import type { FieldSection } from "../codec/http1/field-section.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import { Advice } from "./advice.ts";
import { type Course, PLAIN_ROUTE } from "./course.ts";
import { type ProxyErrorCode, statusOfTry } from "./errors.ts";
import { DEADLINE_EXCEEDED, grpcCodeOf, isBadCode, isFailureCode } from "./grpc-outcome.ts";
import { ASKED_TELLS_MS, RETRY_WAIT_MAX_MS } from "./limits.ts";
import type { Responder } from "./sides.ts";
import { Tries } from "./tries.ts";

export abstract class Repeats extends Tries {
  readonly #advice = new Advice();

  /** Leaves a try that came to `status` for another one, if its route says so and it can be. */
  protected triesAgain(status: number): boolean {
    const { course } = this;
    const { grpcStatus, waitMs } = this.#advice;
    if (course === null || this.hasResponded || !course.isWorth(status, grpcStatus)) return false;
    if (!this.#isWhole || !this.#mayWait(waitMs) || !course.takeRetry()) return false;
    this.context.count("retried_status");
    this.#pause(course, this.#hasOther ? 0 : waitMs);
    return true;
  }

  /** The endpoint does not forbid another try, and does not ask to be left alone for too long. */
  #mayWait(waitMs: number): boolean {
    if (!this.#advice.forbidsRetry && (waitMs <= RETRY_WAIT_MAX_MS || this.#hasOther)) return true;
    this.context.count("retry_forbidden");
    return false;
  }

  /** There is an endpoint but this one that it was not sent to. */
  get #hasOther(): boolean {
    const { attempts, route } = this;
    if (route === null) return false;
    return attempts.hasOther(this.serviceNow(route).endpoints, this.endpoint);
  }

  /**
   * Without a policy: 503 says that the endpoint cannot serve now, so what may be done twice goes to
   * another one, once. Those that all answer so are told apart by the budget.
   */
  protected goesElsewhere(): boolean {
    const { route, upstream } = this;
    if (upstream === null || this.hasResponded || route?.isPool !== true) return false;
    if (!this.#isWhole || !this.#hasOther || this.#advice.forbidsRetry) return false;
    if (!this.mayRepeat(upstream)) return false;
    this.context.count("retried_unavailable");
    this.repeat("unavailable", false);
    return true;
  }

  /**
   * The endpoint hangs: a request that has waited there for `leastMs` without a byte of a response goes
   * to another one, once, if it may be done twice. One whose route gives each try a time, or that leaves
   * HTTP, is left alone. False: the budget does not allow any more.
   */
  leaveHung(endpoint: Endpoint, leastMs: number): boolean {
    const { attempts, course, request, route, upstream } = this;
    if (!this.isActive || upstream === null || this.endpoint?.row !== endpoint.row) return true;
    // While the client takes nothing an answer may be there, unread.
    if (this.hasResponded || upstream.hasReceived || this.client.isBlocked) return true;
    if (route?.isPool !== true) return true;
    if (!request.isIdempotent || request.wantsUpgrade || attempts.isRepeated) return true;
    // It came so long ago that the endpoints are others by now.
    attempts.moved();
    if (!this.#isWhole || !this.#hasOther || course?.limitsTries === true) return true;
    const waitedUs = this.context.io.loop.clock.nowUs - this.outcome.sentUs;
    if (waitedUs < leastMs * 1_000) return true;
    if (!this.mayRepeat(upstream)) return false;
    this.context.count("retried_unanswered");
    this.observeTimeout();
    this.repeat("failfast", false);
    return true;
  }

  /** A response that is only a head has its code; of others it comes in the trailers. */
  protected observeGrpc({ fields }: ResponseHead, base: number): void {
    const code = grpcCodeOf(this.context.io.arena.bytes, base, fields);
    if (code === -1) this.observe(false, null);
    else this.observe(isFailureCode(code), this.#isBadCode(code));
  }

  /** Trailers came, whose text is at `base`. */
  onTrailers(fields: FieldSection, base: number): void {
    if (!this.request.isGrpc) return;
    const code = grpcCodeOf(this.context.io.arena.bytes, base, fields);
    if (code === -1 || this.endpoint === null) return;
    this.trial.end(this.endpoint, this.service, this.#isBadCode(code));
    const { balancer, io } = this.context;
    const tookUs = io.loop.clock.nowUs - this.outcome.sentUs;
    balancer.ended(this.endpoint, isFailureCode(code), tookUs, io.loop.clock.nowMs);
  }

  /** Reads what a response says of when to come again; see Advice.read. */
  protected takeAdvice(head: ResponseHead, base: number, isGrpc: boolean): number {
    const { endpoint, service } = this;
    const { breaker, io } = this.context;
    const status = this.#advice.read(io.arena.bytes, base, head, isGrpc, Date.now());
    const { waitMs } = this.#advice;
    if (waitMs === 0 || endpoint === null || service === null) return status;
    if (breaker.hold(endpoint, service, waitMs, io.loop.clock.nowMs)) {
      this.context.count("endpoint_held");
    }
    return status;
  }

  /** The same for one of our own errors in place of a response. */
  protected triesAgainAfter(code: ProxyErrorCode): boolean {
    if (this.course === null) return false;
    this.#advice.clear();
    return this.triesAgain(statusOfTry(code));
  }

  onTryTimeout(): void {
    const { course } = this;
    if (course === null || this.hasResponded || !this.#isWhole || !course.takeRetry()) return;
    this.context.count("retried_timeout");
    this.observeTimeout();
    this.#pause(course, 0);
  }

  /**
   * A limit of time passed without a response. That speaks against the endpoint if it was its turn, and if
   * the limit is not one that the request had for itself, and that hardly any endpoint could keep to.
   */
  protected observeTimeout(): void {
    const { course, upstream } = this;
    if (upstream === null || this.hasResponded) return;
    const isItsTurn = this.isRequestDone || upstream.isBlocked;
    if (isItsTurn && !(course?.isAsked === true && this.#isSoon)) this.observe(true);
  }

  /** The request has been with its endpoint for so short a time that a limit which passed says nothing. */
  get #isSoon(): boolean {
    return this.context.io.loop.clock.nowUs - this.outcome.sentUs < ASKED_TELLS_MS * 1_000;
  }

  /** As `isBadCode`; the deadline is what the call had for itself. */
  #isBadCode(code: number): boolean {
    return isBadCode(code) && !(code === DEADLINE_EXCEEDED && this.#isSoon);
  }

  /** All of the request was read, and is kept. */
  get #isWhole(): boolean {
    return this.isRequestDone && this.saved.isWhole;
  }

  #pause(course: Course, leastMs: number): void {
    this.attempts.failedAt(this.endpoint);
    this.leaveAll();
    course.pause(leastMs);
    this.#advice.clear();
    this.dropUpstream();
  }

  onPauseOver(isNext: boolean): void {
    if (isNext) {
      this.attempts.again(this.context.io.loop.clock.nowMs);
      this.course?.beginTry();
    }
    this.attempt();
  }

  /**
   * Sends the request again, which came to nothing at its endpoint: at once to another one, else to
   * the same, and then after a rest if that `needsRest`.
   */
  protected repeat(code: ProxyErrorCode, needsRest: boolean): void {
    const { attempts, route } = this;
    attempts.failedAt(this.endpoint);
    this.dropUpstream();
    if (!needsRest || route === null || attempts.hasOther(this.serviceNow(route).endpoints)) {
      return this.attempt(code);
    }
    if (this.course === null) {
      this.course = this.takeCourse();
      this.course.begin(PLAIN_ROUTE, route.budget, attempts.startedMs);
    }
    this.course.rest(Math.max(1, attempts.refusals));
  }

  /** The request may go once more, after `upstream` broke before a byte of the response. */
  protected mayRepeat({ isReused, isUnsent }: Responder): boolean {
    const { attempts, route } = this;
    if (isUnsent) return attempts.refused();
    const isInbound = this.client.origin.kind === "inbound";
    if (!this.request.isIdempotent || (isInbound && !isReused)) return false;
    if (route === null || attempts.isRepeated) return false;
    const { nowMs } = this.context.io.loop.clock;
    if (!route.budget.withdraw(nowMs)) {
      this.context.count("retry_budget_exceeded");
      return false;
    }
    // It may have been with its endpoint for long: the time to find one begins anew.
    attempts.again(nowMs);
    attempts.isRepeated = true;
    return true;
  }
}
