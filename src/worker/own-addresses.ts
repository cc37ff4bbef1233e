/** Which addresses are listeners of this very process, to know a loop when it is asked for one. */
import { isSameBytes } from "../lib/same-bytes.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { WorkerStart } from "./start.ts";

export function ownAddresses({ start, ownIps }: WorkerStart): (endpoint: Endpoint) => boolean {
  const ports = new Set(start.ownPorts);
  const inbound = start.listeners.flatMap(({ kind, port }) => (kind === "inbound" ? port : []));
  return ({ ip, peer, port }) => {
    if (!ports.has(port)) return false;
    // An application may be among those that serve what it asks for: that way leads to it, not round.
    if (peer !== null && inbound.includes(port)) return false;
    const isAny = ip.every((byte) => byte === 0);
    return (
      isAny || (ip.length === 4 && ip[0] === 127) || ownIps.some((own) => isSameBytes(own, ip))
    );
  };
}
