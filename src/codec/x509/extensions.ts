/**
 * The extensions of a certificate (RFC 5280 §4.2) that say what its key may be used for and whose it
 * is. Others are passed over, but whether one of them is critical is told: who does not understand
 * such an extension must refuse the certificate. None may be there twice.
 */
import { type DerReader, TAG } from "./der.ts";
import { type GeneralNames, readGeneralNames } from "./general-names.ts";
import {
  OID_ANY_EXTENDED_KEY_USAGE,
  OID_BASIC_CONSTRAINTS,
  OID_CLIENT_AUTH,
  OID_EXTENDED_KEY_USAGE,
  OID_KEY_USAGE,
  OID_SERVER_AUTH,
  OID_SUBJECT_ALT_NAME,
} from "./oids.ts";

/** Certificates have five to ten. */
const EXTENSIONS_MAX = 32;

/** Bits of `keyUsage`: bit n of RFC 5280 §4.2.1.3 is `1 << n`. */
export const KEY_USAGE_DIGITAL_SIGNATURE = 1 << 0;
export const KEY_USAGE_KEY_CERT_SIGN = 1 << 5;
export const KEY_USAGE_CRL_SIGN = 1 << 6;

/** Nine bits are defined, decipherOnly is the last. */
const KEY_USAGE_BYTES_MAX = 2;

export type ExtendedKeyUsage = {
  readonly serverAuth: boolean;
  readonly clientAuth: boolean;
  /** anyExtendedKeyUsage. */
  readonly any: boolean;
};

export type Extensions = {
  /** False without basicConstraints (§4.2.1.9). */
  readonly isCa: boolean;
  /** How many intermediates may follow; null is any number. */
  readonly pathLength: number | null;
  /** Bits as above; null without the extension. */
  readonly keyUsage: number | null;
  /** Null without the extension. */
  readonly extendedKeyUsage: ExtendedKeyUsage | null;
  /** subjectAltName; null without the extension. */
  readonly names: GeneralNames | null;
  /** There is a critical one that is none of the above. */
  readonly hasUnknownCritical: boolean;
};

export const NO_EXTENSIONS: Extensions = Object.freeze({
  isCa: false,
  pathLength: null,
  keyUsage: null,
  extendedKeyUsage: null,
  names: null,
  hasUnknownCritical: false,
});

/** Reads Extensions (§4.1), of which there must be one to EXTENSIONS_MAX. */
export function readExtensions(reader: DerReader): Extensions {
  const list = reader.enter(TAG.sequence);
  if (list.isAtEnd) list.fail("an empty list of extensions");
  const seen = new Set<string>();
  let extensions = NO_EXTENSIONS;
  while (!list.isAtEnd) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.oid();
    if (seen.has(oid)) list.fail("an extension twice");
    seen.add(oid);
    if (seen.size > EXTENSIONS_MAX) list.fail("too many extensions");
    // DER leaves a default out; the explicit FALSE of some issuers can be read in one way only.
    const isCritical = extension.tag === TAG.boolean && extension.boolean();
    const value = extension.enter(TAG.octetString);
    extension.finish();
    const known = readKnown(oid, value);
    if (known !== null) extensions = { ...extensions, ...known };
    else if (isCritical) extensions = { ...extensions, hasUnknownCritical: true };
  }
  return extensions;
}

/** Reads the value of an extension that we know; null for another, whose value is not looked at. */
function readKnown(oid: string, value: DerReader): Partial<Extensions> | null {
  switch (oid) {
    case OID_BASIC_CONSTRAINTS:
      return finished(value, readBasicConstraints(value));
    case OID_KEY_USAGE:
      return finished(value, { keyUsage: readKeyUsage(value) });
    case OID_EXTENDED_KEY_USAGE:
      return finished(value, { extendedKeyUsage: readExtendedKeyUsage(value) });
    case OID_SUBJECT_ALT_NAME:
      return finished(value, { names: readGeneralNames(value) });
    default:
      return null;
  }
}

function finished<T>(value: DerReader, result: T): T {
  value.finish();
  return result;
}

/** §4.2.1.9 */
function readBasicConstraints(value: DerReader): Partial<Extensions> {
  const fields = value.enter(TAG.sequence);
  const isCa = fields.tag === TAG.boolean && fields.boolean();
  const pathLength = fields.tag === TAG.integer ? fields.smallInteger() : null;
  fields.finish();
  if (pathLength !== null && !isCa) fields.fail("a path length without a CA");
  return { isCa, pathLength };
}

/** §4.2.1.3. At least one bit must be set. */
function readKeyUsage(value: DerReader): number {
  const { bytes } = value.bitString();
  let usage = 0;
  for (const [index, byte] of bytes.entries()) {
    for (let bit = 0; bit < 8; bit += 1) {
      if ((byte & (0x80 >> bit)) !== 0) usage |= 1 << (index * 8 + bit);
    }
  }
  if (bytes.length > KEY_USAGE_BYTES_MAX || usage === 0) value.fail("not a keyUsage");
  return usage;
}

/** §4.2.1.12. At least one purpose must be there. */
function readExtendedKeyUsage(value: DerReader): ExtendedKeyUsage {
  const purposes = value.enter(TAG.sequence);
  if (purposes.isAtEnd) purposes.fail("no purpose in extKeyUsage");
  let serverAuth = false;
  let clientAuth = false;
  let any = false;
  while (!purposes.isAtEnd) {
    const oid = purposes.oid();
    serverAuth ||= oid === OID_SERVER_AUTH;
    clientAuth ||= oid === OID_CLIENT_AUTH;
    any ||= oid === OID_ANY_EXTENDED_KEY_USAGE;
  }
  return { serverAuth, clientAuth, any };
}
