/** HTTP/1 at saturation: on kept connections, or with a new connection for each request. */

import { runAutocannon } from "../load/autocannon.ts";
import { runWrk } from "../load/wrk.ts";
import { LATENCY_COLUMNS, type Scenario } from "../scenario.ts";
import { closedLoop } from "./closed-loop.ts";

const ONE_HTTP1_PROXY = {
  modes: ["http"],
  latencyColumns: LATENCY_COLUMNS,
  originPort: null,
} as const;

export type ClosedLoop = "wrk" | "autocannon";

export function keepAlive(loop: ClosedLoop): Scenario {
  return closedLoop({
    ...ONE_HTTP1_PROXY,
    name: "keepalive",
    title: `HTTP/1 keep-alive, 64-byte answers, ${loop}, 64 connections, closed loop`,
    run: (request) => (loop === "wrk" ? runWrk(request) : runAutocannon(request, null)),
  });
}

export function newConnections(): Scenario {
  return closedLoop({
    ...ONE_HTTP1_PROXY,
    name: "connections",
    title: "HTTP/1, a new connection for each request, wrk, 64 at a time, closed loop",
    run: (request) => runWrk(request, { isClosing: true }),
  });
}
