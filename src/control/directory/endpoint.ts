/** An endpoint of a service as its sidecar announced it, and which of what is announced is believed. */
import {
  formatHostPort,
  formatIp,
  isLinkLocalIp,
  isLoopbackIp,
  isUnspecifiedIp,
  unmapIp,
} from "../../mesh/address.ts";

export type Endpoint = {
  /** 4 or 16 bytes; IPv4 is never mapped. */
  readonly ip: Uint8Array;
  /** Where the sidecar takes connections of other sidecars. */
  readonly inboundPort: number;
  /** Where the application listens. */
  readonly applicationPort: number;
  readonly protocol: EndpointProtocol;
  readonly weight: number;
  /** The name that its certificate has, DNS-like or a SPIFFE ID. */
  readonly identity: string;
};

export const ENDPOINT_PROTOCOLS = ["detect", "http1", "http2", "opaque"] as const;
export type EndpointProtocol = (typeof ENDPOINT_PROTOCOLS)[number];

/** What everybody has who says nothing; Linkerd's. */
export const WEIGHT_DEFAULT = 10_000;
/** Weights of a whole service add up exactly, and to less than 2^32. */
export const WEIGHT_MAX = 1_000_000;
const PORT_MAX = 65_535;

/** Tells an endpoint of a service from its others. */
export function endpointKey({ ip, inboundPort, applicationPort }: Endpoint): string {
  return `${formatIp(ip)} ${inboundPort} ${applicationPort}`;
}

/** Where clients are told that it is: the one key that a removal names. */
export function addressOf({ ip, applicationPort }: Endpoint): string {
  return formatHostPort(formatIp(ip), applicationPort);
}

export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    endpointKey(a) === endpointKey(b) &&
    a.protocol === b.protocol &&
    a.weight === b.weight &&
    a.identity === b.identity
  );
}

/** Returns why nobody may be sent to an address, or null. `from`: where the announcement came from. */
export function addressFault(ip: Uint8Array, from: Uint8Array): string | null {
  if (isUnspecifiedIp(ip)) return "is no address of a host";
  if (isMulticast(ip)) return "is a multicast or reserved address";
  if (isLinkLocalIp(ip)) return "is link-local, and others cannot reach it";
  // Its own loopback is ours too only on this host.
  if (isLoopbackIp(ip) && !isLoopbackIp(from)) return "is loopback, and others cannot reach it";
  return null;
}

/** Of 224.0.0.0/3 (multicast, RFC 5771, and class E, RFC 1112 §4) or ff00::/8. */
function isMulticast(ip: Uint8Array): boolean {
  const bytes = unmapIp(ip);
  const [first = 0] = bytes;
  return bytes.length === 4 ? first >= 224 : first === 0xff;
}

/** Returns why numbers of an announcement make no sense, or null. */
export function numberFault(announced: {
  readonly inboundPort: number;
  readonly applicationPort: number;
  readonly weight: number;
}): string | null {
  const { inboundPort, applicationPort, weight } = announced;
  if (!isPort(inboundPort)) return `inbound_port: ${inboundPort} is no port`;
  if (!isPort(applicationPort)) return `application_port: ${applicationPort} is no port`;
  if (weight < 1 || weight > WEIGHT_MAX) return `weight: ${weight} is not 1 to ${WEIGHT_MAX}`;
  return null;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= PORT_MAX;
}
