/**
 * Names of the mesh's services: which texts mean one, and the one text that stands for it everywhere,
 * in snapshots, labels and on the wire: `NAME.NAMESPACE.svc.TRUST_DOMAIN`. A port is not part of it.
 */
import { splitAuthority } from "./authority.ts";
import { type IdentityDefaults, parseDnsName } from "./identity.ts";

export type ServiceName = {
  /** One DNS label, in lower case. */
  readonly name: string;
  /** Likewise. */
  readonly namespace: string;
  /** `web.shop.svc.cluster.local`. */
  readonly canonical: string;
};

export type ServiceAuthority = {
  readonly service: ServiceName;
  /** 1 to 65535; null: none is named. */
  readonly port: number | null;
};

/** What stands between namespace and trust domain, as in Kubernetes. */
const INFIX = "svc";
/** RFC 6761 §6.3: this machine, whatever is asked for below it. */
const LOCALHOST = "localhost";

/** Returns a service's name from its parts, each one DNS label; null when it cannot be one. */
export function serviceName(
  name: string,
  namespace: string,
  trustDomain: string,
): ServiceName | null {
  if (name.includes(".") || namespace.includes(".")) return null;
  const canonical = parseDnsName(`${name}.${namespace}.${INFIX}.${trustDomain}`);
  if (canonical === null || canonical.endsWith(`.${LOCALHOST}`)) return null;
  const [account = "", space = ""] = canonical.split(".");
  if (account === LOCALHOST || space === LOCALHOST) return null;
  return { name: account, namespace: space, canonical };
}

/**
 * Returns the service that a text means: `web` of the given namespace, `web.NS`, `web.NS.svc` or
 * `web.NS.svc.TRUST_DOMAIN`, in any case and maybe with a final dot. Null for what can be none: an IP
 * address, `localhost` and what is below it, another trust domain, other names of more labels.
 */
export function parseServiceName(text: string, defaults: IdentityDefaults): ServiceName | null {
  const host = parseDnsName(text);
  if (host === null) return null;
  const { trustDomain } = defaults;
  const [name = "", namespace = defaults.namespace, infix = INFIX, ...domain] = host.split(".");
  if (infix !== INFIX) return null;
  const isOurs = domain.length === 0 || domain.join(".") === parseDnsName(trustDomain);
  return isOurs ? serviceName(name, namespace, trustDomain) : null;
}

/** Reads `name` or `name:port`, as in an authority (RFC 3986 §3.2); null when it means no service. */
export function parseServiceAuthority(
  text: string,
  defaults: IdentityDefaults,
): ServiceAuthority | null {
  const split = splitAuthority(text);
  const service = split === null ? null : parseServiceName(split.host, defaults);
  return split === null || service === null ? null : { service, port: split.port };
}
