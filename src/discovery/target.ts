/** One address or name that a service is to be found at, and what is known of who answers there. */
import { formatIp, type HostPort, parseIp } from "../mesh/address.ts";
import { splitAuthority } from "../mesh/authority.ts";
import type { EndpointPeer, Speaks } from "../mesh/snapshot.ts";

export type Target = {
  readonly host: string;
  readonly ip: Uint8Array | null;
  readonly port: number;
  readonly speaks: Speaks;
  readonly peer: EndpointPeer | null;
};

/** A static service, as it is configured. */
export type Upstream = {
  readonly name: string;
  readonly endpoints: readonly (HostPort & {
    readonly speaks?: Speaks;
    readonly peer?: EndpointPeer | null;
  })[];
};

export function targetsOf(endpoints: Upstream["endpoints"]): readonly Target[] {
  return endpoints.map(({ host, port, speaks = "any", peer = null }) =>
    targetOf(host, { port, speaks, peer }),
  );
}

/** IPv6 may have its brackets; a name loses its final dot and its capitals. */
export function targetOf(host: string, rest: Omit<Target, "host" | "ip">): Target {
  const ip = parseIp(host);
  if (ip !== null) return { host: formatIp(ip), ip, ...rest };
  const name = splitAuthority(host)?.host ?? host;
  return { host: name, ip: parseIp(name), ...rest };
}
