/**
 * Who may use the parts of the admin API that change or tell something. Being on this host is not
 * enough: a browser here can be made to send requests by any page (CSRF), and by a name that its
 * owner points at 127.0.0.1 even to read the answers (DNS rebinding).
 */
import { isLoopbackIp, parseIp, parsePort } from "../mesh/address.ts";

/** Says whether a peer's address is of this host: `::1`, 127.0.0.0/8, mapped or not. */
export function isLocalPeer(peer: string): boolean {
  const ip = parseIp(peer);
  return ip !== null && isLoopbackIp(ip);
}

/**
 * Says whether the request names us by an IP address or as `localhost`, which no foreign name can
 * be made to look like. Both the Host field and the URL count: with an absolute-form target or
 * HTTP/2 they may differ.
 */
export function hasLocalHost(request: Request): boolean {
  const host = request.headers.get("host");
  return isLocalAuthority(urlHost(request)) && (host === null || isLocalAuthority(host));
}

/** Says whether no foreign page sent the request, as far as a browser would tell. */
export function isSameOrigin(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  const host = request.headers.get("host") ?? urlHost(request);
  return origin.toLowerCase() === `http://${host.toLowerCase()}`;
}

/** Empty when the runtime could make no URL of what was sent: Bun then leaves a path, Deno nonsense. */
function urlHost(request: Request): string {
  return URL.parse(request.url)?.host ?? "";
}

function isLocalAuthority(authority: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::([0-9]+))?$/.exec(authority);
  if (match === null) return false;
  const [, host = "", port] = match;
  if (port !== undefined && parsePort(port) === null) return false;
  if (host.toLowerCase() === "localhost") return true;
  return host.startsWith("[") ? isV6(host.slice(1, -1)) : parseIp(host) !== null;
}

function isV6(text: string): boolean {
  return text.includes(":") && parseIp(text) !== null;
}
