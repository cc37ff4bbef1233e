/**
 * Names of workloads: how they are built, which texts are names, when two are the same, and the
 * patterns by which clients are allowed. A name is a DNS-like one, which compares without regard to
 * case and is kept in lower case, or a SPIFFE ID, which compares byte for byte (SPIFFE-ID §2).
 *
 * Whatever two readers could read differently is no name: nothing is decoded or normalised.
 */
import type { Identity } from "./credentials.ts";

/** What short names are completed with. */
export type IdentityDefaults = {
  readonly namespace: string;
  readonly trustDomain: string;
};

/** One entry of a list of those who may connect. A plain value, to be sent to threads. */
export type IdentityPattern =
  | { readonly kind: "any" }
  | { readonly kind: "exact"; readonly name: string }
  /** `.ns.serviceaccount.identity.…`: with its dot, so that labels are whole. */
  | { readonly kind: "dns-suffix"; readonly suffix: string }
  /** `spiffe://td/ns/x/`: with its slash, so that segments are whole. */
  | { readonly kind: "uri-prefix"; readonly prefix: string };

export const NAMESPACE_DEFAULT = "default";
export const TRUST_DOMAIN_DEFAULT = "cluster.local";

/** RFC 1035 §2.3.4: 255 bytes in wire form are 253 characters of text. */
export const DNS_NAME_CHARS_MAX = 253;
/** SPIFFE-ID §2.3: implementations must take 2,048 bytes, and must not make longer ones. */
export const SPIFFE_ID_CHARS_MAX = 2_048;
/** SPIFFE-ID §2.1. */
const TRUST_DOMAIN_CHARS_MAX = 255;

/** Letters, digits and inner hyphens, 63 at the most (RFC 1123 §2.1, RFC 1035 §2.3.4). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A last label that others would read as the end of an IPv4 address. */
const NUMBER_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;

const SPIFFE_SCHEME = "spiffe://";
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** The form of the SPIFFE IDs that we certify: trust domain, namespace, name. */
const WORKLOAD_ID = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;

/** What stands between namespace and trust domain in the DNS-like names that we certify. */
const DNS_INFIX = "serviceaccount.identity.outrigger";

/**
 * Returns both names of a workload, or null if one of the parts cannot be part of a name: name and
 * namespace are one DNS label each, the trust domain is a DNS name. Case is not kept.
 */
export function identityFor(
  name: string,
  namespace: string,
  trustDomain: string,
): { readonly dns: string; readonly uri: string } | null {
  const [account, space] = [name.toLowerCase(), namespace.toLowerCase()];
  const domain = parseDnsName(trustDomain);
  if (!LABEL.test(account) || !LABEL.test(space) || domain === null) return null;
  const dns = parseDnsName(`${account}.${space}.${DNS_INFIX}.${domain}`);
  const uri = parseSpiffeId(`${SPIFFE_SCHEME}${domain}/ns/${space}/sa/${account}`);
  return dns === null || uri === null ? null : { dns, uri };
}

/**
 * Returns a DNS-like name in lower case and without one trailing dot, or null when the text is none:
 * a wildcard, an underscore, an empty label, a NUL, more than 253 characters, an IP address.
 */
export function parseDnsName(text: string): string | null {
  if (text.length > DNS_NAME_CHARS_MAX + 1) return null;
  // `toLowerCase` makes ASCII of some other letters (the Kelvin sign), which are none of ours.
  if (!/^[A-Za-z0-9.-]+$/.test(text)) return null;
  const lower = text.toLowerCase();
  const name = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  const labels = name.split(".");
  if (name.length > DNS_NAME_CHARS_MAX || NUMBER_LABEL.test(labels.at(-1) ?? "")) return null;
  return labels.every((label) => LABEL.test(label)) ? name : null;
}

/**
 * Returns the text if it is the SPIFFE ID of a workload (SPIFFE-ID §2), else null. It has a path, as
 * one without names a trust domain; no port, user, query, fragment, percent sign or trailing slash,
 * no empty, `.` or `..` segment, and an exact `spiffe` and trust domain in lower case.
 */
