/**
 * How requests of a service are sent, from the control plane's words to ours. A route that asks for
 * something that is not supported stays in its place and matches nothing: the ones after it count.
 */
import { DEFAULT_PORT, splitAuthority } from "../mesh/authority.ts";
import type { RetryPolicy, Route, RouteMatch } from "../mesh/policy.ts";
import type { HttpRouteMatch } from "../proto/http_route_pb.ts";
import { HttpMethod_Registered } from "../proto/http_types_pb.ts";
import type {
  Backend,
  HttpRoute,
  HttpRoute_Retry,
  HttpRoute_Rule,
  OpaqueRoute,
  OpaqueRoute_Rule,
  OutboundPolicy,
} from "../proto/outbound_pb.ts";

/** Routes of one service, and matches or backends of one route; Gateway API allows 16 and 64. */
export const ROUTES_MAX = 256;
const LIST_MAX = 64;
/** Tries cost the backends; what asks for more is a mistake. */
const RETRIES_MAX = 100;
const DURATION_MAX_MS = 86_400_000;
/** linkerd2-proxy's, where none is given. */
const BACKOFF_MIN_MS = 25;
const BACKOFF_MAX_MS = 250;

const METHODS = new Map<number, string>(
  Object.entries(HttpMethod_Registered).map(([name, number]) => [number, name]),
);

/** A name that no service has, for a backend that cannot be found. */
const NOWHERE = "";
const NO_BACKENDS: Route["backends"] = [{ service: NOWHERE, weight: 1 }];
/** No request has this method: it is no token (RFC 9110 §9.1). */
const NEVER: readonly RouteMatch[] = [{ path: null, method: "" }];

/** `problem`: what is not supported, for the log; null when all of it is. */
export type ReadRoutes = { readonly routes: readonly Route[]; readonly problem: string | null };

/** Returns the routes for HTTP of `service`, by its whole name. */
export function routesOf(service: string, policy: OutboundPolicy): ReadRoutes {
  const kind = policy.protocol?.kind;
  switch (kind?.case) {
    // HTTP/1 and HTTP/2 have the same routes, by what Linkerd's control plane and ours send.
    case "detect":
      return readAll(service, kind.value.http1?.routes ?? kind.value.http2?.routes ?? []);
    case "http1":
    case "http2":
      return readAll(service, kind.value.routes);
    case "opaque":
      return { routes: opaqueRoutesOf(service, kind.value.routes), problem: null };
    default:
      return { routes: [], problem: "no known protocol" };
  }
}

function readAll(service: string, all: readonly HttpRoute[]): ReadRoutes {
  const routes: Route[] = [];
  let problem: string | null = null;
  for (const route of all) {
    const strange = isStrange(route) ? "hosts" : null;
    for (const rule of route.rules) {
      if (routes.length >= ROUTES_MAX) return { routes, problem: "too many routes" };
      const unsupported = strange ?? problemOf(rule);
      problem ??= unsupported;
      routes.push(routeOf(service, rule, unsupported === null));
    }
  }
  return { routes, problem };
}

/** What of a rule we cannot do; null: nothing. */
function problemOf(rule: HttpRoute_Rule): string | null {
  if (isStrange(rule)) return "filters";
  if (rule.matches.length > LIST_MAX) return "so many matches";
  if (rule.matches.some((match) => isStrange(match))) return "matches of fields or queries";
  if (rule.matches.some(({ path }) => path?.kind.case === "regex")) return "regular expressions";
  return null;
}

function routeOf(service: string, rule: HttpRoute_Rule, isSupported: boolean): Route {
  const idleTimeoutMs = milliseconds(rule.timeouts?.idle);
  return {
    matches: isSupported ? rule.matches.map(matchOf) : NEVER,
    backends: backendsOf(service, rule.backends),
    requestTimeoutMs: milliseconds(rule.timeouts?.request),
    responseTimeoutMs: milliseconds(rule.timeouts?.response),
    ...(idleTimeoutMs > 0 ? { idleTimeoutMs } : {}),
    ...(rule.allowL5dRequestHeaders ? { allowsFields: true } : {}),
    retry: rule.retry === undefined ? null : retryOf(rule.retry),
  };
}

