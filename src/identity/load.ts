/**
 * Whether certificates, key and trust anchors that came from outside are what a sidecar can serve
 * with, looked at as a peer will look at them: found out here, it is a line in the log; found out
 * later, it is every handshake that fails.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { readCertificate } from "../codec/x509/certificate.ts";
import { isSameBytes } from "../lib/same-bytes.ts";
import type { Credentials, Identity } from "../mesh/credentials.ts";
import { identityText } from "../mesh/identity.ts";
import { type PeerRefusal, PeerVerifier } from "./verify-peer.ts";

export type CredentialParts = {
  /** DER, leaf first. Anchors among them are left out of what is sent to peers. */
  readonly certificates: readonly Uint8Array[];
  /** PKCS#8 DER. */
  readonly key: Uint8Array;
  /** DER. */
  readonly roots: readonly Uint8Array[];
};

export type CheckOptions = {
  /** Time of day, milliseconds since 1970. */
  readonly nowMs: number;
  /** Whom the leaf must be for; null takes whom it is for. */
  readonly expected: Identity | null;
};

/** A plain reason of one line that quotes no key. */
export type Refused = { readonly refused: string };

/** More than a mesh has; each worker looks through them for every chain that it does not know. */
const ROOTS_MAX = 64;

const REASONS: Readonly<Record<PeerRefusal, string>> = {
  "no-certificate": "there is no certificate",
  malformed: "a certificate cannot be read",
  untrusted: "the certificate does not lead to one of the trust anchors",
  expired: "the certificate or one above it has expired",
  "not-yet-valid": "the certificate or one above it is not yet valid",
  "not-a-leaf": "the certificate is one of a CA",
  "wrong-key": "the certificate's key is not of ECDSA on P-256",
  "wrong-usage": "the certificate is not for both clientAuth and serverAuth",
  "unknown-critical": "the certificate has a critical extension that is not known",
  "no-identity": "the certificate has no identity among its names",
  "ambiguous-identity": "the certificate has more than one DNS name or URI",
};

/**
 * Returns the credentials, or why they are none. The leaf must be valid for both sides of TLS and
 * lead to one of the roots, the key be the leaf's, and the identity the expected one. In what is
 * returned `notAfterMs` is when the first certificate from leaf to root expires, since then none of
 * it is worth anything. Never throws.
 */
export function checkCredentials(
  { certificates, key, roots }: CredentialParts,
  { nowMs, expected }: CheckOptions,
): Credentials | Refused {
  if (roots.length === 0) return { refused: "there is no trust anchor" };
  if (roots.length > ROOTS_MAX) return { refused: `more than ${ROOTS_MAX} trust anchors` };
  const verifier = verifierOf(roots);
  if ("refused" in verifier) return verifier;
  const asClient = verifier.verify(certificates, "client", nowMs);
  if ("refused" in asClient) return { refused: REASONS[asClient.refused] };
  const asServer = verifier.verify(certificates, "server", nowMs);
  if ("refused" in asServer) return { refused: REASONS[asServer.refused] };
  const { identity } = asClient;
  if (expected !== null && !isExpected(identity, expected)) {
    const names = `${identityText(identity)}, not for ${identityText(expected)}`;
    return { refused: `the certificate is for ${names}` };
  }
  const [leaf] = certificates;
  const facts = leaf === undefined ? { error: "none" } : readCertificate(leaf);
  if ("error" in facts) return { refused: REASONS.malformed };
  const fault = keyFault(key, facts.spki);
  if (fault !== null) return { refused: fault };
  return {
    certificates: certificates.filter((each) => !roots.some((root) => isSameBytes(root, each))),
    key,
    roots,
    identity,
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: Math.min(asClient.notAfterMs, asServer.notAfterMs),
  };
}

function verifierOf(roots: readonly Uint8Array[]): PeerVerifier | Refused {
  try {
    return new PeerVerifier(roots);
  } catch (error) {
    return { refused: error instanceof Error ? error.message : "a trust anchor cannot be read" };
  }
}

/** Every name that is certified must be an expected one; a foreign second name would be a second way in. */
function isExpected(identity: Identity, expected: Identity): boolean {
  const isDns = identity.dns === null || identity.dns === expected.dns;
  const isUri = identity.uri === null || identity.uri === expected.uri;
  return isDns && isUri;
}

/**
 * A signature tells more than equal public keys do: PKCS#8 may carry a public key that is not that of
 * its private one (RFC 5915 §3 promises nothing). Both runtimes refuse such a key today.
 */
function keyFault(pkcs8: Uint8Array, spki: Uint8Array): string | null {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  } catch {
    return "the key is not PKCS#8, or damaged";
  }
  if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    return "the key is not of ECDSA on P-256";
  }
  const probe = Buffer.from("outrigger");
  try {
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    if (verify("sha256", probe, publicKey, sign("sha256", probe, key))) return null;
  } catch {
    // A point that is not on the curve, or no signature: it is not this certificate's key.
  }
  return "the key does not belong to the certificate";
}
