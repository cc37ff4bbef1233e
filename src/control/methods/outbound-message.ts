/** A service's routes as Linkerd's OutboundPolicy. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { formatHostPort } from "../../mesh/address.ts";
import type { RetryPolicy, Route, RouteMatch } from "../../mesh/policy.ts";
import type { ServiceName } from "../../mesh/service-name.ts";
import type { HttpRouteMatchSchema } from "../../proto/http_route_pb.ts";
import { HttpMethod_Registered } from "../../proto/http_types_pb.ts";
import type { MetadataSchema } from "../../proto/meta_pb.ts";
import {
  type BackendSchema,
  type HttpRoute_RetrySchema,
  type HttpRoute_RuleSchema,
  type HttpRouteSchema,
  type OpaqueRouteSchema,
  OutboundPolicySchema,
} from "../../proto/outbound_pb.ts";
import { DEFAULT_ROUTE, type MeshPolicy, type WeightedService } from "../policy/policy.ts";
import { durationMessage } from "./net-messages.ts";

type Metadata = MessageInitShape<typeof MetadataSchema>;
type RouteBackend = { readonly backend: MessageInitShape<typeof BackendSchema> };

const DETECT_TIMEOUT_MS = 10_000;
/** linkerd2's, of policy and of its balancer. */
const QUEUE_CAPACITY = 100;
const FAILFAST_MS = 3_000;
const DEFAULT_RTT_MS = 30;
const DECAY_MS = 10_000;
const RETRY_BYTES_MAX = 65_536;
/** Full jitter. */
const JITTER_RATIO = 1;

/** Returns the encoded policy for a service and the port that clients name. */
export function outboundPolicy(policy: MeshPolicy, service: ServiceName, port: number): Uint8Array {
  const { canonical } = service;
  const own = policy.services.get(canonical);
  const metadata = metadataOf(service, port, own !== undefined);
  const split = own?.split ?? [];
  const opaque = { routes: [opaqueRoute(canonical, split, port, metadata)] };
  const timeout = durationMessage(DETECT_TIMEOUT_MS);
  const rules = (own?.routes ?? [DEFAULT_ROUTE]).map((route) => ruleOf(route, canonical, port));
  const routes: MessageInitShape<typeof HttpRouteSchema>[] = [{ metadata, rules }];
  const protocol = policy.isOpaque(canonical, port)
    ? { case: "opaque" as const, value: opaque }
    : { case: "detect" as const, value: { timeout, opaque, http1: { routes }, http2: { routes } } };
  const message = create(OutboundPolicySchema, { protocol: { kind: protocol }, metadata });
  return toBinary(OutboundPolicySchema, message);
}

function metadataOf({ name, namespace }: ServiceName, port: number, isWritten: boolean): Metadata {
  if (!isWritten) return { kind: { case: "default", value: "default" } };
  const resource = { group: "", kind: "service", name, namespace, section: "", port };
  return { kind: { case: "resource", value: resource } };
}

function ruleOf(
  route: Route,
  own: string,
  port: number,
): MessageInitShape<typeof HttpRoute_RuleSchema> {
  const { allowsFields = false, backends, idleTimeoutMs = 0, requestTimeoutMs, retry } = route;
  // An empty list matches everything too, but Linkerd's own control plane always says it.
  const all = { path: { kind: { case: "prefix" as const, value: "/" } } };
  const rule = {
    matches: route.matches.length === 0 ? [all] : route.matches.map(matchOf),
    backends: { kind: distribution(own, backends, port) },
  };
  const timeouts = {
    ...(requestTimeoutMs > 0 ? { request: durationMessage(requestTimeoutMs) } : {}),
    ...(idleTimeoutMs > 0 ? { idle: durationMessage(idleTimeoutMs) } : {}),
  };
  return {
    ...rule,
    ...(requestTimeoutMs + idleTimeoutMs > 0 ? { timeouts } : {}),
    allowL5dRequestHeaders: allowsFields,
    ...(retry === null ? {} : { retry: retryOf(retry) }),
  };
}

function matchOf({ method, path }: RouteMatch): MessageInitShape<typeof HttpRouteMatchSchema> {
  const pathMatch = path === null ? {} : { path: { kind: { case: path.kind, value: path.path } } };
  return { ...pathMatch, ...(method === null ? {} : { method: { type: methodOf(method) } }) };
}

function methodOf(method: string) {
  const registered = Object.entries(HttpMethod_Registered).find(([name]) => name === method)?.[1];
  return registered === undefined
    ? { case: "unregistered" as const, value: method }
    : { case: "registered" as const, value: registered };
}

function distribution(own: string, backends: readonly WeightedService[], port: number) {
  if (backends.length === 0) {
    const value = { backends: [backendOf(own, port)] };
    return { case: "firstAvailable" as const, value };
  }
  const weighted = backends.map(({ service, weight }) => {
    return { backend: backendOf(service, port), weight };
  });
  return { case: "randomAvailable" as const, value: { backends: weighted } };
}

function backendOf(service: string, port: number): RouteBackend {
  const [name = "", namespace = ""] = service.split(".");
  const dst = { path: formatHostPort(service, port) };
  const peakEwma = {
    defaultRtt: durationMessage(DEFAULT_RTT_MS),
    decay: durationMessage(DECAY_MS),
  };
  const resource = { group: "", kind: "service", name, namespace, section: "", port };
  return {
    backend: {
      metadata: { kind: { case: "resource", value: resource } },
      queue: { capacity: QUEUE_CAPACITY, failfastTimeout: durationMessage(FAILFAST_MS) },
      kind: {
        case: "balancer",
        value: {
          discovery: { kind: { case: "dst", value: dst } },
          load: { case: "peakEwma", value: peakEwma },
        },
      },
    },
  };
}

function retryOf(retry: RetryPolicy): MessageInitShape<typeof HttpRoute_RetrySchema> {
  const { backoffMaxMs, backoffMinMs, limit, statuses, tryTimeoutMs } = retry;
  return {
    maxRetries: limit,
    maxRequestBytes: RETRY_BYTES_MAX,
    conditions: { statusRanges: statuses.map(({ from, to }) => ({ start: from, end: to })) },
    ...(tryTimeoutMs > 0 ? { timeout: durationMessage(tryTimeoutMs) } : {}),
    backoff: {
      minBackoff: durationMessage(backoffMinMs),
      maxBackoff: durationMessage(backoffMaxMs),
      jitterRatio: JITTER_RATIO,
    },
  };
}

function opaqueRoute(
  own: string,
  split: readonly WeightedService[],
  port: number,
  metadata: Metadata,
): MessageInitShape<typeof OpaqueRouteSchema> {
  return { metadata, rules: [{ backends: { kind: distribution(own, split, port) } }] };
}
