/**
 * One attempt to get a certificate from the control plane: a new key, a request, the answer and its
 * check. The connection is the caller's, and so is the proof that it leads to the control plane; what
 * the answer says is still believed only as far as it fits what this sidecar asked for and trusts.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { isSameBytes } from "../lib/same-bytes.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import { identityText } from "../mesh/identity.ts";
import type { KeyAndRequest } from "./csr.ts";
import { encodeJoinProof, type JoinToken } from "./join-token.ts";
import { checkCredentials, type Refused } from "./load.ts";

export type CertifyRequest = {
  /** The name that is asked for: the DNS-like one where there is one. */
  readonly identity: string;
  /** What proves it, 40 bytes; null: prove it by the certificate in use, as the client of mTLS. */
  readonly token: Uint8Array | null;
  /** The whole of it: where the control plane is and which anchors it is known by. */
  readonly joinToken: JoinToken | null;
  /** PKCS#10 DER. */
  readonly csr: Uint8Array;
  /** Is waited for that long; then `signal` is aborted and the answer is of no use. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** What the control plane answered. All in DER. */
export type Certified = {
  readonly leaf: Uint8Array;
  readonly intermediates: readonly Uint8Array[];
  /** All that the mesh trusts now. */
  readonly roots: readonly Uint8Array[];
  /**
   * Its time of day when `certify` resolves, milliseconds since 1970, as well as that can be told;
   * null when it did not say.
   */
  readonly serverTimeMs: number | null;
};

/**
 * Asks over a connection to the control plane whose chain leads to an anchor that is pinned or
 * trusted. Rejects with an Error; its `code` (a gRPC status) and `isRetryable` are looked at.
 */
export type Certify = (request: CertifyRequest) => Promise<Certified>;

export type MakeKey = (identity: Identity) => Promise<KeyAndRequest>;

/** An attempt failed; its message is one line for people and holds no secret. */
export class RoundError extends Error {
  /** Nothing will change until somebody does something. */
  readonly isRefused: boolean;

  constructor(message: string, isRefused = false) {
    super(message);
    this.isRefused = isRefused;
  }
}

const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/** Says whether the control plane has said no, rather than nothing. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof RoundError) return error.isRefused;
  const { code, isRetryable } = error as {
    readonly code?: unknown;
    readonly isRetryable?: unknown;
  };
  return code === PERMISSION_DENIED || code === UNAUTHENTICATED || isRetryable === false;
}

export type Answer = {
  readonly identity: Identity;
  readonly key: Uint8Array;
  readonly certified: Certified;
  /** In use until now, expired or not; null at first. */
  readonly current: Credentials | null;
  /** SHA-256 of anchors, from the join token. */
  readonly pins: readonly Uint8Array[];
  /** Time of day. */
  readonly nowMs: number;
};

/**
 * Returns the credentials of an answer, or why it is not taken. One of the anchors must be one that
 * was trusted before or that the token pins: a control plane may add anchors to those that vouch for
 * it, not replace them all.
 */
export function readAnswer(answer: Answer): Credentials | Refused {
  const { identity, key, certified, current, pins, nowMs } = answer;
  const { leaf, intermediates, roots } = certified;
  const isKnown = (root: Uint8Array): boolean =>
    pins.some((pin) => isSameBytes(pin, sha256(root))) ||
    (current?.roots ?? []).some((trusted) => isSameBytes(trusted, root));
  if (!roots.some(isKnown)) return { refused: "none of the trust anchors is a known one" };
  const parts = { certificates: [leaf, ...intermediates], key, roots };
  return checkCredentials(parts, { nowMs, expected: identity });
}

/** Returns what `certify` is asked. `byToken` null: by the certificate in use. */
export function certifyRequest(
  identity: Identity,
  csr: Uint8Array,
  byToken: JoinToken | null,
  joinToken: JoinToken | null,
): Omit<CertifyRequest, "timeoutMs" | "signal"> {
  const token = byToken === null ? null : encodeJoinProof(byToken);
  return { identity: identityText(identity) ?? "", token, joinToken, csr };
}
