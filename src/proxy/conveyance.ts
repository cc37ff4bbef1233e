/**
 * How a request gets to its endpoint: which protocol, and a connection or stream that speaks it,
 * pooled or new. One at a time; what is under way can be called off.
 */
import type { Endpoint, Speaks } from "../mesh/snapshot.ts";
import type { Dial, DialFailure } from "../net/dial.ts";
import type { Context } from "./context.ts";
import { dialEndpoint } from "./dial-endpoint.ts";
import { counterOfDial } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { StreamWaiter } from "./http2-pool.ts";
import type { Http2Upstream } from "./http2-upstream.ts";
import { UpstreamStream } from "./http2-upstream-stream.ts";
import { codeOf } from "./open-tunnel.ts";
import type { Responder } from "./sides.ts";
import { Upstream } from "./upstream.ts";

/** `carried`: as HTTP/2 to a sidecar that turns it back into the HTTP/1 it was. */
export type Protocol = "http1" | "http2" | "carried";

/**
 * `isHttp2`: the request came as HTTP/2, and was not carried in it. `mustStay`: it leaves HTTP/1.1
 * by an upgrade, or names no authority, without which a sidecar cannot tell what it was.
 */
export function chooseProtocol(speaks: Speaks, isHttp2: boolean, mustStay: boolean): Protocol {
  switch (speaks) {
    case "any":
      return isHttp2 ? "http2" : "http1";
    case "http1":
    case "http2":
      return speaks;
    case "sidecar":
      if (isHttp2) return "http2";
      // What leaves HTTP cannot share a connection: it has one of HTTP/1.1 for itself.
      return mustStay ? "http1" : "carried";
    default:
      return speaks satisfies never;
  }
}

/**
 * `no-stream`: connections there are, but none had a free stream in time. `gone`: the endpoint is not
 * one of its service any more.
 */
export type ConveyanceFailure = DialFailure | "no-stream" | "gone";

/** It failed by the endpoint, and not for want of something that we lack. */
export function isEndpoints(why: ConveyanceFailure): why is DialFailure {
  const isOurs = why === "no-descriptors" || why === "no-identity";
  return !isOurs && why !== "no-stream" && why !== "gone";
}

export type ConveyanceEvents = {
  readonly ready: (responder: Responder) => void;
  readonly failed: (why: ConveyanceFailure) => void;
};

export class Conveyance implements StreamWaiter {
  readonly #context: Context;
  readonly #events: ConveyanceEvents;
  #exchange: Exchange | null = null;
  #endpoint: Endpoint | null = null;
  #dial: Dial | null = null;
  #carries = false;
  deadlineMs = 0;
  isWaiting = false;

  constructor(context: Context, events: ConveyanceEvents) {
    this.#context = context;
    this.#events = events;
  }

  /** One of the events follows, perhaps before this returns. */
  find(
    exchange: Exchange,
    endpoint: Endpoint,
    protocol: Protocol,
    wantsNew: boolean,
    timeoutMs: number,
    deadlineMs: number,
  ): void {
    const context = this.#context;
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    if (protocol !== "http1") {
      this.#carries = protocol === "carried";
      if (this.#carries) context.count("http2_carried");
      this.deadlineMs = deadlineMs;
      const connection = context.http2.take(endpoint, this, timeoutMs);
      if (connection !== null) this.onStream(connection);
      return;
    }
    const pooled = wantsNew
      ? null
      : (context.pools.take(endpoint, exchange.request.isRepeatable) as Upstream | null);
    if (pooled !== null) {
      context.count("pool_hit");
      pooled.begin(exchange, true);
      return this.#events.ready(pooled);
    }
    this.#connect(exchange, endpoint, timeoutMs);
  }

  /** Apart from `find`, for which a pooled connection is to make no closures. */
  #connect(exchange: Exchange, endpoint: Endpoint, timeoutMs: number): void {
    const context = this.#context;
    context.count("pool_miss");
    this.#dial = dialEndpoint(
      context,
      endpoint,
      timeoutMs,
      "http1",
      (dial) => {
        this.#dial = null;
        context.balancer.connectSucceeded(endpoint);
        const upstream = new Upstream(context, dial, endpoint);
        upstream.begin(exchange, false);
        this.#events.ready(upstream);
      },
      (why) => {
        this.#dial = null;
        this.#failed(endpoint, why);
      },
    );
  }

  /** Calls off what is under way; no event follows. */
  cancel(): void {
    this.#dial?.cancel();
    this.#dial = null;
    if (this.isWaiting && this.#endpoint !== null) this.#context.http2.leave(this.#endpoint, this);
    this.#exchange = null;
  }

  /** A connection has room for a stream. */
  onStream(connection: Http2Upstream): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#events.ready(UpstreamStream.for(connection, exchange, this.#carries));
  }

  onNoStream(why: ConveyanceFailure): void {
    if (this.#exchange !== null && this.#endpoint !== null) this.#failed(this.#endpoint, why);
  }

  #failed(endpoint: Endpoint, why: ConveyanceFailure): void {
    const { balancer, io } = this.#context;
    if (isEndpoints(why)) {
      balancer.connectFailed(endpoint, io.loop.clock.nowMs, why === "refused");
      this.#context.count(counterOfDial(codeOf(why)));
    }
    this.#events.failed(why);
  }
}
