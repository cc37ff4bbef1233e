/** Listeners that are in each other's way. */
import {
  formatHostPort,
  type HostPort,
  isUnspecifiedIp,
  parseIp,
  unmapIp,
} from "../mesh/address.ts";
import type { RunConfig } from "./config.ts";
import { RUN } from "./run-keys.ts";
import { quote } from "./values.ts";

/** Two listeners on one address and port; found here, before the first of them is bound. */
export function listenersProblem(config: RunConfig): string | null {
  const listeners: readonly [string, HostPort][] = [
    [RUN.inbound.name, config.inbound],
    [RUN.outbound.name, config.outbound],
    [RUN.admin.name, config.admin],
    ...config.forwards.map(({ listen }): [string, HostPort] => [RUN.forward.name, listen]),
  ];
  for (const [index, [flag, at]] of listeners.entries()) {
    const former = listeners.slice(0, index).find(([, other]) => overlap(at, other));
    if (former === undefined) continue;
    const text = quote(formatHostPort(at.host, at.port));
    return `${flag}: ${text}: ${former[0]} listens there already`;
  }
  return null;
}

/** All addresses of a family (`0.0.0.0`) contain each of them. */
function overlap(a: HostPort, b: HostPort): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  const [ipA, ipB] = [parseIp(a.host), parseIp(b.host)];
  if (ipA === null || ipB === null) return a.host === b.host;
  const [bytesA, bytesB] = [unmapIp(ipA), unmapIp(ipB)];
  if (bytesA.length !== bytesB.length) return false;
  if (isUnspecifiedIp(bytesA) || isUnspecifiedIp(bytesB)) return true;
  return bytesA.every((byte, index) => byte === bytesB[index]);
}
