/**
 * What a certificate request must be to be signed. The names that get into a certificate are those
 * of the authenticated identity, whatever was asked; a request that asks for anything else is
 * refused all the same, since whoever made it believes to be somebody else.
 */
import { DER_BYTES_MAX } from "../../codec/x509/der.ts";
import { OID_ECDSA_SHA256 } from "../../codec/x509/oids.ts";
import type { Identity } from "../../mesh/credentials.ts";
import { isEcdsaSignature, type RequestFacts, readRequest } from "./read-request.ts";
import { Refusal } from "./refusal.ts";
import { type Der, ECDSA_SHA256, P256, x509 } from "./x509.ts";

/**
 * SubjectPublicKeyInfo up to the coordinates: id-ecPublicKey, secp256r1, a point that is not
 * compressed (RFC 5480 §2). There is one encoding of it, so it is compared and not parsed.
 */
const P256_SPKI_HEAD = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const P256_SPKI_BYTES = 91;

/**
 * Returns the public key of a request, as SubjectPublicKeyInfo, once the request is one that
 * `identity` may have signed. Never throws for what the bytes are.
 */
export async function checkRequest(csr: Uint8Array, identity: Identity): Promise<Der | Refusal> {
  if (csr.length === 0) return malformed("no certificate request");
  if (csr.length > DER_BYTES_MAX) return malformed("a request above 16 KiB");
  // What the library reads later are the bytes that were checked, not those of a shared buffer.
  const bytes = Uint8Array.from(csr);
  const facts = readRequest(bytes);
  if (facts === null) return malformed("not a certificate request in DER");
  const refusal = refuseKey(facts) ?? refuseNames(facts, identity);
  if (refusal !== null) return refusal;
  if (facts.foreignUsage !== null) {
    return new Refusal("foreign-usage", `the request asks for ${facts.foreignUsage}`);
  }
  // The library would take a signature in BER, too.
  if (!isEcdsaSignature(facts.signature) || !(await isSelfSigned(bytes, facts.spki))) {
    return new Refusal("bad-signature", "the request is not signed by its key");
  }
  return Uint8Array.from(facts.spki);
}

function malformed(reason: string): Refusal {
  return new Refusal("malformed-request", reason);
}

function refuseKey({ spki, signatureAlgorithm }: RequestFacts): Refusal | null {
  const head = Buffer.from(spki).toString("hex", 0, P256_SPKI_HEAD.length / 2);
  if (spki.length !== P256_SPKI_BYTES || head !== P256_SPKI_HEAD) {
    return new Refusal("wrong-key", "the key is not one of ECDSA on P-256");
  }
  if (signatureAlgorithm === OID_ECDSA_SHA256) return null;
  return new Refusal("wrong-key", "the request is not signed by ECDSA with SHA-256");
}

/**
 * The identity's names, one or both, each once, and no other; a common name only if it is the DNS
 * name, as in the requests of Linkerd's proxies.
 */
function refuseNames({ names, commonNames }: RequestFacts, identity: Identity): Refusal | null {
  if (commonNames.length > 1 || commonNames.some((name) => name !== "" && name !== identity.dns)) {
    return new Refusal("foreign-name", "the common name is not the identity's");
  }
  if (names === null) return new Refusal("foreign-name", "the request has no names");
  const { dns, uri, others } = names;
  const isOwn =
    others === 0 &&
    dns.length <= 1 &&
    uri.length <= 1 &&
    dns.every((name) => name === identity.dns) &&
    uri.every((name) => name === identity.uri);
  return isOwn ? null : new Refusal("foreign-name", "the names are not exactly the identity's");
}

async function isSelfSigned(csr: Der, spki: Uint8Array): Promise<boolean> {
  try {
    // A point that is not on the curve is refused here, by WebCrypto.
    const key = Uint8Array.from(spki);
    await crypto.subtle.importKey("spki", key, P256, true, ["verify"]);
    const request = new x509.Pkcs10CertificateRequest(csr);
    const { hash } = request.signatureAlgorithm;
    return hash.name === ECDSA_SHA256.hash && (await request.verify());
  } catch {
    return false;
  }
}
