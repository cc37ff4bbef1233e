/** HTTP/2 without TLS at saturation: through one proxy that speaks it on both sides, or between two
 * proxies whose client and origin speak HTTP/1, as from one application of a mesh to another. */

import { HTTP2_CONNECTIONS, HTTP2_STREAMS, runH2load } from "../load/h2load.ts";
import { runWrk } from "../load/wrk.ts";
import { column, LATENCY_COLUMNS, type Scenario } from "../scenario.ts";
import { closedLoop } from "./closed-loop.ts";

/** `originPort` is that of an origin which speaks HTTP/2 from the first byte on. */
export function oneHttp2Proxy(originPort: number): Scenario {
  return closedLoop({
    name: "http2",
    title: `HTTP/2 without TLS, 64-byte answers, h2load, ${HTTP2_CONNECTIONS} connections of ${HTTP2_STREAMS} streams, closed loop`,
    modes: ["http2"],
    latencyColumns: [column("meanMs", "mean ms", 2, true), column("maxMs", "max ms", 2)],
    originPort,
    run: (request, warmUp) => runH2load(request, warmUp?.requestsPerSecond ?? null),
  });
}

/** CPU, memory and the core's load are those of both proxies together. */
export function http2Chain(): Scenario {
  return closedLoop({
    name: "chain",
    title:
      "HTTP/1 to a proxy, HTTP/2 without TLS to a second, HTTP/1 to the origin, wrk, 64 connections, closed loop",
    modes: ["chain-client", "chain-origin"],
    latencyColumns: LATENCY_COLUMNS,
    originPort: null,
    run: (request) => runWrk(request),
  });
}
