/** Mutual TLS 1.3 at saturation: between two proxies, as between two sidecars of a mesh; and to one
 * proxy that ends it, on kept connections (what TLS adds to a request) or with a whole handshake for
 * each request (what it adds to a connection). */

import type { RunningProxy } from "../contenders.ts";
import { beginUsage, type Usage } from "../cpu.ts";
import type { Identities } from "../identities.ts";
import { CONNECTIONS } from "../load/load.ts";
import { runTls } from "../load/tls.ts";
import { runWrk } from "../load/wrk.ts";
import { BODY_BYTES } from "../origin.ts";
import { SERVICE } from "../proxies/outrigger.ts";
import {
  CORE_COLUMNS,
  type Column,
  CPU_PER_REQUEST,
  column,
  httpFigures,
  LATENCY_COLUMNS,
  type Measured,
  REQUESTS_PER_SECOND,
  RESIDENT,
  type Scenario,
  type Timing,
} from "../scenario.ts";
import { closedLoop } from "./closed-loop.ts";

/** Under way at once: enough that the proxy always has one to go on with. */
const HANDSHAKES = 32;

/** CPU, memory and the core's load are those of both proxies together. */
export function mtlsChain(): Scenario {
  return closedLoop({
    name: "mtls-chain",
    title:
      "HTTP/1 to a proxy, HTTP/2 over mutual TLS to a second, HTTP/1 to the origin, wrk, 64 connections, closed loop",
    modes: ["mtls-chain-client", "mtls-chain-origin"],
    latencyColumns: LATENCY_COLUMNS,
    originPort: null,
    run: (request) => runWrk(request),
  });
}

/** The same as `keepalive` but for TLS, and for the load generator. */
export function mtlsKeepAlive(identities: Identities): Scenario {
  return {
    ...ONE_PROXY,
    name: "mtls-keepalive",
    title: `HTTP/1 keep-alive over mutual TLS, 64-byte answers, ${CONNECTIONS} connections, closed loop`,
    columns: columnsOf(CPU_PER_REQUEST, REQUESTS_PER_SECOND),
    measure: (proxy, timing) => measure(proxy, timing, identities, false),
  };
}

export function mtlsHandshakes(identities: Identities): Scenario {
  return {
    ...ONE_PROXY,
    name: "handshakes",
    title: `Mutual TLS, a new connection and a whole handshake for each request, ${HANDSHAKES} at a time, closed loop`,
    columns: columnsOf(
      { ...CPU_PER_REQUEST, title: "CPU µs/handshake", digits: 0 },
      column("requestsPerSecond", "handshakes/s", 0, true),
    ),
    measure: (proxy, timing) => measure(proxy, timing, identities, true),
  };
}

const ONE_PROXY = {
  modes: ["mtls-http"],
  originPort: null,
  stop: () => Promise.resolve(),
} as const;

function columnsOf(...first: readonly Column[]): readonly Column[] {
  return [...first, ...LATENCY_COLUMNS, RESIDENT, ...CORE_COLUMNS];
}

/** Warms up in the same process, so that kept connections have had their handshakes before. */
async function measure(
  proxy: RunningProxy,
  timing: Timing,
  identities: Identities,
  isClosing: boolean,
): Promise<Measured> {
  let endUsage = beginUsage(proxy.pids);
  let usage: Usage | null = null;
  const load = await runTls(
    { port: proxy.port, host: SERVICE, seconds: timing.seconds },
    identities,
    {
      isClosing,
      connections: isClosing ? HANDSHAKES : CONNECTIONS,
      bodyBytes: BODY_BYTES["/"],
      warmUpSeconds: timing.warmUpSeconds,
    },
    () => {
      endUsage = beginUsage(proxy.pids);
    },
    () => {
      usage = endUsage();
    },
  );
  return { figures: httpFigures(proxy, load, usage ?? endUsage()), errors: load.errors };
}
