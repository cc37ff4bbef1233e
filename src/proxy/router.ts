/**
 * Where a request goes, and whether it may. A connection's requests mostly name the same authority, so
 * the last answer is kept beside the bytes it was found for, and a hit costs one comparison and no
 * string. Each snapshot ends it, so that every request is judged by the newest policy at no cost.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { isLinkLocalIp, parseIp } from "../mesh/address.ts";
import { splitAuthority } from "../mesh/authority.ts";
import type { Route as PolicyRoute } from "../mesh/policy.ts";
import type { Service } from "../mesh/snapshot.ts";
import { latin1 } from "./access-log.ts";
import { denialOf } from "./admit.ts";
import type { ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import type { Missing } from "./directory.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { APP_CONNECT_TIMEOUT_MS, CONNECT_TIMEOUT_MS } from "./limits.ts";
import type { RetryBudget } from "./retry-budget.ts";

export type Route =
  | {
      readonly kind: "service";
      readonly service: Service;
      /** The service's; none for what comes in, which is sent to the application as it is. */
      readonly routes: readonly PolicyRoute[];
      /** What its retries draw on. */
      readonly budget: RetryBudget;
      /** Labels for all requests, or -1: those of the endpoint. */
      readonly series: number;
      readonly timeoutMs: number;
      /** There may be other endpoints, now or soon: an address, or the application, is what it is. */
      readonly isPool: boolean;
    }
  | { readonly kind: "unknown"; readonly missing: Missing }
  | { readonly kind: "refused"; readonly code: ProxyErrorCode };

export type ServiceRoute = Extract<Route, { kind: "service" }>;

const NO_ROUTES: readonly PolicyRoute[] = [];
const NO_TARGET: Route = { kind: "refused", code: "no-target" };

export class Router {
  readonly #context: Context;
  readonly #origin: ClientOrigin;
  #last: Route = NO_TARGET;
  #lastAuthority: Uint8Array = new Uint8Array(0);
  #lastVersion = -1;

  constructor(context: Context, origin: ClientOrigin) {
    this.#context = context;
    this.#origin = origin;
  }

  route(bytes: Uint8Array, base: number, head: RequestHead): Route {
    const fixed = this.#origin.authority;
    const start = base + head.authorityStart;
    const end = base + head.authorityEnd;
    if (this.#lastVersion === this.#context.directory.version) {
      if (fixed !== null || equal(bytes, start, end, this.#lastAuthority)) return this.#last;
    }
    if (fixed === null && this.#origin.kind === "inbound") {
      return refusalOf(this.#context, this.#origin) ?? NO_TARGET;
    }
    if (fixed === null && end === start) return NO_TARGET;
    const authority = fixed ?? latin1(bytes, start, end);
    const route = routeTo(this.#context, this.#origin, authority);
    if (route.kind === "unknown") return route;
    this.#last = route;
    this.#lastVersion = this.#context.directory.version;
    this.#lastAuthority = bytes.slice(start, end);
    return route;
  }
}

/** Of a client that may not come in, or of which that is not known yet; null: it may. */
function refusalOf(context: Context, origin: ClientOrigin): Route | null {
  const code = denialOf(context, origin);
  if (code === null) return null;
  const { hasWaited, target } = origin;
  if (code !== "policy-unknown" || hasWaited || target === null) return { kind: "refused", code };
  return { kind: "unknown", missing: { kind: "port", port: target.port } };
}

/**
 * Asks whether a client may come in, looks its authority up, and refuses what leads back to this
 * process or to a metadata service.
 */
export function routeTo(context: Context, origin: ClientOrigin, authority: string): Route {
  const refusal = refusalOf(context, origin);
  if (refusal !== null) return refusal;
  const ip = parseIp((splitAuthority(authority)?.host ?? "").replace(/^\[|\]$/g, ""));
  const isDirect = origin.authority === null;
  if (ip !== null && isDirect && isLinkLocalIp(ip)) return { kind: "refused", code: "forbidden" };
  const service = context.directory.find(authority);
  if (service === null) return { kind: "unknown", missing: { kind: "name", authority } };
  // A name that a client brought may lead to a metadata service as well as its address does.
  const isFound = isDirect && service.name.includes(":");
  if (isFound && service.endpoints.some((endpoint) => isLinkLocalIp(endpoint.ip))) {
    return { kind: "refused", code: "forbidden" };
  }
  if (service.endpoints.some((endpoint) => context.isOwn(endpoint))) {
    return { kind: "refused", code: "loop" };
  }
  const isInbound = origin.kind === "inbound";
  return {
    kind: "service",
    service,
    routes: isInbound ? NO_ROUTES : service.routes,
    budget: context.retryBudgets.of(service.name, context.io.loop.clock.nowMs),
    series: isInbound ? inboundSeries(context, origin) : -1,
    timeoutMs: isInbound ? APP_CONNECT_TIMEOUT_MS : CONNECT_TIMEOUT_MS,
    isPool: !isInbound && ip === null,
  };
}

function inboundSeries({ directory }: Context, { client, series }: ClientOrigin): number {
  return client === null ? series : (directory.clientSeries(client.name) ?? series);
}

function equal(bytes: Uint8Array, start: number, end: number, last: Uint8Array): boolean {
  if (end - start !== last.length || end === start) return false;
  for (let i = 0; i < last.length; i++) {
    if (bytes[start + i] !== last[i]) return false;
  }
  return true;
}
