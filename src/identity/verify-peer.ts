/**
 * Who a TLS peer is: a second opinion beside that of the TLS library, from the bytes that the peer
 * sent. It must have a leaf for the part it plays (RFC 5280 §4.2.1.12), a path to one of our trust
 * anchors (§6.1), and exactly one identity in its subject alternative names (SPIFFE X509-SVID §2 to
 * §5). What was found is kept, because a signature costs 0.7 ms on Deno, and dated anew at each use.
 */
import { Buffer } from "node:buffer";
import { type CertificateFacts, readCertificate } from "../codec/x509/certificate.ts";
import { DER_BYTES_MAX } from "../codec/x509/der.ts";
import {
  KEY_USAGE_CRL_SIGN,
  KEY_USAGE_DIGITAL_SIGNATURE,
  KEY_USAGE_KEY_CERT_SIGN,
} from "../codec/x509/extensions.ts";
import type { Identity } from "../mesh/credentials.ts";
import {
  type Certificate,
  type PathFault,
  PathSearch,
  type PathValidity,
  type Role,
} from "./certificate-path.ts";
import { certifiedIdentity, type IdentityFault } from "./certified-identity.ts";

/** A leaf, three intermediates, a root, and room for what some peers send besides. */
const CHAIN_CERTIFICATES_MAX = 8;

/** More than the peers of one sidecar; an entry takes some 2 KB. */
export const KEPT_MAX = 1_024;
/** Of longer chains nothing is kept, or members of the mesh could fill memory with them. */
const KEPT_KEY_CHARS_MAX = 8_192;

/** Why a peer is nobody, as a label: few values, none of them the peer's. */
export type PeerRefusal =
  | "no-certificate"
  /** Not DER, too long, too many. */
  | "malformed"
  /** No path to an anchor of ours. */
  | PathFault
  /** A CA's certificate. */
  | "not-a-leaf"
  /** Its key is not of P-256. */
  | "wrong-key"
  /** Not for this side of TLS, or not for signing. */
  | "wrong-usage"
  /** It has a critical extension that we do not know. */
  | "unknown-critical"
  | IdentityFault;

/** Every PeerRefusal, for metrics. */
export const PEER_REFUSALS: readonly PeerRefusal[] = [
  "no-certificate",
  "malformed",
  "untrusted",
  "expired",
  "not-yet-valid",
  "not-a-leaf",
  "wrong-key",
  "wrong-usage",
  "unknown-critical",
  "no-identity",
  "ambiguous-identity",
];

export type VerifiedPeer = {
  readonly identity: Identity;
  /** When the first certificate of the path expires, the anchor included; milliseconds since 1970. */
  readonly notAfterMs: number;
};

type Kept = VerifiedPeer & PathValidity;

/** Checks peers against one set of trust anchors. For other anchors make another one. */
export class PeerVerifier {
  readonly #anchors: readonly Certificate[];
  /** By role and chain, least recently used first. Refusals are not kept. */
  readonly #kept = new Map<string, Kept>();

  /** `roots` in DER. Throws when one of them cannot be read, which its loading should have told. */
  constructor(roots: readonly Uint8Array[]) {
    this.#anchors = roots.map((bytes, index) => {
      const facts = readCertificate(bytes);
      if ("error" in facts) throw new Error(`trust anchor ${index + 1}: ${facts.error}`);
      return { bytes, facts };
    });
  }

  /** How many chains are kept, KEPT_MAX at the most. */
  get keptCount(): number {
    return this.#kept.size;
  }

  /**
   * Returns who the peer is that sent this chain (DER, leaf first), or why it is nobody. `role` is
   * what the peer is, `nowMs` the time of day in milliseconds since 1970. Never throws.
   */
  verify(
    chain: readonly Uint8Array[],
    role: Role,
    nowMs: number,
  ): VerifiedPeer | { readonly refused: PeerRefusal } {
    if (chain.length === 0) return { refused: "no-certificate" };
    const isLong = chain.some(({ length }) => length > DER_BYTES_MAX);
    if (isLong || chain.length > CHAIN_CERTIFICATES_MAX) return { refused: "malformed" };
    const key = keyOf(chain, role);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    const isDated = kept !== undefined && kept.notBeforeMs <= nowMs && nowMs <= kept.notAfterMs;
    const peer = isDated ? kept : this.#check(chain, role, nowMs);
    if (typeof peer === "string") return { refused: peer };
    if (key.length <= KEPT_KEY_CHARS_MAX) this.#kept.set(key, peer);
    if (this.#kept.size > KEPT_MAX) this.#forgetOldest();
    return { identity: peer.identity, notAfterMs: peer.notAfterMs };
  }

  #check(chain: readonly Uint8Array[], role: Role, nowMs: number): Kept | PeerRefusal {
    const [leaf, ...others] = readAll(chain);
    if (leaf === undefined) return "malformed";
    // Trust comes first: of a stranger's certificate nothing else is worth telling.
    const validity = new PathSearch(this.#anchors, role, nowMs).find(leaf, others);
    if (typeof validity === "string") return validity;
    const fault = leafFault(leaf.facts, role);
    if (fault !== null) return fault;
    const identity = certifiedIdentity(leaf.facts.names);
    return typeof identity === "string" ? identity : { identity, ...validity };
  }

  #forgetOldest(): void {
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** Returns nothing when one of them is no certificate. */
function readAll(chain: readonly Uint8Array[]): Certificate[] {
  const certificates: Certificate[] = [];
  for (const bytes of chain) {
    const facts = readCertificate(bytes);
    if ("error" in facts) return [];
    certificates.push({ bytes, facts });
  }
  return certificates;
}

/** What keeps a trusted certificate from being a workload's that plays this role. */
function leafFault(facts: CertificateFacts, role: Role): PeerRefusal | null {
  const { keyUsage, extendedKeyUsage: purposes } = facts;
  const caUsages = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN;
  if (facts.isCa || ((keyUsage ?? 0) & caUsages) !== 0) return "not-a-leaf";
  if (facts.hasUnknownCritical) return "unknown-critical";
  if (!facts.isP256) return "wrong-key";
  // RFC 8446 §4.4.2.2: a key of TLS 1.3 signs. Without the extension it may do anything.
  if (keyUsage !== null && (keyUsage & KEY_USAGE_DIGITAL_SIGNATURE) === 0) return "wrong-usage";
  const isFit = role === "client" ? purposes?.clientAuth : purposes?.serverAuth;
  return isFit === true ? null : "wrong-usage";
}

/**
 * The chain itself, a character for each byte: 2 µs, where a hash in JavaScript takes 20 to 50. The
 * lengths keep two chains apart that are the same bytes, cut elsewhere.
 */
function keyOf(chain: readonly Uint8Array[], role: Role): string {
  let key = `${role} ${chain.map(({ length }) => length).join(" ")} `;
  for (const { buffer, byteOffset, length } of chain) {
    key += Buffer.from(buffer, byteOffset, length).toString("latin1");
  }
  return key;
}
