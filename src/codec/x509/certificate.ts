/**
 * Reads what a certificate says (RFC 5280 §4.1) from its bytes, without a package and without the
 * runtimes' own readers, which differ (Deno says of each certificate that it is no CA; Node joins all
 * SANs into one string). Says what is there; does not say whether it may be trusted, and checks no
 * signature. Strict: of two readings of the same bytes one would be an attacker's.
 */

import { isSameBytes } from "../../lib/same-bytes.ts";
import { CONTEXT_CONSTRUCTED, DerReader, TAG } from "./der.ts";
import { type Extensions, NO_EXTENSIONS, readExtensions } from "./extensions.ts";
import { OID_EC_PUBLIC_KEY, OID_P256 } from "./oids.ts";
import { readTime } from "./time.ts";

/** §4.1.2.2: a serial number has at most 20 bytes. */
const SERIAL_BYTES_MAX = 20;

/** An uncompressed point on P-256: 0x04, then two coordinates of 32 bytes (RFC 5480 §2.2). */
const P256_POINT_BYTES = 65;
const UNCOMPRESSED = 0x04;

const VERSION_TAG = CONTEXT_CONSTRUCTED + 0;
const EXTENSIONS_TAG = CONTEXT_CONSTRUCTED + 3;

/** Byte arrays are views of the certificate's bytes. */
export type CertificateFacts = Extensions & {
  readonly version: 1 | 2 | 3;
  /** Big-endian two's complement. */
  readonly serial: Uint8Array;
  /** DER of the Name, to be compared byte for byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since 1970; the certificate is valid from the one to the other, both included. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** The key is one of ECDSA or ECDH on P-256. */
  readonly isP256: boolean;
  /** Hexadecimal digits of the object identifier's content, as in `oids.ts`. */
  readonly signatureAlgorithm: string;
};

/** In a few words, for logs: what was wrong first. */
export type CertificateError = { readonly error: string };

/**
 * Reads a certificate, which must be all of `bytes`, at most 16 KiB. Never throws: bytes that are no
 * certificate in strict DER are an error, and so is each proper prefix of one.
 */
export function readCertificate(bytes: Uint8Array): CertificateFacts | CertificateError {
  const reader = DerReader.over(bytes);
  const certificate = reader.enter(TAG.sequence);
  const body = certificate.enter(TAG.sequence);
  const version = readVersion(body);
  const serial = body.integer();
  if (serial.length > SERIAL_BYTES_MAX) body.fail("a serial number above 20 bytes");
  const algorithmInside = body.whole(TAG.sequence);
  const issuer = body.whole(TAG.sequence);
  const validity = body.enter(TAG.sequence);
  const notBeforeMs = readTime(validity);
  const notAfterMs = readTime(validity);
  validity.finish();
  const subject = body.whole(TAG.sequence);
  const spki = body.whole(TAG.sequence);
  const extensions = body.isAtEnd ? NO_EXTENSIONS : readVersion3(body, version);
  body.finish();
  const algorithm = certificate.whole(TAG.sequence);
  const signature = certificate.bitString();
  certificate.finish();
  reader.finish();
  if (signature.unusedBits !== 0) reader.fail("a signature that is not of whole bytes");
  // §4.1.1.2: what is signed names the same algorithm as what is around it.
  if (!isSameBytes(algorithm, algorithmInside)) reader.fail("two signature algorithms");
  const signatureAlgorithm = readAlgorithm(reader.again(algorithm)).oid;
  const isP256 = readIsP256(reader.again(spki));
  if (reader.error !== null) return { error: reader.error };
  return {
    version,
    serial,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    isP256,
    signatureAlgorithm,
    ...extensions,
  };
}

/** §4.1.2.1. The default of 1 is not written (X.690 §11.5). */
function readVersion(body: DerReader): 1 | 2 | 3 {
  if (body.tag !== VERSION_TAG) return 1;
  const field = body.enter(VERSION_TAG);
  const number = field.smallInteger();
  field.finish();
  if (number === 1) return 2;
  if (number !== 2) body.fail("an unknown version");
  return 3;
}

/** Reads what only version 3 has. The unique identifiers of version 2 are refused, §4.1.2.8. */
function readVersion3(body: DerReader, version: number): Extensions {
  if (version !== 3) body.fail("extensions before version 3");
  const field = body.enter(EXTENSIONS_TAG);
  const extensions = readExtensions(field);
  field.finish();
  return extensions;
}

/** Reads an AlgorithmIdentifier (§4.1.1.2); `parameter` is null when it is no object identifier. */
function readAlgorithm(reader: DerReader): {
  readonly oid: string;
  readonly parameter: string | null;
} {
  const fields = reader.enter(TAG.sequence);
  const oid = fields.oid();
  const parameter = fields.tag === TAG.oid ? fields.oid() : null;
  if (parameter === null && !fields.isAtEnd) fields.skip();
  fields.finish();
  return { oid, parameter };
}

/** Reads a SubjectPublicKeyInfo (§4.1.2.7) and tells whether it is a point on P-256, uncompressed. */
function readIsP256(reader: DerReader): boolean {
  const fields = reader.enter(TAG.sequence);
  const { oid, parameter } = readAlgorithm(fields);
  const { unusedBits, bytes } = fields.bitString();
  fields.finish();
  if (unusedBits !== 0) fields.fail("a key that is not of whole bytes");
  const isPoint = bytes.length === P256_POINT_BYTES && bytes[0] === UNCOMPRESSED;
  return oid === OID_EC_PUBLIC_KEY && parameter === OID_P256 && isPoint;
}
