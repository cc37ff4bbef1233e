/**
 * The control plane's own certificate, made in its own process: no token, no connection, and on
 * record like any other.
 */
import { makeKeyAndCsr } from "../../identity/csr.ts";
import type { Credentials } from "../../mesh/credentials.ts";
import { identityFor } from "../../mesh/identity.ts";
import { CONTROL_NAME, CONTROL_NAMESPACE } from "../names.ts";
import type { Authority } from "./authority.ts";
import { Refusal } from "./refusal.ts";

/**
 * Returns new credentials of the control plane, or why there are none now. To be renewed like a
 * sidecar's, and whenever the authority's `version` rises. `nowMs` is the wall clock.
 */
export async function makeOwnCredentials(
  authority: Authority,
  trustDomain: string,
  nowMs: number,
): Promise<Credentials | Refusal> {
  const identity = identityFor(CONTROL_NAME, CONTROL_NAMESPACE, trustDomain);
  if (identity === null) return new Refusal("wrong-identity", "no name in this trust domain");
  const { key, csr } = await makeKeyAndCsr(identity);
  const answer = await authority.issue({
    identity,
    requested: identity.dns,
    csr,
    nowMs,
    peer: "own process",
    proof: "own process",
  });
  if (answer instanceof Refusal) return answer;
  return {
    certificates: [answer.leaf, ...answer.intermediates],
    key,
    roots: answer.roots,
    identity,
    notBeforeMs: answer.validFromMs,
    notAfterMs: answer.validUntilMs,
  };
}
