/**
 * The names in a subjectAltName extension (RFC 5280 §4.2.1.6), kept apart by their type: a text that
 * stands in an e-mail address is no host name, however it reads. Values are passed on as they are,
 * byte for byte; whether one is acceptable is for who uses it to say.
 */
import { CONTEXT_CONSTRUCTED, CONTEXT_PRIMITIVE, type DerReader, TAG } from "./der.ts";

/** A workload has one or two names, a web server's certificate up to a hundred. */
export const NAMES_MAX = 128;

// The choices of GeneralName. Those that are structures by themselves are constructed.
const OTHER_NAME = CONTEXT_CONSTRUCTED + 0;
const RFC822_NAME = CONTEXT_PRIMITIVE + 1;
const DNS_NAME = CONTEXT_PRIMITIVE + 2;
const X400_ADDRESS = CONTEXT_CONSTRUCTED + 3;
const DIRECTORY_NAME = CONTEXT_CONSTRUCTED + 4;
const EDI_PARTY_NAME = CONTEXT_CONSTRUCTED + 5;
const URI = CONTEXT_PRIMITIVE + 6;
const IP_ADDRESS = CONTEXT_PRIMITIVE + 7;
const REGISTERED_ID = CONTEXT_PRIMITIVE + 8;

const OTHERS: readonly number[] = [
  OTHER_NAME,
  RFC822_NAME,
  X400_ADDRESS,
  DIRECTORY_NAME,
  EDI_PARTY_NAME,
  IP_ADDRESS,
  REGISTERED_ID,
];

export type GeneralNames = {
  /** dNSName, a character for each byte; NULs and wildcards are not looked for. */
  readonly dns: readonly string[];
  /** uniformResourceIdentifier, likewise. */
  readonly uri: readonly string[];
  /** How many there are of any other type. */
  readonly others: number;
};

/** Reads GeneralNames, of which there must be one to NAMES_MAX. */
export function readGeneralNames(reader: DerReader): GeneralNames {
  const dns: string[] = [];
  const uri: string[] = [];
  let others = 0;
  const names = reader.enter(TAG.sequence);
  if (names.isAtEnd) names.fail("no name in subjectAltName");
  while (!names.isAtEnd) {
    const { tag } = names;
    if (tag === DNS_NAME) dns.push(ia5String(names));
    else if (tag === URI) uri.push(ia5String(names));
    else if (OTHERS.includes(tag)) {
      names.skip();
      others += 1;
    } else names.fail("a name of unknown type");
    if (dns.length + uri.length + others > NAMES_MAX) names.fail("too many names");
  }
  return { dns, uri, others };
}

/** IA5String is ASCII, control characters included. */
function ia5String(reader: DerReader): string {
  const bytes = reader.content(reader.tag);
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) reader.fail("a name that is not ASCII");
    text += String.fromCharCode(byte);
  }
  return text;
}
