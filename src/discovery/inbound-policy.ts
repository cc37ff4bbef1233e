/**
 * The policy of one port, from the control plane's words to ours. What is not understood lets nobody
 * in: an authorization with something strange in it is left out, and of a server with strange rules
 * none is left.
 */
import { parseDnsName, parseSpiffeId } from "../mesh/identity.ts";
import type { Authorization, Network, PortPolicy } from "../mesh/policy.ts";
import type {
  Authn_PermitMeshTLS,
  Authz,
  Network as NetworkMessage,
  Server,
} from "../proto/inbound_pb.ts";
import type { IPNetwork } from "../proto/net_pb.ts";
import { ipOf } from "./mesh-address.ts";

/** Authorizations of one port, and names or networks in one of them: more is a mistake. */
export const LIST_MAX = 4_096;

/** Fields of a Server that we do not read and that let nobody in or out: the server's addresses. */
const SERVER_FIELDS_IGNORED: readonly number[] = [2];

/** `problem`: what was left out, for the log; null when all of it was understood. */
export type ReadPolicy = { readonly policy: PortPolicy; readonly problem: string | null };

export function portPolicyOf(port: number, server: Server): ReadPolicy {
  const kind = server.protocol?.kind;
  // Bytes of TLS are the application's, not ours to look at.
  const isOpaque = kind?.case === "opaque" || kind?.case === "tls";
  const nobody = { port, isOpaque, authorizations: [] };
  if (kind?.case === undefined) return { policy: nobody, problem: "no known protocol" };
  // Routes have authorizations of their own, and limits; a server with any is not the same without.
  const strange = kind.value.$unknown ?? [];
  const others = (server.$unknown ?? []).filter(({ no }) => !SERVER_FIELDS_IGNORED.includes(no));
  if (strange.length > 0 || others.length > 0) {
    return { policy: nobody, problem: "rules for single requests are not supported" };
  }
  if (server.authorizations.length > LIST_MAX) {
    return { policy: nobody, problem: "too many authorizations" };
  }
  const read = server.authorizations.map(authorizationOf);
  const authorizations = read.filter((each) => each !== null);
  const isWhole = authorizations.length === read.length;
  return {
    policy: { port, isOpaque, authorizations },
    problem: isWhole ? null : "an authorization is not understood",
  };
}

function authorizationOf(authz: Authz): Authorization | null {
  const { networks, authentication } = authz;
  if (authentication === undefined || networks.length > LIST_MAX) return null;
  if (isStrange(authz) || isStrange(authentication)) return null;
  const blocks = networks.map(blockOf);
  const known = blocks.filter((each) => each !== null);
  // One block of several that is not understood makes the authorization narrower, not wider. Without
  // any nobody is in it, as linkerd2-proxy has it; with us an empty list is everybody.
  if (known.length === 0) return null;
  const clients = clientsOf(authentication.permit);
  const isEverywhere = [4, 16].every((bytes) => known.some((each) => isAll(each, bytes)));
  return clients === null ? null : { networks: isEverywhere ? [] : known, clients };
}

function isAll({ net, except }: Authorization["networks"][number], bytes: number): boolean {
  return net.ip.length === bytes && net.prefixLength === 0 && except.length === 0;
}

function clientsOf(permit: NonNullable<Authz["authentication"]>["permit"]) {
  switch (permit.case) {
    case "unauthenticated":
      return isStrange(permit.value) ? null : ({ kind: "anyone" } as const);
    case "meshTls":
      return isStrange(permit.value) ? null : meshClientsOf(permit.value.clients);
    default:
      return null;
  }
}

/**
 * Linkerd's `meshTLS.unauthenticated` takes TLS without a certificate of the client as well; ours
 * always asks for one, and takes nobody without.
 */
function meshClientsOf(clients: Authn_PermitMeshTLS["clients"]): Authorization["clients"] | null {
  if (clients.case === "unauthenticated") {
    return isStrange(clients.value) ? null : { kind: "meshed" };
  }
  if (clients.case !== "identities" || isStrange(clients.value)) return null;
  const { identities, suffixes } = clients.value;
  if (identities.length > LIST_MAX || suffixes.length > LIST_MAX) return null;
  // A suffix of no labels is every name, as Linkerd has it.
  if (suffixes.some(({ parts }) => parts.length === 0)) return { kind: "meshed" };
  return {
    kind: "named",
    identities: identities.flatMap(({ name }) => parseSpiffeId(name) ?? parseDnsName(name) ?? []),
    suffixes: suffixes.flatMap(({ parts }) => {
      const suffix = parseDnsName(parts.join("."));
      return suffix === null ? [] : [`.${suffix}`];
    }),
  };
}

function blockOf({ net, except }: NetworkMessage): Authorization["networks"][number] | null {
  const network = networkOf(net);
  const exceptions = except.map(networkOf);
  const known = exceptions.filter((each) => each !== null);
  // An exception that is not understood would let in whom it is to keep out.
  if (network === null || known.length < exceptions.length) return null;
  return { net: network, except: known };
}

function networkOf(network: IPNetwork | undefined): Network | null {
  const ip = ipOf(network?.ip);
  const prefixLength = network?.prefixLen ?? 0;
  return ip === null || prefixLength > ip.length * 8 ? null : { ip, prefixLength };
}

function isStrange(message: { readonly $unknown?: readonly unknown[] | undefined }): boolean {
  return (message.$unknown?.length ?? 0) > 0;
}
