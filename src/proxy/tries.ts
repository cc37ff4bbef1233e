/**
 * The tries of an exchange: where the request goes, on which connection, and whether once more. See
 * exchange.ts for what the states are, which is its heir and knows what comes back, and repeats.ts.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import { grpcLimitMs, withAsked } from "./asked.ts";
import { Attempts } from "./attempts.ts";
import type { Context } from "./context.ts";
import {
  Conveyance,
  type ConveyanceFailure,
  chooseProtocol,
  isEndpoints,
  type Protocol,
} from "./conveyance.ts";
import { Course, type CourseEvents } from "./course.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { ExchangeOutcome } from "./exchange-outcome.ts";
import { LinePlace } from "./line-place.ts";
import { codeOf } from "./open-tunnel.ts";
import { RequestTraits } from "./request-traits.ts";
import { matchRoute } from "./route-match.ts";
import type { ServiceRoute } from "./router.ts";
import { SavedRequest } from "./saved-request.ts";
import type { Requester, Responder } from "./sides.ts";
import { Trial } from "./trial.ts";

export abstract class Tries implements CourseEvents {
  readonly client: Requester;
  readonly context: Context;
  readonly request = new RequestTraits();
  readonly outcome = new ExchangeOutcome();
  isActive = false;
  /** All of the request's content was read. */
  isRequestDone = true;
  /** A final response has begun. */
  hasResponded = false;
  upstream: Responder | null = null;
  endpoint: Endpoint | null = null;
  protected readonly saved: SavedRequest;
  protected readonly conveyance: Conveyance;
  protected readonly attempts = new Attempts();
  protected route: ServiceRoute | null = null;
  /** Where the last attempt went. */
  protected service: Service | null = null;
  protected readonly trial: Trial;
  #place: LinePlace | null = null;
  /** Null while the request's service has no routes, and it does not rest. */
  protected course: Course | null = null;
  /** For the next request that needs one. */
  #spareCourse: Course | null = null;

  constructor(context: Context, client: Requester) {
    this.context = context;
    this.client = client;
    this.trial = new Trial(context);
    this.saved = new SavedRequest(context);
    this.conveyance = new Conveyance(context, {
      ready: (responder) => this.#send(responder),
      failed: (why) => this.#onConnectFailed(why),
    });
  }

  /** Finds a connection or stream to `endpoint`. */
  protected abstract connect(route: ServiceRoute, endpoint: Endpoint, protocol: Protocol): void;
  /** The try came to nothing, and is not repeated. */
  protected abstract lose(code: ProxyErrorCode): void;
  /** Answers for the backend. */
  abstract fail(code: ProxyErrorCode): void;
  abstract onBackendGone(code: ProxyErrorCode): void;
  abstract onTimeout(code: "route-timeout" | "idle-timeout"): void;
  abstract onTryTimeout(): void;
  abstract onPauseOver(isNext: boolean): void;

  /** The client speaks HTTP/2 in this request, and is told of resets as they are. */
  protected get isNative(): boolean {
    return this.client.isHttp2 && !this.request.isCarried;
  }

  /** The held request's route is known. */
  resume(route: ServiceRoute): void {
    this.route = route;
    this.service = route.service;
    route.budget.deposit(this.context.io.loop.clock.nowMs);
    if (route.routes.length > 0 && !this.#setCourse(route)) return this.fail("no-route");
    this.attempt();
  }

  /** False: no route matches. */
  #setCourse({ routes, budget }: ServiceRoute): boolean {
    const { base, head } = this.saved;
    const matched = head && matchRoute(routes, this.context.io.arena.bytes, base, head);
    if (head === null || matched === null) return false;
    this.course = this.takeCourse();
    const { bytes } = this.context.io.arena;
    const asked = matched.allowsFields === true ? withAsked(matched, bytes, base, head) : matched;
    const limitMs = head.isGrpc ? grpcLimitMs(bytes, base, head) : null;
    this.course.begin(asked, budget, this.attempts.startedMs, limitMs);
    this.course.isAsked = asked !== matched || limitMs !== null;
    if (this.isRequestDone) this.course.requestEnded();
    return true;
  }

  protected takeCourse(): Course {
    this.#spareCourse ??= new Course(this.context, this);
    return this.#spareCourse;
  }

  /** Chooses an endpoint and a way to it. */
  protected attempt(last: ProxyErrorCode = "no-endpoints"): void {
    const { route } = this;
    const { head } = this.saved;
    if (route === null || head === null) return this.fail(last);
    const service = this.serviceNow(route);
    this.service = service;
    const { balancer, io } = this.context;
    const { nowMs } = io.loop.clock;
    const isOver = this.attempts.isOver(nowMs);
    const endpoint = isOver ? null : this.attempts.pick(balancer, route, service, nowMs);
    if (endpoint === null) return this.#wait(service, route.isPool && !isOver, last);
    this.trial.begin();
    balancer.acquire(endpoint, nowMs);
    this.endpoint = endpoint;
    this.connect(route, endpoint, this.#protocolTo(endpoint, head));
  }

  /** Waits for an endpoint to be there, if one may be soon. */
  #wait(service: Service, mayWait: boolean, last: ProxyErrorCode): void {
    if (!mayWait) return this.lose(service.failure ?? last);
    this.#place ??= new LinePlace(this.context, {
      available: () => {
        this.attempts.waited();
        this.attempt("failfast");
      },
      none: (code) => this.lose(code),
      fault: () => this.onFault(),
    });
    const code = this.#place.take(service, this.attempts.deadlineMs, last);
    if (code !== null) this.lose(code);
  }

  /** Calls off what is under way to get the request to an endpoint. */
  protected leaveAll(): void {
    this.conveyance.cancel();
    if (this.#place !== null) this.#place.leave();
    this.#leaveEndpoint();
  }

  #leaveEndpoint(): void {
    if (this.endpoint === null) return;
    this.trial.end(this.endpoint, this.service, null);
    this.trial.release(this.endpoint);
    this.endpoint = null;
  }

  /** Another attempt may come after a new snapshot: rows have new owners by then. */
  protected serviceNow({ service }: ServiceRoute): Service {
    const backend = this.course?.backendOf(service) ?? null;
    if (backend !== null || this.attempts.isFirst) return backend ?? service;
    return this.context.directory.current(service);
  }

  #protocolTo(endpoint: Endpoint, head: RequestHead): Protocol {
    const speaks = this.client.origin.speaks ?? endpoint.speaks;
    const mustStay = head.wantsUpgrade || head.authorityEnd === head.authorityStart;
    const protocol = chooseProtocol(speaks, this.isNative, mustStay);
    // An endpoint that speaks HTTP/2 cannot be upgraded from HTTP/1: the offer is not made.
    if (protocol !== "http1") {
      head.wantsUpgrade = false;
      this.request.wantsUpgrade = false;
    }
    return protocol;
  }

  #send(upstream: Responder): void {
    const { head } = this.saved;
    if (head === null) return upstream.finish(false);
    this.upstream = upstream;
    this.outcome.sent(this.context.io.loop.clock.nowUs);
    // Not flushed here but at the end of the turn, all together: one by one, as they come out of one
    // read, requests cost 1.15 of HAProxy's CPU between two sidecars instead of 0.97 (bench chain).
    // How long a client takes to send what it has says nothing of the endpoint.
    if (!this.isRequestDone && this.endpoint !== null) this.trial.answered(this.endpoint);
    this.saved.sendTo(upstream, head, this.isRequestDone);
    if (upstream !== this.upstream) return;
    if (upstream.isBroken) this.onBackendGone("backend-closed");
    else if (!this.isRequestDone && !upstream.isBlocked) this.client.wantsPump();
  }

  #onConnectFailed(why: ConveyanceFailure): void {
    const { endpoint } = this;
    if (endpoint === null) return;
    // Of an endpoint that cannot be reached only a trial counts: the balancer passes it over anyway.
    if (this.trial.isOn && isEndpoints(why)) this.trial.end(endpoint, this.service, true);
    this.dropUpstream();
    if (why === "no-stream") return this.lose("failfast");
    if (why === "gone") {
      this.attempts.moved();
      return this.attempt();
    }
    const code = codeOf(why);
    if (why === "no-descriptors") return this.fail(code);
    this.attempts.connectFailed(endpoint);
    this.context.count("retried_connect");
    this.attempt(code);
  }

  /** What the last try took and came to counts. `isBad`: for the breaker; null: told later, but for a trial. */
  protected observe(isFailure: boolean, isBad: boolean | null = isFailure): void {
    const { balancer, io } = this.context;
    const { nowMs, nowUs } = io.loop.clock;
    const rttUs = nowUs - this.outcome.sentUs;
    if (this.endpoint === null) return;
    this.trial.end(this.endpoint, this.service, this.trial.isOn ? isBad === true : isBad);
    this.trial.answered(this.endpoint);
    if (isFailure) {
      if (this.upstream?.hasReceived === true) balancer.answers(this.endpoint, nowMs);
      balancer.failed(this.endpoint, rttUs, nowMs);
    } else balancer.observe(this.endpoint, rttUs, nowMs, isBad !== null);
  }

  /** The endpoint has said something: it does not hang (balancer/silence.ts). */
  protected noteAnswer(): void {
    const { endpoints, io } = this.context;
    if (this.endpoint !== null) endpoints.noteAnswer(this.endpoint.row, io.loop.clock.nowMs);
  }

  onFault(): void {
    this.client.onFault();
  }

  get progress(): number {
    return this.upstream?.progress ?? 0;
  }

  protected dropUpstream(): void {
    this.upstream?.finish(false);
    this.upstream = null;
    this.#leaveEndpoint();
  }
}
