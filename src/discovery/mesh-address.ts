/**
 * Addresses and endpoints as linkerd2-proxy-api writes them, to ours. Null for what is none: bad
 * input is left out, and nothing that names an identity ever becomes an endpoint without one.
 */
import { isLinkLocalIp, isUnspecifiedIp } from "../mesh/address.ts";
import { parseDnsName, parseSpiffeId, serverNameOf } from "../mesh/identity.ts";
import type { EndpointPeer, Speaks } from "../mesh/snapshot.ts";
import type { TlsIdentity, WeightedAddr } from "../proto/destination_pb.ts";
import type { IPAddress, TcpAddress } from "../proto/net_pb.ts";
import type { EndpointAddress } from "./endpoint-table.ts";

const PORT_MAX = 65_535;
const V4_BYTES = 4;
const V6_BYTES = 16;

/** Returns 4 or 16 bytes. */
export function ipOf(address: IPAddress | undefined): Uint8Array | null {
  const { ip } = address ?? {};
  if (ip === undefined || ip.case === undefined) return null;
  const bytes = new Uint8Array(ip.case === "ipv4" ? V4_BYTES : V6_BYTES);
  const view = new DataView(bytes.buffer);
  if (ip.case === "ipv4") view.setUint32(0, ip.value);
  else {
    view.setBigUint64(0, ip.value.first);
    view.setBigUint64(V6_BYTES / 2, ip.value.last);
  }
  return bytes;
}

/** What an endpoint is told apart by, on the wire: its address and the application's port. */
export function keyOfTold(address: TcpAddress | undefined): string | null {
  const ip = ipOf(address?.ip);
  return ip === null ? null : key(ip, address?.port ?? 0);
}

/** The same of an endpoint as `endpointOf` returned it. */
export function keyOf({ ip, port, peer }: EndpointAddress): string {
  return key(ip, peer?.port ?? port);
}

function key(ip: Uint8Array, port: number): string {
  return `${Buffer.from(ip).toString("hex")}:${port}`;
}

/** Returns where an endpoint is and who must answer there. */
export function endpointOf(weighted: WeightedAddr): EndpointAddress | null {
  const { addr, tlsIdentity, protocolHint } = weighted;
  const ip = ipOf(addr?.ip);
  const port = addr?.port ?? 0;
  if (ip === null || !isPort(port)) return null;
  // Metadata services, and this host by another name: no endpoint of a mesh is there.
  if (isLinkLocalIp(ip) || isUnspecifiedIp(ip)) return null;
  const hint = protocolHint?.protocol.case;
  const speaks: Speaks = hint === "h2" ? "sidecar" : "any";
  // 0 is what proto3 reads where nothing was written.
  const weight = weighted.weight > 0 ? { weight: weighted.weight } : {};
  if (tlsIdentity === undefined) return { ip, port, speaks, peer: null, ...weight };
  const inboundPort = protocolHint?.opaqueTransport?.inboundPort ?? 0;
  if (inboundPort > PORT_MAX) return null;
  // Without a port for transport headers the sidecar is reached in the application's place.
  const behind = inboundPort === 0 ? null : port;
  const peer = peerOf(tlsIdentity, behind);
  if (peer === null) return null;
  return { ip, port: inboundPort === 0 ? port : inboundPort, speaks, peer, ...weight };
}

function peerOf({ strategy, serverName }: TlsIdentity, port: number | null): EndpointPeer | null {
  const asked = serverName === undefined ? null : parseDnsName(serverName.name);
  switch (strategy.case) {
    case "dnsLikeIdentity": {
      const identity = parseDnsName(strategy.value.name);
      return identity === null ? null : { identity, serverName: asked ?? identity, port };
    }
    case "uriLikeIdentity": {
      const identity = parseSpiffeId(strategy.value.uri);
      const name = asked ?? serverNameOf({ dns: null, uri: identity });
      return identity === null || name === null ? null : { identity, serverName: name, port };
    }
    default:
      return null;
  }
}

function isPort(port: number): boolean {
  return port > 0 && port <= PORT_MAX;
}
