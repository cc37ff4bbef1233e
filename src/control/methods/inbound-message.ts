/** What holds for a port as Linkerd's Server. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Authorization, Network } from "../../mesh/policy.ts";
import type { ServiceName } from "../../mesh/service-name.ts";
import {
  type AuthnSchema,
  type AuthzSchema,
  type ProxyProtocolSchema,
  ServerSchema,
} from "../../proto/inbound_pb.ts";
import { DEFAULT_RULE, type PortRule } from "../policy/policy.ts";
import { durationMessage, networkMessage } from "./net-messages.ts";

const DETECT_TIMEOUT_MS = 10_000;

/** Linkerd's proxy takes a list without networks for one that nobody is in. */
const ANYWHERE: readonly Network[] = [
  { ip: new Uint8Array(4), prefixLength: 0 },
  { ip: new Uint8Array(16), prefixLength: 0 },
];

/** Returns the encoded rule of a workload's port. */
export function serverMessage(rule: PortRule, workload: ServiceName): Uint8Array {
  const labels = labelsOf(rule, workload);
  const timeout = durationMessage(DETECT_TIMEOUT_MS);
  const kind: MessageInitShape<typeof ProxyProtocolSchema>["kind"] = rule.isOpaque
    ? { case: "opaque", value: {} }
    : { case: "detect", value: { timeout } };
  const authorizations = rule.authorizations.map((each) => authz(each, labels));
  const server = create(ServerSchema, { protocol: { kind }, authorizations, labels });
  return toBinary(ServerSchema, server);
}

function labelsOf(rule: PortRule, { name, namespace }: ServiceName): Record<string, string> {
  if (rule === DEFAULT_RULE) return { group: "", kind: "default", name: "all-unauthenticated" };
  return { group: "", kind: "service", name: `${name}.${namespace}` };
}

function authz(
  { clients, networks }: Authorization,
  labels: Record<string, string>,
): MessageInitShape<typeof AuthzSchema> {
  const nets =
    networks.length === 0
      ? ANYWHERE.map((net) => ({ net: networkMessage(net) }))
      : networks.map(({ net, except }) => {
          return { net: networkMessage(net), except: except.map(networkMessage) };
        });
  return {
    networks: nets,
    authentication: authn(clients),
    labels,
    metadata: { kind: { case: "default", value: labels["name"] ?? "" } },
  };
}

function authn(clients: Authorization["clients"]): MessageInitShape<typeof AuthnSchema> {
  if (clients.kind === "anyone") return { permit: { case: "unauthenticated", value: {} } };
  // A suffix without parts is that of every name.
  const permitted =
    clients.kind === "meshed"
      ? { identities: [], suffixes: [{ parts: [] }] }
      : {
          identities: clients.identities.map((name) => ({ name })),
          suffixes: clients.suffixes.map((suffix) => ({ parts: suffix.slice(1).split(".") })),
        };
  const value = { clients: { case: "identities" as const, value: permitted } };
  return { permit: { case: "meshTls", value } };
}