export function parseSpiffeId(text: string): string | null {
  const segments = spiffeSegments(text);
  return segments !== null && segments.length > 0 ? text : null;
}

/** Returns the segments of a SPIFFE ID's path, maybe none; null when it is not one. */
function spiffeSegments(text: string): readonly string[] | null {
  if (!text.startsWith(SPIFFE_SCHEME) || text.length > SPIFFE_ID_CHARS_MAX) return null;
  const [domain = "", ...segments] = text.slice(SPIFFE_SCHEME.length).split("/");
  if (!TRUST_DOMAIN.test(domain) || domain.length > TRUST_DOMAIN_CHARS_MAX) return null;
  const isSegment = (segment: string): boolean =>
    SEGMENT.test(segment) && segment !== "." && segment !== "..";
  return segments.every(isSegment) ? segments : null;
}

/** Returns the one text that stands for an identity in logs, labels and headers; null for none. */
export function identityText(identity: Identity): string | null {
  return identity.dns ?? identity.uri;
}

/**
 * Returns the name that TLS asks for to reach a workload (SNI, which holds DNS names only): its own,
 * or the one we would certify beside a SPIFFE ID of the form `spiffe://TD/ns/NAMESPACE/sa/NAME`.
 * Null when there is none.
 */
export function serverNameOf(identity: Identity): string | null {
  if (identity.dns !== null || identity.uri === null) return identity.dns;
  const [, domain = "", namespace = "", name = ""] = WORKLOAD_ID.exec(identity.uri) ?? [];
  const built = identityFor(name, namespace, domain);
  // A name in upper case is another workload's than the one in lower case.
  return built?.uri === identity.uri ? built.dns : null;
}

/** Says whether one of an identity's names is the expected one, as `expandName` returns it. */
export function isSameName(identity: Identity, expected: string): boolean {
  return identity.dns === expected || identity.uri === expected;
}

/**
 * Returns the one name that a text in a flag stands for: `web` and `web.ns` are completed to a
 * DNS-like name, one of three labels and more is taken as it is, and so is a SPIFFE ID. Null when it
 * is none of these.
 */
export function expandName(text: string, defaults: IdentityDefaults): string | null {
  if (text.startsWith(SPIFFE_SCHEME)) return parseSpiffeId(text);
  const name = parseDnsName(text);
  if (name === null) return null;
  const [account = "", namespace = defaults.namespace, ...rest] = name.split(".");
  if (rest.length > 0) return name;
  return identityFor(account, namespace, defaults.trustDomain)?.dns ?? null;
}

/**
 * Reads an entry of `--allow-from`: a name as `expandName` takes it; `*.SUFFIX`, every DNS-like name
 * below SUFFIX; a SPIFFE ID ending in `/*`, every one below it; `*`, whoever proves any name. Null
 * when it is none of these.
 */
export function parseIdentityPattern(
  text: string,
  defaults: IdentityDefaults,
): IdentityPattern | null {
  if (text === "*") return { kind: "any" };
  if (text.startsWith("*.")) {
    const suffix = parseDnsName(text.slice(2));
    return suffix === null ? null : { kind: "dns-suffix", suffix: `.${suffix}` };
  }
  if (text.startsWith(SPIFFE_SCHEME) && text.endsWith("/*")) {
    const prefix = text.slice(0, -1);
    return spiffeSegments(text.slice(0, -2)) === null ? null : { kind: "uri-prefix", prefix };
  }
  const name = expandName(text, defaults);
  return name === null ? null : { kind: "exact", name };
}

/** Says whether an identity is one of those a pattern stands for. */
export function matches(pattern: IdentityPattern, identity: Identity): boolean {
  const { dns, uri } = identity;
  switch (pattern.kind) {
    case "any":
      return dns !== null || uri !== null;
    case "exact":
      return isSameName(identity, pattern.name);
    case "dns-suffix":
      return dns?.endsWith(pattern.suffix) ?? false;
    case "uri-prefix":
      return uri?.startsWith(pattern.prefix) ?? false;
  }
}
