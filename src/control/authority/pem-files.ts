/**
 * The texts of the authority's certificates and keys, read and checked one against another: what is
 * taken is certificates of CAs, and keys of ECDSA on P-256 that belong to them.
 */
import { readCertificate } from "../../codec/x509/certificate.ts";
import { certificatesOfPem, pemOf, privateKeyOfPem } from "../../identity/pem.ts";
import { Fault } from "./fault.ts";
import { type Pair, pairOf } from "./make-certificate.ts";
import { type Der, ECDSA_SHA256, P256, x509 } from "./x509.ts";

/** Anchors in a bundle: those being replaced, and a few of other meshes. */
const BUNDLE_MAX = 16;
const PROBE_BYTES = 32;

export function certificateText(der: Uint8Array): string {
  return pemOf("CERTIFICATE", der);
}

export async function keyText(key: CryptoKey): Promise<string> {
  return pemOf("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

/** Reads `NAME.crt` and `NAME.key`. The texts are of a CA's certificate and of its key. */
export async function readPair(name: string, crt: string, keyPem: string): Promise<Pair | Fault> {
  const certificates = certificatesOfPem(crt);
  if ("error" in certificates) return new Fault(`${name}.crt: ${certificates.error}`);
  const [der, ...more] = certificates;
  if (der === undefined || more.length > 0) return new Fault(`${name}.crt: more than one block`);
  if (!isCa(der)) return new Fault(`${name}.crt is not a certificate of a CA on P-256`);
  const keyDer = privateKeyOfPem(keyPem);
  if ("error" in keyDer) return new Fault(`${name}.key: ${keyDer.error}`);
  const certificate = new x509.X509Certificate(der);
  const key = await importKey(keyDer);
  if (key === null || !(await belongs(certificate, key))) {
    return new Fault(`${name}.key does not belong to ${name}.crt`);
  }
  return pairOf(certificate, key);
}

/** Reads the bundle of trust anchors, one or more certificates. */
export function readBundle(text: string): readonly Der[] | Fault {
  const bundle = certificatesOfPem(text);
  if ("error" in bundle) return new Fault(`ca.crt: ${bundle.error}`);
  if (bundle.length > BUNDLE_MAX) return new Fault(`ca.crt has more than ${BUNDLE_MAX} anchors`);
  if (bundle.every(isCa)) return bundle;
  return new Fault("ca.crt has a certificate that is not one of a CA on P-256");
}

function isCa(der: Uint8Array): boolean {
  const facts = readCertificate(der);
  return !("error" in facts) && facts.isCa && facts.isP256;
}

/** Null for a number that is none of the curve. */
async function importKey(der: Der): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey("pkcs8", der, P256, true, ["sign"]);
  } catch {
    return null;
  }
}

/** Says whether what the key signs verifies under the certificate. */
async function belongs(certificate: x509.X509Certificate, key: CryptoKey): Promise<boolean> {
  const probe = crypto.getRandomValues(new Uint8Array(PROBE_BYTES));
  const spki = certificate.publicKey.rawData;
  const publicKey = await crypto.subtle.importKey("spki", spki, P256, true, ["verify"]);
  const signature = await crypto.subtle.sign(ECDSA_SHA256, key, probe);
  return crypto.subtle.verify(ECDSA_SHA256, publicKey, signature, probe);
}
