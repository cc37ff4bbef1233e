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
];

/** All fields of the mesh begin so; none of them is believed from the wire. */
const MESH_PREFIX = bytesOf("l5d-");

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
  if (((bytes[start] ?? 0) | 0x20) === 0x6c && end - start > MESH_PREFIX.length) {
    return equals(bytes, start, MESH_PREFIX) ? Field.identity : Field.other;
  }
  return Field.other;
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
