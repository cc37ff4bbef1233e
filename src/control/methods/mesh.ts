/** What the mesh's methods share, and how their requests are read. */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { IdentityDefaults } from "../../mesh/identity.ts";
import { parseServiceAuthority, type ServiceAuthority } from "../../mesh/service-name.ts";
import { RpcError, Status } from "../../rpc/status.ts";
import type { Directory } from "../directory/directory.ts";
import type { Leaving, Topics } from "../feed.ts";
import type { MeshPolicy } from "../policy/policy.ts";
import type { Caller } from "./caller.ts";
import type { Watches } from "./watches.ts";

export type Mesh = {
  readonly directory: Directory;
  readonly topics: Topics;
  readonly watches: Watches;
  /** The one in force. */
  readonly policy: () => MeshPolicy;
  readonly trustDomain: string;
  /** Does not go back, milliseconds. */
  readonly nowMs: () => number;
  readonly leaving: Leaving;
};

/** Names in messages are cut to so much: a peer may send anything. */
const QUOTE_CHARS_MAX = 100;

/** Throws INVALID_ARGUMENT for bytes that are no such message. */
export function parse<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw new RpcError(Status.invalidArgument, `the request is no ${schema.name}`);
  }
}

export function invalid(text: string, reason: string): RpcError {
  const cut = text.length > QUOTE_CHARS_MAX ? `${text.slice(0, QUOTE_CHARS_MAX)}…` : text;
  return new RpcError(Status.invalidArgument, `${JSON.stringify(cut)} ${reason}`);
}

/** A caller's short names are of its own namespace. */
export function defaultsOf(caller: Caller, { trustDomain }: Mesh): IdentityDefaults {
  return { namespace: caller.own.namespace, trustDomain };
}

/** Reads `name` or `name:port`. Throws INVALID_ARGUMENT for what can be no service. */
export function serviceIn(text: string, caller: Caller, mesh: Mesh): ServiceAuthority {
  const found = parseServiceAuthority(text, defaultsOf(caller, mesh));
  if (found === null) throw invalid(text, "is no name of a service");
  return found;
}

/** Says whether there is, or was, such a service. */
export function exists({ directory, policy }: Mesh, service: string): boolean {
  return directory.get(service) !== null || policy().knows(service);
}
