/**
 * The first handshake message of a TLS flight, found in its records (RFC 8446 §5.1 and §4). Decides
 * where the message is, how long it is, and how many bytes it still lacks; does not know what is
 * inside. Strict where the RFC is: a record of another type, an empty one, or one that holds more
 * than the message is malformed, and is called so as soon as no further byte can mend it.
 *
 * Pure, but for a scratch buffer that is overwritten by the next call.
 */

/** Content type, legacy version, length (§5.1). */
export const RECORD_HEADER_BYTES = 5;

/** §5.1: the length of a plaintext fragment must not exceed 2^14. */
export const FRAGMENT_BYTES_MAX = 16_384;

/** Message type and a length of three bytes (§4). */
export const HANDSHAKE_HEADER_BYTES = 4;

/** §5.1, ContentType handshake. */
export const CONTENT_TYPE_HANDSHAKE = 22;

/** The first byte of every SSL 3.0 to TLS 1.3 version; §5.1 says to ignore the rest of it. */
const VERSION_MAJOR = 3;

/** Below this a loop copies faster than `subarray` and `set`, which make a view per fragment. */
const COPY_LOOP_BYTES_MAX = 64;

/** What the message must be for `firstMessage` to go on with it. */
export interface MessageLimits {
  /** HandshakeType (§4). */
  readonly type: number;
  /** The shortest body this type can have, in bytes. */
  readonly bodyBytesMin: number;
  /** The most bytes on the wire, record headers included. */
  readonly wireBytesMax: number;
  /** The most records; bounds the work of one call. */
  readonly recordsMax: number;
}

/**
 * `body`: the message body is `bytes[start, end)`, of which `bytes[start, available)` has arrived;
 * the whole of it takes at least `needBytes` on the wire, counted from the first record.
 * `incomplete`: the handshake header is not there yet.
 */
export type FirstMessage =
  | {
      readonly kind: "body";
      readonly bytes: Uint8Array;
      readonly start: number;
      readonly available: number;
      readonly end: number;
      readonly needBytes: number;
    }
  | { readonly kind: "incomplete"; readonly needBytes: number }
  | { readonly kind: "malformed" };

const MALFORMED: FirstMessage = Object.freeze({ kind: "malformed" });

/** The records walked so far, and the handshake bytes in them. */
interface Gathered {
  /** Where the message is: the caller's bytes while it is in one record, then the scratch buffer. */
  source: Uint8Array;
  base: number;
  /** Handshake bytes that have arrived. */
  held: number;
  /** Handshake bytes the record headers promise, arrived or not. */
  framed: number;
  /** Where the last of these records ends; may lie beyond the bytes that have arrived. */
  edge: number;
  records: number;
}

/** Where fragments are joined. Made when the first fragmented message is seen: most never are. */
let scratch = new Uint8Array(0);

/**
 * Finds the first handshake message in `bytes[start, end)`, which begins with a record header.
 * A message in one record is returned in place; one in several is joined in a buffer that stays
 * valid until the next call. Never throws (RFC 8446 §5.1).
 */
export function firstMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: MessageLimits,
): FirstMessage {
  const gathered = gather(bytes, start, end, limits);
  if (gathered === null) return MALFORMED;
  const { source, base, held, framed, edge, records } = gathered;

  // With all four header bytes the floor and the ceiling are the length of the message; before
  // that they bound it. What the records promise must fit between them.
  const floor = messageFloor(source, base, held);
  const ceiling = floor + 2 ** (8 * Math.max(0, HANDSHAKE_HEADER_BYTES - Math.max(held, 1))) - 1;
  const isFramed = held >= HANDSHAKE_HEADER_BYTES && framed >= floor;
  const next = isFramed || edge > end ? 0 : leastFragment(bytes, edge, end);
  if (next < 0) return MALFORMED;
  const message = Math.max(floor, HANDSHAKE_HEADER_BYTES + limits.bodyBytesMin, framed + next);
  if (message > ceiling) return MALFORMED;

  const fragments = leastFragments(message - framed, mostFragment(bytes, edge, end));
  const needBytes = edge - start + (message - framed) + fragments * RECORD_HEADER_BYTES;
  if (needBytes > limits.wireBytesMax || records + fragments > limits.recordsMax) return MALFORMED;
  if (held < HANDSHAKE_HEADER_BYTES) {
    return { kind: "incomplete", needBytes: headerNeed(edge - start, end - start, framed, held) };
  }
  return {
    kind: "body",
    bytes: source,
    start: base + HANDSHAKE_HEADER_BYTES,
    available: base + held,
    end: base + message,
    needBytes,
  };
}

