/**
 * Private keys of ECDSA on P-256 in their two forms: PKCS #8 (RFC 5958), which the program carries,
 * and the bare ECPrivateKey (RFC 5915), which older tools write. Reads no more than what kind of key
 * it is; that it belongs to a certificate is for who uses it to check.
 */
import { CONTEXT_CONSTRUCTED, CONTEXT_PRIMITIVE, DerReader, TAG } from "../codec/x509/der.ts";
import { OID_EC_PUBLIC_KEY, OID_P256 } from "../codec/x509/oids.ts";

/** A plain reason. It says nothing of the key's bytes. */
export type KeyFault = "the key is not PKCS #8" | "the key is not of ECDSA on P-256";

const NOT_PKCS8: KeyFault = "the key is not PKCS #8";
const NOT_P256: KeyFault = "the key is not of ECDSA on P-256";

/** RFC 5915 §3: as many bytes as the order of the curve. */
const SCALAR_BYTES = 32;
const POINT_BYTES = 65;

const PARAMETERS_TAG = CONTEXT_CONSTRUCTED + 0;
const PUBLIC_KEY_TAG = CONTEXT_CONSTRUCTED + 1;
/** RFC 5958 §2: attributes, and with version 2 the public key once more. */
const ATTRIBUTES_TAG = CONTEXT_CONSTRUCTED + 0;
const OUTER_PUBLIC_KEY_TAG = CONTEXT_PRIMITIVE + 1;

/** PrivateKeyInfo up to the length of the key: version 0, id-ecPublicKey, secp256r1. */
const VERSION_AND_ALGORITHM = Uint8Array.from(
  [0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01].concat([
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
  ]),
);

/** Returns the bytes if they are PKCS #8 of a key on P-256. */
export function pkcs8OfPkcs8(der: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | KeyFault {
  const reader = DerReader.over(der);
  const fields = reader.enter(TAG.sequence);
  const version = fields.smallInteger();
  const algorithm = fields.enter(TAG.sequence);
  const isEc = algorithm.oid() === OID_EC_PUBLIC_KEY;
  if (fields.error !== null || version > 1) return NOT_PKCS8;
  if (!isEc || algorithm.tag !== TAG.oid || algorithm.oid() !== OID_P256) return NOT_P256;
  algorithm.finish();
  const key = fields.content(TAG.octetString);
  if (fields.tag === ATTRIBUTES_TAG) fields.skip();
  if (version === 1 && fields.tag === OUTER_PUBLIC_KEY_TAG) fields.skip();
  fields.finish();
  reader.finish();
  if (reader.error !== null) return NOT_PKCS8;
  return isEcKey(reader.again(key), false) ? der : NOT_P256;
}

/** Puts an ECPrivateKey that names its curve, P-256, into PKCS #8. */
export function pkcs8OfEcKey(der: Uint8Array): Uint8Array<ArrayBuffer> | KeyFault {
  const reader = DerReader.over(der);
  if (!isEcKey(reader, true)) return NOT_P256;
  const key = value(TAG.octetString, der);
  const content = new Uint8Array(VERSION_AND_ALGORITHM.length + key.length);
  content.set(VERSION_AND_ALGORITHM);
  content.set(key, VERSION_AND_ALGORITHM.length);
  return value(TAG.sequence, content);
}

/** RFC 5915 §3. The curve may be left out where PKCS #8 around it names it. */
function isEcKey(reader: DerReader, mustNameCurve: boolean): boolean {
  const fields = reader.enter(TAG.sequence);
  const version = fields.smallInteger();
  const scalar = fields.content(TAG.octetString);
  let curve: string | null = null;
  if (fields.tag === PARAMETERS_TAG) {
    const parameters = fields.enter(PARAMETERS_TAG);
    curve = parameters.oid();
    parameters.finish();
  }
  let pointBytes = POINT_BYTES;
  if (fields.tag === PUBLIC_KEY_TAG) {
    const outer = fields.enter(PUBLIC_KEY_TAG);
    pointBytes = outer.bitString().bytes.length;
    outer.finish();
  }
  fields.finish();
  reader.finish();
  const isCurve = curve === OID_P256 || (curve === null && !mustNameCurve);
  const isSized = scalar.length === SCALAR_BYTES && pointBytes === POINT_BYTES;
  return reader.error === null && version === 1 && isCurve && isSized;
}

/** One value of DER. Keys of P-256 have some 120 bytes: a length below 256. */
function value(tag: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : [tag, 0x81, length];
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  bytes.set(content, header.length);
  return bytes;
}
