/**
 * The kinds of values that flags have. Each reader is strict and says what it expected: a value that
 * is nearly right is refused, since a sidecar that guesses its configuration fails later and darker.
 */

import { parseJoinToken } from "../identity/join-token.ts";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import {
  formatIp,
  type HostPort,
  isHostName,
  parseHostPort,
  parseIp,
  parsePort,
} from "../mesh/address.ts";
import {
  expandName,
  type IdentityDefaults,
  identityFor,
  NAMESPACE_DEFAULT,
  parseDnsName,
  parseIdentityPattern,
  TRUST_DOMAIN_DEFAULT,
} from "../mesh/identity.ts";
import type { Speaks } from "../mesh/snapshot.ts";

/** Why a value was refused, as the end of a line: "expected …". */
export class Wrong {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

export type Parse<T> = (text: string) => T | Wrong;

export type UpstreamEndpoint = {
  readonly host: string;
  readonly port: number;
  readonly speaks: Speaks;
  /** Who must answer there, as it was written; null: nobody in particular, in plaintext. */
  readonly who: Who | null;
};

/** `WHO[:PORT]@` of an endpoint: a short or whole name, and the application's port behind it. */
export type Who = { readonly name: string; readonly port: number | null };

export type UpstreamConfig = {
  readonly name: string;
  readonly endpoints: readonly UpstreamEndpoint[];
};

/** A local port that carries raw TCP to `name:port`. */
export type ForwardConfig = {
  readonly listen: HostPort;
  /** A service's name or an IP address without brackets. */
  readonly name: string;
  readonly port: number;
};

/** A service's name, in lower case. */
export const serviceName: Parse<string> = (text) => {
  if (!isHostName(text)) {
    return new Wrong("expected a name of letters, digits, hyphens and dots, such as web");
  }
  return text.toLowerCase().replace(/\.$/, "");
};

/** Where connections go: a name or an address, and a port that is not 0. */
export const target: Parse<HostPort> = (text) => {
  const parsed = parseHostPort(text);
  if (parsed === null || parsed.port === 0) {
    return new Wrong("expected HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:8080");
  }
  return Object.freeze(parsed);
};

/** Prefixes of an endpoint that tell what it speaks; without one it is what the client speaks. */
const PREFIXES: readonly (readonly [prefix: string, speaks: Speaks])[] = [
  ["h1:", "http1"],
  ["h2:", "http2"],
  ["sidecar:", "sidecar"],
];

/** `[h1:|h2:]HOST:PORT`, or `sidecar:[WHO[:PORT]@]HOST:PORT` */
export const endpoint: Parse<UpstreamEndpoint> = (text) => {
  const [prefix, speaks] = PREFIXES.find(([each]) => text.startsWith(each)) ?? ["", "any"];
  const rest = text.slice(prefix.length);
  const at = speaks === "sidecar" ? rest.lastIndexOf("@") : -1;
  const parsed = target(rest.slice(at + 1));
  if (parsed instanceof Wrong) return parsed;
  const who = at === -1 ? null : whoOf(rest.slice(0, at));
  return who instanceof Wrong ? who : Object.freeze({ ...parsed, speaks, who });
};

/** `--app`: an application has no identity to prove. */
export const application: Parse<UpstreamEndpoint> = (text) => {
  const parsed = endpoint(text);
  if (parsed instanceof Wrong || parsed.speaks !== "sidecar") return parsed;
  return new Wrong("expected [h1:|h2:]HOST:PORT; an application is no sidecar");
};

function whoOf(text: string): Who | Wrong {
  const [, name = "", digits] = /^(.+?)(?::([0-9]+))?$/.exec(text) ?? [];
  const port = digits === undefined ? null : parsePort(digits);
  if (expandName(name, ANY_DEFAULTS) === null || (digits !== undefined && !port)) {
    return new Wrong("expected sidecar:WHO@HOST:PORT or sidecar:WHO:PORT@HOST:PORT, as in web@…");
  }
  return { name, port };
}

/** To tell whether a name can be completed at all. */
const ANY_DEFAULTS: IdentityDefaults = {
  namespace: NAMESPACE_DEFAULT,
  trustDomain: TRUST_DOMAIN_DEFAULT,
};

/** One label of a name, in lower case. */
export const label: Parse<string> = (text) =>
  identityFor(text, text, TRUST_DOMAIN_DEFAULT) === null
    ? new Wrong("expected letters, digits and inner hyphens, at most 63")
    : text.toLowerCase();

/** NAME or NAME.NAMESPACE, one label each, in lower case. */
export const service: Parse<string> = (text) => {
  const parts = text.split(".");
  const isName = parts.length <= 2 && parts.every((part) => !(label(part) instanceof Wrong));
  return isName ? text.toLowerCase() : new Wrong("expected NAME or NAME.NAMESPACE, such as web");
};

/** A name or an address, without a port. */
export const host: Parse<string> = (text) =>
  parseIp(text) !== null || isHostName(text)
    ? text
    : new Wrong("expected a name or an address without a port, such as 10.0.0.1");

export const trustDomain: Parse<string> = (text) =>
  parseDnsName(text) ?? new Wrong("expected a DNS name, such as cluster.local");

/** Entries of `--allow-from`, which are completed when the namespace is known. */
export const patterns: Parse<readonly string[]> = (text) => {
  const all = text.split(",");
  const bad = all.find((item) => parseIdentityPattern(item, ANY_DEFAULTS) === null);
  if (bad === undefined) return all;
  return new Wrong(`${quote(bad)}: expected a name, *.SUFFIX, spiffe://…, spiffe://…/* or *`);
};

/** A path that is not empty. */
export const path: Parse<string> = (text) =>
  text === "" || text.includes("\0") ? new Wrong("expected a path") : text;

/** A path; the empty text is none. */
export const pathOrNone: Parse<string> = (text) => (text === "" ? "" : path(text));

/** A join token, or `@FILE` with one in it: then it is read when it is needed. */
export const token: Parse<string> = (text) => {
  const isFile = text.startsWith("@");
  if (isFile ? !(path(text.slice(1)) instanceof Wrong) : parseJoinToken(text) !== null) return text;
  return new Wrong("expected a token as outrigger control token create prints it, or @FILE");
};

/** Where we listen. No host names: which of its addresses would be meant? Port 0 picks one. */
export const listener: Parse<HostPort> = (text) => {
  const parsed = parseHostPort(text);
  const host = parsed?.host === "localhost" ? "127.0.0.1" : parsed?.host;
  if (parsed === null || host === undefined || parseIp(host) === null) {
    return new Wrong("expected IP:PORT with a port from 0 to 65535, such as 127.0.0.1:4140");
  }
  return Object.freeze({ host, port: parsed.port });
};

/** A service's name; or an IP address, to which connections are redirected that know no name. */
const upstreamName: Parse<string> = (text) => {
  const ip = parseIp(text.replace(/^\[(.*:.*)\]$/, "$1"));
  if (ip === null) return serviceName(text);
  const address = formatIp(ip);
  return address.includes(":") ? `[${address}]` : address;
};

/** `NAME=[PREFIX]HOST:PORT[,[PREFIX]HOST:PORT…]` */
export const upstream: Parse<UpstreamConfig> = (text) => {
  const [name, list] = halves(text, "=");
  if (list === null) return new Wrong("expected NAME=HOST:PORT[,HOST:PORT…]");
  const parsedName = upstreamName(name);
  if (parsedName instanceof Wrong) return new Wrong(`${quote(name)}: ${parsedName.reason}`);
  const endpoints: UpstreamEndpoint[] = [];
  const seen = new Set<string>();
  for (const item of list.split(",")) {
    const parsed = endpoint(item);
    if (parsed instanceof Wrong) return new Wrong(`${quote(item)}: ${parsed.reason}`);
    const address = item.toLowerCase().replace(/^(h1|h2|sidecar):(.*@)?/, "");
    if (seen.has(address)) return new Wrong(`${quote(item)} is in it twice`);
    seen.add(address);
    endpoints.push(parsed);
  }
  return Object.freeze({ name: parsedName, endpoints: Object.freeze(endpoints) });
};

/** `IP:PORT=NAME:PORT` */
export const forward: Parse<ForwardConfig> = (text) => {
  const [from, to] = halves(text, "=");
  if (to === null) return new Wrong("expected IP:PORT=NAME:PORT, such as 127.0.0.1:3306=db:3306");
  const listen = listener(from);
  if (listen instanceof Wrong) return new Wrong(`${quote(from)}: ${listen.reason}`);
  const parsed = target(to);
  if (parsed instanceof Wrong) return new Wrong(`${quote(to)}: ${parsed.reason}`);
  const name = parsed.host.toLowerCase().replace(/\.$/, "");
  return Object.freeze({ listen, name, port: parsed.port });
};

/** Ports and ranges of ports, `25,8000-8010`; the empty text is none. */
export const ports: Parse<ReadonlySet<number>> = (text) => {
  const all = new Set<number>();
  if (text === "") return all;
  for (const item of text.split(",")) {
    const [low, high] = halves(item, "-");
    const first = parsePort(low);
    const last = high === null ? first : parsePort(high);
    if (first === null || last === null || first === 0 || first > last) {
      return new Wrong(`${quote(item)}: expected ports from 1 to 65535, such as 25,8000-8010`);
    }
    for (let port = first; port <= last; port++) all.add(port);
  }
  return all;
};

/** Milliseconds within bounds. */
export function duration(minMs: number, maxMs: number): Parse<number> {
  return (text) => {
    const ms = parseDuration(text);
    if (ms === null) return new Wrong("expected a duration with a unit, such as 10s");
    if (ms >= minMs && ms <= maxMs) return ms;
    return new Wrong(
      `expected a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
    );
  };
}

/** A whole number within bounds. */
export function count(min: number, max: number): Parse<number> {
  return (text) => {
    const number = /^(?:0|[1-9][0-9]{0,8})$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max
      ? number
      : new Wrong(`expected a whole number from ${min} to ${max}`);
  };
}

/** One of a few words. */
export function choice<const T extends string>(...words: readonly T[]): Parse<T> {
  return (text) =>
    words.find((word) => word === text) ?? new Wrong(`expected one of ${words.join(", ")}`);
}

/** A flag that may stand alone, which means on. */
export const onOff: Parse<boolean> = (text) => {
  if (text === "on") return true;
  return text === "off" ? false : new Wrong("expected on or off");
};

/** Shows a value within one line: escaped, and cut where it is too long to read. */
export function quote(text: string): string {
  const shown = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** About one line of a terminal. */
const SHOWN_CHARS_MAX = 100;

/** The texts before and after the first separator; null after it when there is none. */
function halves(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, null] : [text.slice(0, at), text.slice(at + separator.length)];
}
