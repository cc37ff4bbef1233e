/**
 * The names under which the authority of a request (Host, absolute-form, CONNECT; RFC 3986 §3.2) is
 * looked up. Workers look in their snapshot and the main thread in its registry by the same names.
 */
import { formatIp, parseIp } from "./address.ts";

/** Of an authority that does not name one: RFC 9110 §4.2.1. */
export const DEFAULT_PORT = 80;
/** RFC 1035 §2.3.4, as text. */
const HOST_CHARS_MAX = 253;
/** Letters, digits and hyphen, and the underscore that services do use. */
const DNS_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

export type HostPort = {
  /** Lower case, without trailing dot and brackets; IPv6 in its shortest form. */
  readonly host: string;
  /** Null when the authority names none. */
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
export function splitAuthority(authority: string): HostPort | null {
  const text = authority.toLowerCase();
  const hostEnd = text.startsWith("[") ? text.indexOf("]") + 1 : colonOrEnd(text);
  if (hostEnd <= 0) return null;
  const host = canonicalHost(text.slice(0, hostEnd));
  if (host === null) return null;
  const rest = text.slice(hostEnd);
  // An empty port means the default, RFC 3986 §3.2.3.
  if (rest === "" || rest === ":") return { host, port: null };
  if (!/^:[0-9]{1,5}$/.test(rest)) return null;
  const port = Number(rest.slice(1));
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}

/** Returns `host` or `host:port` in the one form that names are kept and compared in. */
export function normalizeAuthority(authority: string): string {
  const split = splitAuthority(authority);
  if (split === null) return authority.toLowerCase();
  return split.port === null ? bracketed(split.host) : joinAuthority(split.host, split.port);
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
  const dns = joinAuthority(host, port ?? DEFAULT_PORT);
  return { exact: port === null ? bare : dns, bare, dns };
}

/** Returns `host:port`, with brackets around IPv6. */
export function joinAuthority(host: string, port: number): string {
  return `${bracketed(host)}:${port}`;
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
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  return name.length <= HOST_CHARS_MAX && DNS_NAME.test(name) ? name : null;
}
