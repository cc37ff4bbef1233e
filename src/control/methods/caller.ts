/** Who calls: only those of the mesh are answered, and under the name that their certificate has. */
import { assert } from "../../lib/assert.ts";
import { parseIp, unmapIp } from "../../mesh/address.ts";
import { identityFor } from "../../mesh/identity.ts";
import { type ServiceName, serviceName } from "../../mesh/service-name.ts";
import type { CallInfo } from "../../rpc/server-handle.ts";
import { RpcError, Status } from "../../rpc/status.ts";

export type Caller = {
  /** `web.default.serviceaccount.identity.outrigger.cluster.local`. */
  readonly identity: string;
  /** The service that has its name. */
  readonly own: ServiceName;
  /** Where the connection comes from, `ip:port`, which names it. */
  readonly connection: string;
};

/** Identities that were seen, so that those with a thousand streams are kept once. */
const known = new Map<string, { readonly identity: string; readonly own: ServiceName }>();
const KNOWN_MAX = 10_000;

/** Throws UNAUTHENTICATED for whom we have not certified ourselves. */
export function callerOf({ peer }: CallInfo, trustDomain: string): Caller {
  const dns = peer.isTls ? (peer.identity?.dns ?? null) : null;
  const who = dns === null ? null : workloadNamed(dns, trustDomain);
  if (who === null) {
    throw new RpcError(Status.unauthenticated, "only for those who show a certificate of the mesh");
  }
  return { identity: who.identity, own: who.own, connection: peer.address };
}

/** Returns the address that a caller's connection comes from: 4 or 16 bytes, IPv4 never mapped. */
export function addressOfCaller({ connection }: Caller): Uint8Array {
  const ip = parseIp(connection.slice(0, connection.lastIndexOf(":")).replace(/^\[|\]$/g, ""));
  assert(ip !== null, `a connection from ${connection}`);
  return unmapIp(ip);
}

function workloadNamed(identity: string, trustDomain: string) {
  const before = known.get(identity);
  if (before?.own.canonical.endsWith(`.${trustDomain}`) === true) return before;
  const [name = "", namespace = ""] = identity.split(".");
  const own = serviceName(name, namespace, trustDomain);
  if (own === null || identityFor(name, namespace, trustDomain)?.dns !== identity) return null;
  if (known.size >= KNOWN_MAX) known.clear();
  const who = { identity, own };
  known.set(identity, who);
  return who;
}
