/**
 * Whether a client may come in by a port's policy: by where it comes from, and by who it has proved
 * to be. What makes no sense (a prefix that is too long, a suffix without its dot) lets nobody in.
 */
import { unmapIp } from "./address.ts";
import type { Identity } from "./credentials.ts";
import { isSameName } from "./identity.ts";
import type { Authorization, Network, PortPolicy } from "./policy.ts";

const V4_BITS = 32;
const V6_BITS = 128;
/** Of an IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2), what stands before it. */
const MAPPED_BITS = V6_BITS - V4_BITS;

/**
 * Says whether one of a policy's authorizations fits. `ip` is the client's address, 4 or 16 bytes,
 * null when it is not known; `identity` is null when the client has proved nothing.
 */
export function authorizes(
  policy: PortPolicy,
  ip: Uint8Array | null,
  identity: Identity | null,
): boolean {
  return policy.authorizations.some((authorization) => fits(authorization, ip, identity));
}

function fits(
  { networks, clients }: Authorization,
  ip: Uint8Array | null,
  identity: Identity | null,
): boolean {
  return isClient(clients, identity) && (networks.length === 0 || isFrom(networks, ip));
}

function isClient(clients: Authorization["clients"], identity: Identity | null): boolean {
  if (clients.kind === "anyone") return true;
  if (identity === null) return false;
  const { dns, uri } = identity;
  if (clients.kind === "meshed") return dns !== null || uri !== null;
  return (
    clients.identities.some((name) => isSameName(identity, name)) ||
    (dns !== null && clients.suffixes.some((suffix) => isBelow(dns, suffix)))
  );
}

/** The dot makes labels whole: `.default.x` is not the end of `a.notdefault.x`. */
function isBelow(name: string, suffix: string): boolean {
  return suffix.startsWith(".") && name.endsWith(suffix);
}

function isFrom(networks: Authorization["networks"], ip: Uint8Array | null): boolean {
  if (ip === null) return false;
  return networks.some(
    ({ net, except }) =>
      isWithin(net, ip, false) && !except.some((hole) => isWithin(hole, ip, true)),
  );
}

/**
 * Says whether an address lies in a network. An IPv4 address is one whether it came mapped or not,
 * and so is a network; otherwise the families are apart, and `::/0` holds no IPv4 address.
 * `otherwise` is the answer for a network that is none.
 */
export function isWithin(
  { ip: base, prefixLength }: Network,
  ip: Uint8Array,
  otherwise: boolean,
): boolean {
  const bitsMax = base.length * 8;
  if (bitsMax !== V4_BITS && bitsMax !== V6_BITS) return otherwise;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bitsMax) {
    return otherwise;
  }
  const isMapped = bitsMax === V6_BITS && prefixLength >= MAPPED_BITS;
  const net = isMapped ? unmapIp(base) : base;
  const address = unmapIp(ip);
  if (net.length !== address.length) return false;
  const bits = net.length === base.length ? prefixLength : prefixLength - MAPPED_BITS;
  return startsAlike(net, address, bits);
}

function startsAlike(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) {
    if (a[at] !== b[at]) return false;
  }
  const rest = bits & 7;
  if (rest === 0) return true;
  return (((a[whole] ?? 0) ^ (b[whole] ?? 0)) & (0xff << (8 - rest)) & 0xff) === 0;
}
