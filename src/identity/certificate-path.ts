/**
 * The way from a peer's certificate to one of our trust anchors (RFC 5280 §6.1), found among what the
 * peer has sent. Certificates are read by our own reader; only signatures are the runtime's, whose
 * X509Certificate says on Deno of each certificate that it is no CA.
 *
 * A peer chooses what is tried, so how much is tried has a limit.
 */
import { X509Certificate } from "node:crypto";
import type { CertificateFacts } from "../codec/x509/certificate.ts";
import { KEY_USAGE_KEY_CERT_SIGN } from "../codec/x509/extensions.ts";
import {
  OID_ECDSA_SHA256,
  OID_ECDSA_SHA384,
  OID_ECDSA_SHA512,
  OID_ED25519,
  OID_RSA_SHA256,
  OID_RSA_SHA384,
  OID_RSA_SHA512,
} from "../codec/x509/oids.ts";
import { isSameBytes } from "../lib/same-bytes.ts";

/** Certificates above the leaf: three intermediates and the anchor. A mesh has one of each. */
const ISSUERS_MAX = 4;

/**
 * Signatures checked for one peer, 0.7 ms each on Deno. A path needs four at the most; the rest is
 * for anchors of one name and different keys, as there are while one is being replaced.
 */
const SIGNATURES_MAX = 12;

/** No SHA-1, no MD5. RSA and Ed25519 are for anchors that were there before the mesh. */
const SIGNATURE_ALGORITHMS: readonly string[] = [
  OID_ECDSA_SHA256,
  OID_ECDSA_SHA384,
  OID_ECDSA_SHA512,
  OID_RSA_SHA256,
  OID_RSA_SHA384,
  OID_RSA_SHA512,
  OID_ED25519,
];

export type Role = "client" | "server";

export type Certificate = {
  readonly bytes: Uint8Array;
  readonly facts: CertificateFacts;
};

/** When every certificate of a path is valid: from the latest beginning to the earliest end. */
export type PathValidity = { readonly notBeforeMs: number; readonly notAfterMs: number };

export type PathFault = "untrusted" | "expired" | "not-yet-valid";

/** One search; it is used once. */
export class PathSearch {
  readonly #anchors: readonly Certificate[];
  readonly #role: Role;
  readonly #nowMs: number;
  #signaturesLeft = SIGNATURES_MAX;
  /** That a path failed by its dates alone tells more than that others failed otherwise. */
  #fault: PathFault = "untrusted";

  constructor(anchors: readonly Certificate[], role: Role, nowMs: number) {
    this.#anchors = anchors;
    this.#role = role;
    this.#nowMs = nowMs;
  }

  /** Returns when the first path found is valid, which includes now, or why there is none. */
  find(leaf: Certificate, others: readonly Certificate[]): PathValidity | PathFault {
    return this.#climb([leaf], others) ?? this.#fault;
  }

  /** Looks for an issuer of the last one of `path`, an anchor before all others. */
  #climb(path: readonly Certificate[], left: readonly Certificate[]): PathValidity | null {
    const below = path.at(-1);
    if (below === undefined || path.length > ISSUERS_MAX) return null;
    for (const anchor of this.#anchors) {
      if (this.#isIssuer(anchor, below, path.length)) {
        const validity = this.#dated([...path, anchor]);
        if (validity !== null) return validity;
      }
    }
    for (const issuer of left) {
      if (this.#isIssuer(issuer, below, path.length)) {
        const rest = left.filter((each) => each !== issuer);
        const validity = this.#climb([...path, issuer], rest);
        if (validity !== null) return validity;
      }
    }
    return null;
  }

  /** `certificatesBelow` counts the leaf too, which a path length does not (RFC 5280 §4.2.1.9). */
  #isIssuer(issuer: Certificate, subject: Certificate, certificatesBelow: number): boolean {
    const { facts } = issuer;
    if (!isSameBytes(facts.subject, subject.facts.issuer)) return false;
    if (!facts.isCa || !this.#maySign(issuer)) return false;
    if (facts.pathLength !== null && certificatesBelow - 1 > facts.pathLength) return false;
    if (facts.hasUnknownCritical || !this.#mayIssueFor(facts)) return false;
    return this.#hasSigned(issuer, subject);
  }

  /**
   * An anchor that says nothing of its uses, as `openssl req -x509` makes them, is trusted for being
   * named; an intermediate must say that it signs (RFC 5280 §4.2.1.3).
   */
  #maySign(issuer: Certificate): boolean {
    const { keyUsage } = issuer.facts;
    if (keyUsage === null) return this.#anchors.includes(issuer);
    return (keyUsage & KEY_USAGE_KEY_CERT_SIGN) !== 0;
  }

  /**
   * Purposes of an issuer bound those below it, as OpenSSL and webpki have it, for which
   * anyExtendedKeyUsage is none of them. Without the extension all are allowed.
   */
  #mayIssueFor({ extendedKeyUsage: purposes }: CertificateFacts): boolean {
    if (purposes === null) return true;
    return this.#role === "client" ? purposes.clientAuth : purposes.serverAuth;
  }

  #hasSigned(issuer: Certificate, subject: Certificate): boolean {
    if (!SIGNATURE_ALGORITHMS.includes(subject.facts.signatureAlgorithm)) return false;
    if (this.#signaturesLeft === 0) return false;
    this.#signaturesLeft -= 1;
    try {
      const { publicKey } = new X509Certificate(issuer.bytes);
      return new X509Certificate(subject.bytes).verify(publicKey);
    } catch {
      // A key or a curve that the runtime has not.
      return false;
    }
  }

  /** Returns when all of a path is valid; null, and keeps the fault, when that is not now. */
  #dated(path: readonly Certificate[]): PathValidity | null {
    const notBeforeMs = Math.max(...path.map(({ facts }) => facts.notBeforeMs));
    const notAfterMs = Math.min(...path.map(({ facts }) => facts.notAfterMs));
    if (this.#nowMs > notAfterMs) this.#fault = "expired";
    else if (this.#nowMs < notBeforeMs) this.#fault = "not-yet-valid";
    else return { notBeforeMs, notAfterMs };
    return null;
  }
}
