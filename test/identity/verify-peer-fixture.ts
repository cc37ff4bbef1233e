/** One mesh with an anchor and an issuer, and what a verifier says of a chain in it. */
import { type PeerRefusal, PeerVerifier } from "../../src/identity/verify-peer.ts";
import type { Identity } from "../../src/mesh/credentials.ts";
import {
  type Authority,
  type Der,
  type IssueOptions,
  identityOf,
  makeAuthority,
} from "../support/certificates.ts";

/** Every certificate is valid from a day before to a day after, unless a test says otherwise. */
export const NOW_MS: number = Date.UTC(2030, 0, 15, 12);
export const DAY_MS = 86_400_000;

export const atDay = (days: number): Date => new Date(NOW_MS + days * DAY_MS);

export const VALID = { notBefore: atDay(-1), notAfter: atDay(1) } as const;
export const LONG = { notBefore: atDay(-10), notAfter: atDay(10) } as const;

export const WEB = identityOf("web");
/** Both names of `web`. */
export const NAMES = { dns: [WEB.dns], uris: [WEB.uri] } as const;

export interface Mesh {
  readonly anchor: Authority;
  readonly issuer: Authority;
  readonly verifier: PeerVerifier;
  /** The chain of a workload `web`, good but for the options. */
  chainOf(options?: IssueOptions): Promise<readonly [Der, ...Der[]]>;
}

export async function makeMesh(): Promise<Mesh> {
  const anchor = await makeAuthority(LONG);
  const issuer = await makeAuthority({ ...LONG, parent: anchor, pathLength: 0 });
  return {
    anchor,
    issuer,
    verifier: new PeerVerifier([anchor.certificate]),
    chainOf: async (options = {}) =>
      (await issuer.issue({ ...VALID, ...NAMES, ...options })).certificates,
  };
}

/** What a client is, or why it is nobody. */
export function verdict(
  verifier: PeerVerifier,
  chain: readonly Uint8Array[],
  role: "client" | "server" = "client",
  nowMs = NOW_MS,
): Identity | PeerRefusal {
  const result = verifier.verify(chain, role, nowMs);
  return "refused" in result ? result.refused : result.identity;
}
