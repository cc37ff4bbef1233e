/**
 * Who may come in at the inbound listener: by the flags, and by the policy of the port that the client
 * wants, as the newest snapshot has it. Nobody keeps the answer for longer than that snapshot: requests
 * are judged one by one (Router), what becomes a tunnel when it does and with each snapshot after that.
 */
import { authorizes } from "../mesh/authorize.ts";
import { matches } from "../mesh/identity.ts";
import type { InboundPolicy } from "../mesh/snapshot.ts";
import type { ClientIdentity, ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";

/** `policy-unknown` is no verdict: who may still wait for one waits. */
export type Denial = "identity-required" | "identity-denied" | "policy-denied" | "policy-unknown";

type World = Pick<Context, "policy" | "directory">;

/** Why this client is not let in as of now, or null when it is. */
export function denialOf({ policy, directory }: World, origin: ClientOrigin): Denial | null {
  if (origin.kind !== "inbound") return null;
  const denied = denialByFlags(policy, origin.client);
  if (denied !== null || !directory.hasPolicies) return denied;
  // Without a target there is nothing to come in to; that is answered where it is looked up.
  if (origin.target === null) return null;
  const { peerIp, client } = origin;
  const portPolicy = directory.policyOf(origin.target.port);
  if (portPolicy === null) return "policy-unknown";
  return authorizes(portPolicy, peerIp, client?.identity ?? null) ? null : "policy-denied";
}

function denialByFlags(policy: InboundPolicy, client: ClientIdentity | null): Denial | null {
  const { requiresIdentity, allowFrom } = policy;
  if (client === null) {
    return requiresIdentity || allowFrom !== null ? "identity-required" : null;
  }
  if (allowFrom === null || allowFrom.some((pattern) => matches(pattern, client.identity))) {
    return null;
  }
  return "identity-denied";
}

/** What is waited for before a client can be judged, or null: it can be now, or has waited already. */
export function unjudgedPort({ policy, directory }: World, origin: ClientOrigin): number | null {
  const { client, hasWaited, kind, target } = origin;
  if (kind !== "inbound" || hasWaited || target === null || !directory.hasPolicies) return null;
  if (directory.policyOf(target.port) !== null || denialByFlags(policy, client) !== null)
    return null;
  return target.port;
}

/**
 * Whether the policy of the port that a client wants says that its bytes are not looked at. Asked when
 * a connection begins: one that was taken for HTTP stays HTTP.
 */
export function isOpaque({ directory }: World, origin: ClientOrigin): boolean {
  const { kind, target } = origin;
  if (kind !== "inbound" || target === null) return false;
  return directory.policyOf(target.port)?.isOpaque === true;
}
