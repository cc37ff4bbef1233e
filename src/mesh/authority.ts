/**
 * The names under which the authority of a request (Host, absolute-form, CONNECT; RFC 3986 §3.2) is
 * looked up. Workers look in their snapshot and the main thread in its registry by the same names.
 */
import { formatHostPort, formatIp, isHostName, parseIp, parsePort } from "./address.ts";

/** Of an authority that does not name one: RFC 9110 §4.2.1. */
export const DEFAULT_PORT = 80;

export type SplitAuthority = {
  /** Lower case, without trailing dot and brackets; IPv6 in the form of RFC 5952. */
  readonly host: string;
  /** 1 to 65535; null when the authority names none. */
  readonly port: number | null;
};

/** In the order of preference. */
export type LookupKeys = {
  /** As given: `web` or `web:8080`. For static upstreams. */
  readonly exact: string;
  /** Without the port. For static upstreams. */
  readonly bare: string;
  /** Always with a port. The name of a service found by DNS or by its address. */
  readonly dns: string;
};

/** Returns the host and port of an authority, or null if it is none that could be looked up. */
export function splitAuthority(authority: string): SplitAuthority | null {
  const text = authority.toLowerCase();
  const hostEnd = text.startsWith("[") ? text.indexOf("]") + 1 : colonOrEnd(text);
  if (hostEnd <= 0) return null;
  const host = canonicalHost(text.slice(0, hostEnd));
  if (host === null) return null;
  const rest = text.slice(hostEnd);
  // An empty port means the default, RFC 3986 §3.2.3.
  if (rest === "" || rest === ":") return { host, port: null };
  const port = rest.startsWith(":") ? parsePort(rest.slice(1)) : null;
  return port === null || port === 0 ? null : { host, port };
}

/** Returns `host` or `host:port` in the one form that names are kept and compared in. */
export function normalizeAuthority(authority: string): string {
  const split = splitAuthority(authority);
  if (split === null) return authority.toLowerCase();
  return split.port === null ? bracketed(split.host) : formatHostPort(split.host, split.port);
}

/** Returns the names to look an authority up by. Of a bad one they are names that nothing has. */
export function lookupKeys(authority: string): LookupKeys {
  const split = splitAuthority(authority);
  if (split === null) {
    const text = authority.toLowerCase();
    return { exact: text, bare: text, dns: text };
  }
  const { host, port } = split;
  const bare = bracketed(host);
  const dns = formatHostPort(host, port ?? DEFAULT_PORT);
  return { exact: port === null ? bare : dns, bare, dns };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function colonOrEnd(text: string): number {
  const colon = text.indexOf(":");
  return colon === -1 ? text.length : colon;
}

/** `text` is lower case; IPv6 has its brackets. */
function canonicalHost(text: string): string | null {
  if (text.startsWith("[")) {
    const ip = parseIp(text.slice(1, -1));
    return ip !== null && ip.length === 16 ? formatIp(ip) : null;
  }
  if (parseIp(text) === null && !isHostName(text)) return null;
  return text.endsWith(".") ? text.slice(0, -1) : text;
}
