/**
 * The three kinds of certificates of a mesh (RFC 5280 §4): the trust anchor that signs itself, the
 * issuer under it, and the leaf of a workload. All have version 3, ECDSA on P-256 with SHA-256, a
 * random serial number, and key identifiers, by which paths are found while anchors are replaced.
 */
import type { Identity } from "../../mesh/credentials.ts";
import { type Der, ECDSA_SHA256, P256, x509 } from "./x509.ts";

/** A CA's certificate and its key. */
export type Pair = {
  readonly certificate: x509.X509Certificate;
  readonly der: Der;
  readonly key: CryptoKey;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

/** How far a peer's clock may be behind ours, as Linkerd's issuer has it. */
export const CLOCK_SKEW_MS = 20_000;
export const ANCHOR_LIFETIME_MS = 3_653 * DAY_MS;
export const ISSUER_LIFETIME_MS = 365 * DAY_MS;

/** Random ones, which no two certificates will share; RFC 5280 §4.1.2.2 has 20 bytes at most. */
const SERIAL_BYTES = 16;

type Signed = {
  readonly subject: x509.JsonName;
  readonly publicKey: x509.PublicKey;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly x509.Extension[];
};
type Signer = { readonly certificate: x509.X509Certificate | null; readonly key: CryptoKey };

/** Makes a trust anchor with a key of its own. */
export async function makeAnchor(nowMs: number): Promise<Pair> {
  return makeCa("anchor", null, nowMs, nowMs + ANCHOR_LIFETIME_MS);
}

/** Makes an issuer with a key of its own. It does not outlive the anchor. */
export async function makeIssuer(anchor: Pair, nowMs: number): Promise<Pair> {
  const notAfterMs = Math.min(nowMs + ISSUER_LIFETIME_MS, anchor.notAfterMs);
  return makeCa("issuer", anchor, nowMs, notAfterMs);
}

/**
 * Makes a workload's certificate for the key, a SubjectPublicKeyInfo: both names of the identity, no
 * subject, for both sides of TLS. From CLOCK_SKEW_MS ago, and not before or after the issuer's.
 */
export async function makeLeaf(
  issuer: Pair,
  spki: Der,
  identity: Identity,
  nowMs: number,
  notAfterMs: number,
): Promise<x509.X509Certificate> {
  const names: x509.JsonGeneralNames = [];
  if (identity.dns !== null) names.push({ type: "dns", value: identity.dns });
  if (identity.uri !== null) names.push({ type: "url", value: identity.uri });
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  return sign(issuer, {
    subject: [],
    publicKey: new x509.PublicKey(spki),
    notBeforeMs: Math.max(nowMs - CLOCK_SKEW_MS, issuer.notBeforeMs),
    notAfterMs,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
      // Critical, as §4.2.1.6 asks of a certificate without a subject.
      new x509.SubjectAlternativeNameExtension(names, true),
    ],
  });
}

/** Returns the certificate with its key and, as numbers, its validity. */
export function pairOf(certificate: x509.X509Certificate, key: CryptoKey): Pair {
  return {
    certificate,
    der: new Uint8Array(certificate.rawData),
    key,
    notBeforeMs: certificate.notBefore.getTime(),
    notAfterMs: certificate.notAfter.getTime(),
  };
}

async function makeCa(
  kind: "anchor" | "issuer",
  parent: Pair | null,
  nowMs: number,
  notAfterMs: number,
): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await sign(parent ?? { certificate: null, key: keys.privateKey }, {
    // Each of its own, as a verifier may look for issuers by name.
    subject: [{ CN: [`outrigger ${kind} ${randomHex(4)}`] }],
    publicKey: await x509.PublicKey.create(keys.publicKey),
    notBeforeMs: Math.max(nowMs - CLOCK_SKEW_MS, parent?.notBeforeMs ?? 0),
    notAfterMs,
    extensions: [
      // Under an issuer there are leaves only.
      new x509.BasicConstraintsExtension(true, parent === null ? undefined : 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    ],
  });
  return pairOf(certificate, keys.privateKey);
}

async function sign(signer: Signer, signed: Signed): Promise<x509.X509Certificate> {
  const { subject, publicKey, extensions } = signed;
  const signerKey = signer.certificate?.publicKey ?? publicKey;
  return x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: signer.certificate?.subjectName.toJSON() ?? subject,
    notBefore: wholeSecond(signed.notBeforeMs),
    notAfter: wholeSecond(signed.notAfterMs),
    publicKey,
    signingKey: signer.key,
    signingAlgorithm: ECDSA_SHA256,
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signerKey),
    ],
  });
}

/** X.509 has no fractions of a second. */
function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / SECOND_MS) * SECOND_MS);
}

/** The byte before the random ones makes the number positive and all of one length. */
function serialNumber(): string {
  return `01${randomHex(SERIAL_BYTES)}`;
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}
