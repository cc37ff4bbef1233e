/** An opaque connection: choose an endpoint, connect (the next one if that fails), join. */
import type { Member } from "../lib/members.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import type { Connection } from "../net/connection.ts";
import type { Dial, DialFailure } from "../net/dial.ts";
import type { ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { dialEndpoint } from "./dial-endpoint.ts";
import { counterOfDial, type ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";
import { LinePlace } from "./line-place.ts";
import { recordClose, recordOpen } from "./outcome.ts";
import { serviceForConnection } from "./route-match.ts";
import type { ServiceRoute } from "./router.ts";
import { Trial } from "./trial.ts";
import { joinTunnel, type Traffic, type Tunnel } from "./tunnel.ts";

const NONE_TRIED: readonly Endpoint[] = [];

/** A connection to one of a service's endpoints, held pending in the balancer until `done`. */
export class EndpointDial {
  readonly #context: Context;
  readonly #service: Service;
  readonly #isPool: boolean;
  readonly #timeoutMs: number;
  readonly #opened: (dial: Dial, endpoint: Endpoint) => void;
  readonly #failed: (code: ProxyErrorCode) => void;
  readonly #deadlineMs: number;
  #tried: Endpoint[] = [];
  #dial: Dial | null = null;
  #endpoint: Endpoint | null = null;
  #startedUs = 0;
  readonly #trial: Trial;
  #place: LinePlace | null = null;
  /** The snapshot is the one that it was routed by. */
  #isFirst = true;

  constructor(
    context: Context,
    route: ServiceRoute,
    opened: (dial: Dial, endpoint: Endpoint) => void,
    failed: (code: ProxyErrorCode) => void,
  ) {
    this.#context = context;
    this.#trial = new Trial(context);
    this.#service = serviceForConnection(context, route);
    this.#isPool = route.isPool;
    this.#timeoutMs = route.timeoutMs;
    this.#opened = opened;
    this.#failed = failed;
    this.#deadlineMs = context.io.loop.clock.nowMs + FAILFAST_MS;
  }

  /** Tries the next endpoint. One of the callbacks follows, perhaps before this returns. */
  start(last: ProxyErrorCode = "no-endpoints"): void {
    const { balancer, directory, io } = this.#context;
    const { clock } = io.loop;
    const service = this.#isFirst ? this.#service : directory.current(this.#service);
    const tried = this.#tried.length === 0 ? NONE_TRIED : this.#tried;
    const isOver = tried.length >= TRIES_MAX || clock.nowMs >= this.#deadlineMs;
    const endpoint = isOver ? null : this.#pick(service.endpoints, tried);
    if (endpoint === null) return this.#wait(service, this.#isPool && !isOver, last);
    this.#trial.begin();
    balancer.acquire(endpoint, clock.nowMs);
    this.#endpoint = endpoint;
    this.#startedUs = clock.nowUs;
    this.#dial = dialEndpoint(
      this.#context,
      endpoint,
      this.#timeoutMs,
      null,
      (dial) => this.#onOpen(dial, endpoint),
      (why) => this.#onFail(why, endpoint),
    );
  }

  #pick(endpoints: readonly Endpoint[], tried: readonly Endpoint[]): Endpoint | null {
    const { balancer, io } = this.#context;
    if (!this.#isPool) return balancer.first(endpoints, tried);
    return balancer.pick(endpoints, io.loop.clock.nowMs, tried);
  }

  /** Waits for an endpoint to be there, if one may be soon. */
  #wait(service: Service, mayWait: boolean, last: ProxyErrorCode): void {
    if (!mayWait) return this.#failed(service.failure ?? last);
    this.#place ??= new LinePlace(this.#context, {
      available: () => {
        // Those that could not be connected to may be back.
        this.#tried = [];
        this.#isFirst = false;
        this.start("failfast");
      },
      none: (code) => this.#failed(code),
      fault: () => this.#failed("internal"),
    });
    const code = this.#place.take(service, this.#deadlineMs, last);
    if (code !== null) this.#failed(code);
  }

  /** Gives up while connecting, or waiting. */
  cancel(): void {
    this.#place?.leave();
    this.#dial?.cancel();
    if (this.#dial !== null && this.#endpoint !== null) {
      this.#trial.end(this.#endpoint, this.#service, null);
      this.#context.balancer.release(this.#endpoint, false);
    }
    this.#dial = null;
  }

  #onOpen(dial: Dial, endpoint: Endpoint): void {
    const { balancer, io } = this.#context;
    this.#dial = null;
    recordOpen(this.#context, endpoint.series);
    balancer.connectSucceeded(endpoint);
    if (this.#trial.isOn) this.#trial.end(endpoint, this.#service, false);
    balancer.answered(endpoint);
    balancer.observe(endpoint, io.loop.clock.nowUs - this.#startedUs, io.loop.clock.nowMs);
    this.#opened(dial, endpoint);
  }

  #onFail(why: DialFailure, endpoint: Endpoint): void {
    const { balancer, io } = this.#context;
    this.#dial = null;
    const code = codeOf(why);
    const isOurs = why === "no-descriptors" || why === "no-identity";
    if (this.#trial.isOn) this.#trial.end(endpoint, this.#service, isOurs ? null : true);
    if (!isOurs) balancer.connectFailed(endpoint, io.loop.clock.nowMs, why === "refused");
    balancer.release(endpoint, false);
    this.#context.count(counterOfDial(code));
    if (isOurs) return this.#failed(code);
    this.#tried.push(endpoint);
    this.#isFirst = false;
    this.start(code);
  }
}

export function codeOf(why: DialFailure): ProxyErrorCode {
  switch (why) {
    case "refused":
      return "connect-refused";
    case "timeout":
      return "connect-timeout";
    case "unreachable":
      return "connect-unreachable";
    case "tls":
      return "tls-failed";
    case "untrusted":
      return "peer-untrusted";
    case "no-identity":
    case "no-descriptors":
      return why;
    default:
      return why satisfies never;
  }
}

export type OpenTunnel = Tunnel & Member & { readonly origin: ClientOrigin };

/**
 * Joins a client with an open endpoint, whose place in the balancer and whose `tcp_open` the caller
 * has taken; both are given back when both directions are over.
 */
export function startTunnel(
  context: Context,
  client: Connection & { readonly origin: ClientOrigin },
  server: Connection,
  endpoint: Endpoint,
  early: { readonly start: number; readonly end: number } | null,
  ended: (client: Traffic) => void,
): OpenTunnel {
  context.count("tunnels");
  const { origin } = client;
  const joined = joinTunnel(context.io, client, server, early, (fromClient, fromServer) => {
    context.tunnels.delete(tunnel);
    context.balancer.release(endpoint, true);
    recordClose(context, endpoint.series, fromServer.bytesRead, fromServer.bytesWritten);
    ended(fromClient);
  });
  const tunnel: OpenTunnel = { ...joined, origin, memberAt: -1 };
  context.tunnels.add(tunnel);
  return tunnel;
}
