/**
 * What a certificate request (PKCS #10, RFC 2986 §4) asks for, read in strict DER: nothing is skipped
 * that could be asked for, and whatever is not known is told. Whether it may be had is decided in
 * `request-rules.ts`.
 */
import { CONTEXT_CONSTRUCTED, DerReader, TAG } from "../../codec/x509/der.ts";
import { type GeneralNames, readGeneralNames } from "../../codec/x509/general-names.ts";
import {
  OID_BASIC_CONSTRAINTS,
  OID_CLIENT_AUTH,
  OID_EXTENDED_KEY_USAGE,
  OID_EXTENSION_REQUEST,
  OID_KEY_USAGE,
  OID_SERVER_AUTH,
  OID_SUBJECT_ALT_NAME,
} from "../../codec/x509/oids.ts";

/** RFC 4519 §2.3: id-at-commonName, 2.5.4.3, as the hexadecimal digits that `oids.ts` has. */
const OID_COMMON_NAME = "550403";

const ATTRIBUTES_TAG = CONTEXT_CONSTRUCTED + 0;
const SET = 0x31;
/** UTF8String, PrintableString and IA5String: what is equal to a text in ASCII has the same bytes. */
const TEXT_TAGS: readonly number[] = [0x0c, 0x13, 0x16];

/** keyCertSign and cRLSign, bits 5 and 6 of the first byte (RFC 5280 §4.2.1.3). */
const SIGNING_BITS = 0x06;

export type RequestFacts = {
  /** DER of the SubjectPublicKeyInfo, a view. */
  readonly spki: Uint8Array;
  /** The digits of the object identifier; null with parameters, which ECDSA has not (RFC 5758 §3.2). */
  readonly signatureAlgorithm: string | null;
  /** A view. */
  readonly signature: Uint8Array;
  /** A character for each byte. Null for one in an alphabet that we do not read. */
  readonly commonNames: readonly (string | null)[];
  /** Null without the extension. */
  readonly names: GeneralNames | null;
  /** The first thing that is asked for and is not for a workload, in a few words; null for none. */
  readonly foreignUsage: string | null;
};

/** Returns null for bytes that are no request in strict DER. A request has at most 16 KiB. */
export function readRequest(bytes: Uint8Array): RequestFacts | null {
  const reader = DerReader.over(bytes);
  const request = reader.enter(TAG.sequence);
  const info = request.enter(TAG.sequence);
  if (info.smallInteger() !== 0) info.fail("an unknown version");
  const commonNames = readCommonNames(info.enter(TAG.sequence));
  const spki = info.whole(TAG.sequence);
  // OpenSSL before 1.0 left out the empty set of attributes.
  const asked = info.isAtEnd ? NOTHING : readAttributes(info.enter(ATTRIBUTES_TAG));
  info.finish();
  const algorithm = request.enter(TAG.sequence);
  const algorithmOid = algorithm.oid();
  const signatureAlgorithm = algorithm.isAtEnd ? algorithmOid : null;
  if (!algorithm.isAtEnd) algorithm.skip();
  algorithm.finish();
  const signature = request.bitString();
  if (signature.unusedBits !== 0) request.fail("a signature not of whole bytes");
  request.finish();
  reader.finish();
  if (reader.error !== null) return null;
  return { spki, signatureAlgorithm, signature: signature.bytes, commonNames, ...asked };
}

/** Says whether bytes are an ECDSA-Sig-Value (RFC 3279 §2.2.3) and not something near it. */
export function isEcdsaSignature(bytes: Uint8Array): boolean {
  const reader = DerReader.over(bytes);
  const numbers = reader.enter(TAG.sequence);
  numbers.integer();
  numbers.integer();
  numbers.finish();
  reader.finish();
  return reader.error === null;
}

type Asked = Pick<RequestFacts, "names" | "foreignUsage">;
const NOTHING: Asked = { names: null, foreignUsage: null };

/** Of a Name (RFC 5280 §4.1.2.4); its other attributes ask for nothing that we would certify. */
function readCommonNames(name: DerReader): (string | null)[] {
  const commonNames: (string | null)[] = [];
  while (!name.isAtEnd) {
    const relative = name.enter(SET);
    if (relative.isAtEnd) relative.fail("an empty part of a name");
    while (!relative.isAtEnd) {
      const attribute = relative.enter(TAG.sequence);
      const isCommonName = attribute.oid() === OID_COMMON_NAME;
      const isText = TEXT_TAGS.includes(attribute.tag);
      if (!isText) attribute.skip();
      const text = isText ? Buffer.from(attribute.content(attribute.tag)).toString("latin1") : null;
      if (isCommonName) commonNames.push(text);
      attribute.finish();
    }
  }
  return commonNames;
}

function readAttributes(attributes: DerReader): Asked {
  let asked = NOTHING;
  let count = 0;
  while (!attributes.isAtEnd) {
    count += 1;
    const attribute = attributes.enter(TAG.sequence);
    const oid = attribute.oid();
    const values = attribute.enter(SET);
    attribute.finish();
    if (oid !== OID_EXTENSION_REQUEST) {
      while (!values.isAtEnd) values.skip();
      asked = { ...asked, foreignUsage: asked.foreignUsage ?? "an attribute that is unknown" };
      continue;
    }
    asked = readExtensions(values.enter(TAG.sequence));
    values.finish();
  }
  // One list of extensions; a second one would have to be merged, and readers merge differently.
  if (count > 1) asked = { ...asked, foreignUsage: "more than one attribute" };
  return asked;
}

function readExtensions(list: DerReader): Asked {
  const seen = new Set<string>();
  let names: GeneralNames | null = null;
  let foreignUsage: string | null = null;
  while (!list.isAtEnd) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.oid();
    if (seen.has(oid)) list.fail("an extension twice");
    seen.add(oid);
    if (extension.tag === TAG.boolean) extension.boolean();
    const value = extension.enter(TAG.octetString);
    extension.finish();
    if (oid === OID_SUBJECT_ALT_NAME) names = readGeneralNames(value);
    else foreignUsage ??= readUsage(oid, value);
    // Once something is refused, what follows it in the value need not be read.
    if (foreignUsage === null) value.finish();
  }
  return { names, foreignUsage };
}

/** Reads an extension that is not of names; returns what it asks for beyond a workload's needs. */
function readUsage(oid: string, value: DerReader): string | null {
  switch (oid) {
    case OID_BASIC_CONSTRAINTS:
      return readsAsCa(value.enter(TAG.sequence)) ? "to be a CA" : null;
    case OID_KEY_USAGE:
      return ((value.bitString().bytes[0] ?? 0) & SIGNING_BITS) !== 0
        ? "to sign certificates"
        : null;
    case OID_EXTENDED_KEY_USAGE:
      return readsForeignPurpose(value.enter(TAG.sequence)) ? "a purpose beyond TLS" : null;
    default:
      return "an extension that is unknown";
  }
}

function readsAsCa(fields: DerReader): boolean {
  const isCa = fields.tag === TAG.boolean && fields.boolean();
  const hasPathLength = !fields.isAtEnd;
  return isCa || hasPathLength;
}

function readsForeignPurpose(purposes: DerReader): boolean {
  let isForeign = false;
  while (!purposes.isAtEnd) {
    const oid = purposes.oid();
    isForeign ||= oid !== OID_SERVER_AUTH && oid !== OID_CLIENT_AUTH;
  }
  return isForeign;
}