/** Walks the records until the message is framed or the bytes run out; null is malformed. */
function gather(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: MessageLimits,
): Gathered | null {
  const base = start + RECORD_HEADER_BYTES;
  const all: Gathered = { source: bytes, base, held: 0, framed: 0, edge: start, records: 0 };
  while (end - all.edge >= RECORD_HEADER_BYTES) {
    const fragment = leastFragment(bytes, all.edge, end);
    const from = all.edge + RECORD_HEADER_BYTES;
    if (fragment < 0 || all.records === limits.recordsMax) return null;
    if (from + fragment - start > limits.wireBytesMax) return null;
    all.edge = from + fragment;
    all.framed += fragment;
    all.records += 1;
    const arrived = Math.min(all.edge, end) - from;
    if (all.records > 1) join(all, bytes, from, arrived, limits.wireBytesMax);
    all.held += arrived;
    if (all.held > 0 && all.source[all.base] !== limits.type) return null;
    if (all.held < HANDSHAKE_HEADER_BYTES) continue;
    if (all.framed >= messageFloor(all.source, all.base, all.held)) break;
  }
  return all;
}

/** Appends a fragment to the ones before it, which the second fragment moves to the scratch buffer. */
function join(
  all: Gathered,
  bytes: Uint8Array,
  from: number,
  count: number,
  capacity: number,
): void {
  if (all.records === 2) {
    if (scratch.length < capacity) scratch = new Uint8Array(capacity);
    copy(bytes, all.base, scratch, 0, all.held);
    all.source = scratch;
    all.base = 0;
  }
  copy(bytes, from, scratch, all.held, count);
}

/**
 * Returns the length of the fragment whose record header starts at `at`, or the least it can have
 * when only a part of the header lies before `end`, or -1 when it cannot be a handshake record.
 */
function leastFragment(bytes: Uint8Array, at: number, end: number): number {
  const present = end - at;
  if (present > 0 && bytes[at] !== CONTENT_TYPE_HANDSHAKE) return -1;
  if (present > 1 && bytes[at + 1] !== VERSION_MAJOR) return -1;
  const high = present > 3 ? (bytes[at + 3] ?? 0) : 0;
  const low = present > 4 ? (bytes[at + 4] ?? 0) : 0;
  const length = high * 256 + low;
  if (length > FRAGMENT_BYTES_MAX) return -1;
  if (length > 0) return length;
  // §5.1: zero-length fragments of handshake types must not be sent.
  return present >= RECORD_HEADER_BYTES ? -1 : 1;
}

/** Returns the most that the fragment can have whose record header starts at `at`. */
function mostFragment(bytes: Uint8Array, at: number, end: number): number {
  if (end - at <= 3) return FRAGMENT_BYTES_MAX;
  return Math.min((bytes[at + 3] ?? 0) * 256 + 255, FRAGMENT_BYTES_MAX);
}

/** Returns how many fragments `count` bytes take at the least, of which the first has at most `first`. */
function leastFragments(count: number, first: number): number {
  if (count === 0) return 0;
  return 1 + Math.ceil(Math.max(0, count - first) / FRAGMENT_BYTES_MAX);
}

/** Returns the least length, header included, of the message whose first `held` bytes are at `base`. */
function messageFloor(source: Uint8Array, base: number, held: number): number {
  const high = held > 1 ? (source[base + 1] ?? 0) : 0;
  const middle = held > 2 ? (source[base + 2] ?? 0) : 0;
  const low = held > 3 ? (source[base + 3] ?? 0) : 0;
  return HANDSHAKE_HEADER_BYTES + high * 65_536 + middle * 256 + low;
}

/** Returns how many bytes on the wire bring the whole handshake header, at the least. */
function headerNeed(edge: number, arrived: number, framed: number, held: number): number {
  if (framed >= HANDSHAKE_HEADER_BYTES) return arrived + HANDSHAKE_HEADER_BYTES - held;
  return edge + RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES - framed;
}

function copy(from: Uint8Array, at: number, to: Uint8Array, offset: number, count: number): void {
  if (count > COPY_LOOP_BYTES_MAX) {
    to.set(from.subarray(at, at + count), offset);
    return;
  }
  for (let index = 0; index < count; index += 1) to[offset + index] = from[at + index] ?? 0;
}
