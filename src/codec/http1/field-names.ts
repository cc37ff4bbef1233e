/** The fields that a proxy must know, found by a hash that the parser makes as it goes. */

/** `other` is everything else; it is copied and never looked at. */
export const Field = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  trailer: 8,
  upgrade: 9,
  expect: 10,
  http2Settings: 11,
  /** Says who the client is: believed from a sidecar's own TLS only, so never from the wire. */
  identity: 12,
  cookie: 13,
  /** Secrets that no HPACK table may hold (RFC 7541 §7.1.3): credentials and set cookies. */
  secret: 14,
  contentType: 15,
  /** `l5d-orig-proto`: the version a request had before a sidecar carried it as HTTP/2. */
  origProto: 16,
  /** `l5d-orig-case`: the case that its field names had; see http2/name-case.ts. */
  origCase: 17,
  /** HTTP/2's pseudo-header fields, RFC 9113 §8.3; in HTTP/1 no name can begin with a colon. */
  method: 20,
  scheme: 21,
  authority: 22,
  path: 23,
  status: 24,
  /** RFC 8441, which is not offered. */
  protocol: 25,
  /** Any other name that begins with a colon. */
  badPseudo: 26,
} as const;

const NAMES: readonly (readonly [string, number])[] = [
  ["host", Field.host],
  ["connection", Field.connection],
  ["content-length", Field.contentLength],
  ["transfer-encoding", Field.transferEncoding],
  ["keep-alive", Field.keepAlive],
  ["proxy-connection", Field.proxyConnection],
  ["te", Field.te],
  ["trailer", Field.trailer],
  ["upgrade", Field.upgrade],
  ["expect", Field.expect],
  ["http2-settings", Field.http2Settings],
  ["x-forwarded-client-cert", Field.identity],
  ["cookie", Field.cookie],
  ["set-cookie", Field.secret],
  ["authorization", Field.secret],
  ["proxy-authorization", Field.secret],
  ["content-type", Field.contentType],
];

const PSEUDO: readonly (readonly [Uint8Array, number])[] = [
  [bytesOf(":method"), Field.method],
  [bytesOf(":scheme"), Field.scheme],
  [bytesOf(":authority"), Field.authority],
  [bytesOf(":path"), Field.path],
  [bytesOf(":status"), Field.status],
  [bytesOf(":protocol"), Field.protocol],
];

/** All fields of the mesh begin so; none of them is believed from the wire. */
const MESH_PREFIX = bytesOf("l5d-");
const ORIG_PROTO = bytesOf("l5d-orig-proto");
const ORIG_CASE = bytesOf("l5d-orig-case");

/** Hash of an empty name; `hashName` adds one byte, letters folded to lower case. */
export const NAME_HASH_SEED = 0;

/** Folds 'A'..'Z' to lower case by a bit, which also mixes up some symbols: so names are compared. */
export function hashName(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 0x20)) | 0;
}

type Known = { readonly name: Uint8Array; readonly field: number };

const SLOTS = 256;
const KNOWN: readonly (Known | null)[] = knownTable();

/** Returns which field the name in `bytes[start, end)` is, given its hash. */
export function fieldOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
  const known = KNOWN[hash & (SLOTS - 1)] ?? null;
  if (known !== null && known.name.length === end - start && equals(bytes, start, known.name)) {
    return known.field;
  }
  const first = bytes[start] ?? 0;
  if ((first | 0x20) === 0x6c && end - start > MESH_PREFIX.length) {
    return equals(bytes, start, MESH_PREFIX) ? meshFieldOf(bytes, start, end) : Field.other;
  }
  return first === 0x3a ? pseudoFieldOf(bytes, start, end) : Field.other;
}

function meshFieldOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === ORIG_PROTO.length && equals(bytes, start, ORIG_PROTO)) return Field.origProto;
  if (length === ORIG_CASE.length && equals(bytes, start, ORIG_CASE)) return Field.origCase;
  return Field.identity;
}

function pseudoFieldOf(bytes: Uint8Array, start: number, end: number): number {
  for (const [name, field] of PSEUDO) {
    if (name.length === end - start && equals(bytes, start, name)) return field;
  }
  return Field.badPseudo;
}

/** Compares `bytes` at `start` with lower-case `name`, letters folded. */
export function equals(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== name[i]) return false;
  }
  return true;
}

/** ASCII bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function knownTable(): (Known | null)[] {
  const slots: (Known | null)[] = new Array<Known | null>(SLOTS).fill(null);
  for (const [text, field] of NAMES) {
    const name = bytesOf(text);
    const slot = name.reduce(hashName, NAME_HASH_SEED) & (SLOTS - 1);
    if (slots[slot] !== null) throw new Error(`field names: ${text} shares a slot`);
    slots[slot] = { name, field };
  }
  return slots;
}