function matchOf({ path, method }: HttpRouteMatch): RouteMatch {
  const kind = path?.kind;
  const isKnown = kind?.case === "exact" || kind?.case === "prefix";
  // What Linkerd's control plane says for "all", also of connections and of `OPTIONS *`: no path at all.
  const isEverything = kind?.case === "prefix" && (kind.value === "/" || kind.value === "");
  const name =
    method?.type.case === "registered" ? METHODS.get(method.type.value) : method?.type.value;
  return {
    path: isKnown && !isEverything ? { kind: kind.case, path: kind.value } : null,
    // A method that is not known is none that a request has.
    method: method === undefined ? null : (name ?? ""),
  };
}

/** All connections are carried by the first rule; without one they go to the service itself. */
function opaqueRoutesOf(service: string, routes: readonly OpaqueRoute[]): readonly Route[] {
  const [rule] = routes[0]?.rules ?? [];
  if (rule === undefined) return [];
  const backends = backendsOf(service, rule.backends);
  return [{ matches: [], backends, requestTimeoutMs: 0, responseTimeoutMs: 0, retry: null }];
}

function backendsOf(
  service: string,
  distribution: HttpRoute_Rule["backends"] | OpaqueRoute_Rule["backends"],
): Route["backends"] {
  const kind = distribution?.kind;
  switch (kind?.case) {
    case "firstAvailable": {
      const [first] = kind.value.backends;
      const name = nameOf(first?.backend);
      return name === service ? [] : [{ service: name, weight: 1 }];
    }
    case "randomAvailable":
      // Among none is none: without any backend at all it would be the service itself.
      if (kind.value.backends.length === 0) return NO_BACKENDS;
      return kind.value.backends.slice(0, LIST_MAX).map(({ backend, weight }) => ({
        service: nameOf(backend?.backend),
        weight,
      }));
    default:
      return NO_BACKENDS;
  }
}

/** The whole name of a backend's service. */
function nameOf(backend: Backend | undefined): string {
  const discovery = backend?.kind.case === "balancer" ? backend.kind.value.discovery : undefined;
  const path = discovery?.kind.case === "dst" ? discovery.kind.value.path : NOWHERE;
  const split = splitAuthority(path);
  return split === null || (split.port ?? DEFAULT_PORT) === 0 ? NOWHERE : split.host;
}

function retryOf({ maxRetries, conditions, timeout, backoff }: HttpRoute_Retry): RetryPolicy {
  const minMs = milliseconds(backoff?.minBackoff) || BACKOFF_MIN_MS;
  const maxMs = milliseconds(backoff?.maxBackoff) || BACKOFF_MAX_MS;
  return {
    limit: Math.min(maxRetries, RETRIES_MAX),
    statuses: (conditions?.statusRanges ?? [])
      .slice(0, LIST_MAX)
      .map(({ start, end }) => ({ from: start, to: end })),
    tryTimeoutMs: milliseconds(timeout),
    backoffMinMs: minMs,
    backoffMaxMs: Math.max(minMs, maxMs),
  };
}

/** Rounded up, so that a little is not nothing, which would be no limit; at most a day. */
function milliseconds(duration: { seconds: bigint; nanos: number } | undefined): number {
  if (duration === undefined) return 0;
  const ms = Number(duration.seconds) * 1e3 + duration.nanos / 1e6;
  return Math.min(Math.max(0, Math.ceil(ms)), DURATION_MAX_MS);
}

function isStrange(message: { readonly $unknown?: readonly unknown[] | undefined }): boolean {
  return (message.$unknown?.length ?? 0) > 0;
}
