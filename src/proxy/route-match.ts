/**
 * Which of a service's routes a request or connection takes: the first that matches, in the order in
 * which they stand. A request is compared in the bytes that it came in, without a string of its own;
 * escapes and dot segments of its path are not resolved (RFC 3986 §6), for they go on as they are.
 */

import { weightedIndex } from "../balancer/weighted.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { PathMatch, Route, RouteMatch } from "../mesh/policy.ts";
import type { Service } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";
import type { ServiceRoute } from "./router.ts";

const SLASH = 0x2f;
const QUESTION = 0x3f;

/** Of a route whose backends have no weight: the name that no service has. */
export const NO_BACKEND = "";

/** Returns the route for the request whose text is in `bytes` from `base` on, or null: it has none. */
export function matchRoute(
  routes: readonly Route[],
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
): Route | null {
  const start = base + head.targetStart;
  const end = pathEnd(bytes, start, base + head.targetEnd);
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i];
    if (route === undefined) break;
    const { matches } = route;
    if (matches.length === 0) return route;
    for (let j = 0; j < matches.length; j++) {
      const match = matches[j];
      if (match === undefined) break;
      if (!isMethod(match, bytes, base + head.methodStart, base + head.methodEnd)) continue;
      if (match.path === null || isPath(match.path, bytes, start, end)) return route;
    }
  }
  return null;
}

/** The name of the service that one try of `route` goes to, by weight; null: the route's own. */
export function chooseBackend({ backends }: Route, random: () => number): string | null {
  if (backends.length === 0) return null;
  return backends[weightedIndex(backends, random)]?.service ?? NO_BACKEND;
}

/**
 * The service for a connection that is carried as it is: of a path and a method nothing is known, so
 * of the routes only the first one counts that asks for neither, and of that its backends. Each
 * connection chooses one for itself, for all its tries. Limits of time and retries are for requests.
 */
export function serviceForConnection(context: Context, { service, routes }: ServiceRoute): Service {
  if (routes.length === 0) return service;
  const route = routes.find(
    ({ matches }) =>
      matches.length === 0 || matches.some(({ path, method }) => path === null && method === null),
  );
  const backend = route === undefined ? null : chooseBackend(route, context.balancer.random);
  return backend === null ? service : context.directory.backend(backend, service);
}

/** An absolute-form target may have no path. */
function pathEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== QUESTION) at++;
  return at;
}

function isMethod({ method }: RouteMatch, bytes: Uint8Array, start: number, end: number): boolean {
  return method === null || (end - start === method.length && begins(method, bytes, start, end));
}

/** A prefix's trailing slash says nothing (Gateway API): `/a/` fits what `/a` does. */
function isPath({ kind, path }: PathMatch, bytes: Uint8Array, start: number, end: number): boolean {
  // "http://web" asks for "/", RFC 9112 §3.2.1.
  if (start === end) return path === "/" || (kind === "prefix" && path === "");
  if (kind === "exact") return end - start === path.length && begins(path, bytes, start, end);
  const length = path.endsWith("/") ? path.length - 1 : path.length;
  const isWhole = start + length === end || bytes[start + length] === SLASH;
  return isWhole && begins(path, bytes, start, end, length);
}

function begins(
  text: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number = text.length,
): boolean {
  if (end - start < length) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
