/** Who may come in: the minimum of a policy, decided once for each connection. */
import { matches } from "../mesh/identity.ts";
import type { InboundPolicy } from "../mesh/snapshot.ts";
import type { ClientIdentity } from "./client.ts";

export type Denial = "identity-required" | "identity-denied";

/** Why this client is not let in, or null when it is. `client` is null when it proved nothing. */
export function denialOf(policy: InboundPolicy, client: ClientIdentity | null): Denial | null {
  const { requiresIdentity, allowFrom } = policy;
  if (client === null) {
    return requiresIdentity || allowFrom !== null ? "identity-required" : null;
  }
  if (allowFrom === null || allowFrom.some((pattern) => matches(pattern, client.identity))) {
    return null;
  }
  return "identity-denied";
}
