/**
 * The two facts in a TLS ClientHello that a proxy routes by: the server name (RFC 6066 §3) and the
 * application protocols (RFC 7301 §3.1). Walks the message of RFC 8446 §4.1.2, which is also that of
 * every older version, and does not know what a cipher suite, a key share or an encrypted hello is.
 *
 * Bias: strict about structure, deaf to meaning. A length that does not fit is never repaired, for
 * the server behind us might repair it differently and read another name.
 */

import { hostName } from "./host-name.ts";
import { firstMessage, type MessageLimits } from "./record.ts";

/**
 * The most a hello may take on the wire, record headers included. A hello with post-quantum key
 * shares is 2 KB, one with a large ticket 16 KB; a peer must not make us hold more than this.
 */
export const CLIENT_HELLO_BYTES_MAX = 65_536;

/**
 * The most records it may be cut into. TLS stacks use one, or a few to get past middleboxes; 4096
 * still admits a hello of 4 KB in records of one byte, and bounds a call to some 0.1 ms
 * (bench/micro/detect.bench.ts on Bun 1.4.5 and Deno 2.9.6).
 */
export const CLIENT_HELLO_RECORDS_MAX = 4096;

/**
 * The most application protocols returned; clients offer two or three. The list is in descending
 * order of preference, so what lies beyond is what the client wants least. 64 KiB could hold 32 000.
 */
export const ALPN_NAMES_MAX = 32;

// RFC 8446 §4.1.2, with the least that each part can take.
const RANDOM_BYTES = 32;
const SESSION_ID_BYTES_MAX = 32;
/** A length and one method. */
const COMPRESSION_BYTES_MIN = 2;
/** A length and one cipher suite, then the compression methods. */
const CIPHERS_TAIL_BYTES_MIN = 4 + COMPRESSION_BYTES_MIN;
/** Version, random, the length of an empty session id, and what follows it. */
const BODY_BYTES_MIN = 2 + RANDOM_BYTES + 1 + CIPHERS_TAIL_BYTES_MIN;
/** Type and length (§4.2). */
const EXTENSION_HEADER_BYTES = 4;

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
/** RFC 6066 §3: a list with one nameless name of a type to come; a host name is refused there. */
const SERVER_NAME_BYTES_MIN = 5;
/** RFC 7301 §3.1: a list with one name of one byte. */
const ALPN_BYTES_MIN = 4;
const NAME_TYPE_HOST_NAME = 0;

const LIMITS: MessageLimits = Object.freeze({
  type: 1, // client_hello, §4
  bodyBytesMin: BODY_BYTES_MIN,
  wireBytesMax: CLIENT_HELLO_BYTES_MAX,
  recordsMax: CLIENT_HELLO_RECORDS_MAX,
});

export type ClientHelloResult =
  | { readonly kind: "hello"; readonly sni: string | null; readonly alpn: readonly string[] }
  | { readonly kind: "incomplete"; readonly needBytes: number }
  | { readonly kind: "not-tls" };

const NOT_TLS: ClientHelloResult = Object.freeze({ kind: "not-tls" });
const NO_ALPN: readonly string[] = Object.freeze([]);
const HELLO_WITHOUT_NAMES: ClientHelloResult = Object.freeze({
  kind: "hello",
  sni: null,
  alpn: NO_ALPN,
});

/**
 * Parses the ClientHello at the start of a connection's bytes `[start, end)`, which must lie within
 * `bytes`. RFC 8446 §4.1.2 and §5.1; never throws.
 *
 * `incomplete`: the hello goes on. `needBytes` is the least count of bytes, from `start`, with which
 * another call can tell more; it is above `end - start` and at most CLIENT_HELLO_BYTES_MAX.
 *
 * `not-tls`: no further bytes can make this a well-formed hello within the limits above. That
 * covers every length that does not fit its surroundings, a record that is empty, of another type,
 * or longer than the hello, and of what the RFCs forbid: an empty list or name, two host names
 * (RFC 6066 §3), and server_name or ALPN twice (RFC 8446 §4.2; other duplicates are not looked for).
 *
 * `sni` is the name as `hostName` has it: in lower case, without one trailing dot. It is null when
 * there is none, and for a well-formed entry that holds no DNS host name: an IP literal (RFC 6066
 * §3 forbids them), a wildcard, NUL, non-ASCII, an empty label, more than 253 bytes.
 *
 * `alpn` has the names in the client's order, each byte as the character of that code.
 */
export function parseClientHello(bytes: Uint8Array, start: number, end: number): ClientHelloResult {
  const message = firstMessage(bytes, start, end, LIMITS);
  if (message.kind === "malformed") return NOT_TLS;
  if (message.kind === "incomplete") return message;
  const reader = new Reader(message.bytes, message.start, message.available);
  readBody(reader, message.end);
  if (reader.state === "malformed") return NOT_TLS;
  if (message.available < message.end) return { kind: "incomplete", needBytes: message.needBytes };
  if (reader.hostEnd + reader.alpnEnd === 0) return HELLO_WITHOUT_NAMES;
  return {
    kind: "hello",
    sni: hostName(reader.bytes, reader.hostStart, reader.hostEnd),
    alpn: protocolNames(reader.bytes, reader.alpnStart, reader.alpnEnd),
  };
}

/**
 * A cursor over a message of which only a part may have arrived. It checks each length against its
 * surroundings before it asks whether the bytes are there, so that a lie is seen at once.
 */
class Reader {
  readonly bytes: Uint8Array;
  readonly available: number;
  at: number;
  state: "reading" | "short" | "malformed" = "reading";
  /** The host name, and the list of ALPN names; an end of 0 is "not seen". */
  hostStart = 0;
  hostEnd = 0;
  /** The extension was there, be it without a host name. */
  hasServerName = false;
  alpnStart = 0;
  alpnEnd = 0;

  constructor(bytes: Uint8Array, at: number, available: number) {
    this.bytes = bytes;
    this.at = at;
    this.available = available;
  }

  /** Reads an unsigned number of one or two bytes, from `min` to `max`; -1 when that ends the walk. */
  number(width: 1 | 2, min: number, max: number): number {
    const present = this.available - this.at;
    const first = present > 0 ? (this.bytes[this.at] ?? 0) : 0;
    const second = present > 1 ? (this.bytes[this.at + 1] ?? 0) : 0;
    const low = width === 1 ? first : first * 256 + second;
    const high = present >= width ? low : low + (present > 0 ? 255 : 65_535);
    if (min > max || low > max || high < min) {
      this.state = "malformed";
      return -1;
    }
    if (present < width) {
      this.state = "short";
      return -1;
    }
    this.at += width;
    return low;
  }

  /** Skips a vector (RFC 8446 §3.4) whose length, of `width` bytes, is from `min` to `max`. */
  vector(width: 1 | 2, min: number, max: number): number {
    const length = this.number(width, min, max);
    if (length > 0) this.at += length;
    return length;
  }

  /** Refuses what is left from `at` to `end` when it is some, and yet too short for one more item. */
  hasRoom(at: number, end: number, itemBytesMin: number): boolean {
    return at === end || end - at >= itemBytesMin || this.refuse();
  }

  /** Ends the walk, and says that no further byte can mend it. */
  refuse(): false {
    this.state = "malformed";
    return false;
  }
}

/** Walks the body up to `end` and notes where the names are (RFC 8446 §4.1.2). */
function readBody(reader: Reader, end: number): void {
  if (reader.number(2, 0x0300, 0x03ff) < 0) return; // legacy_version
  reader.at += RANDOM_BYTES;
  const sessionBytesMax = Math.min(
    SESSION_ID_BYTES_MAX,
    end - reader.at - 1 - CIPHERS_TAIL_BYTES_MIN,
  );
  if (reader.vector(1, 0, sessionBytesMax) < 0) return; // legacy_session_id
  const cipherBytes = reader.vector(2, 2, end - reader.at - 2 - COMPRESSION_BYTES_MIN);
  if (cipherBytes < 0) return;
  if (cipherBytes % 2 !== 0) {
    reader.refuse(); // A suite is two bytes.
    return;
  }
  if (reader.vector(1, 1, end - reader.at - 1) < 0) return; // legacy_compression_methods
  // Before TLS 1.3 the extensions may be left out (RFC 5246 §7.4.1.2).
  if (reader.at === end || !reader.hasRoom(reader.at, end, 2)) return;
  const extensionBytes = end - reader.at - 2;
  if (reader.number(2, extensionBytes, extensionBytes) < 0) return;
  if (!reader.hasRoom(reader.at, end, EXTENSION_HEADER_BYTES)) return;
  while (reader.at < end && readExtension(reader, end)) {
    // Each extension moves the reader on.
  }
}

/** Reads one extension of a block that ends at `end` (RFC 8446 §4.2); false ends the walk. */
function readExtension(reader: Reader, end: number): boolean {
  const type = reader.number(2, 0, 0xffff);
  if (type < 0) return false;
  const isServerName = type === EXTENSION_SERVER_NAME;
  const isAlpn = type === EXTENSION_ALPN;
  if ((isServerName && reader.hasServerName) || (isAlpn && reader.alpnEnd > 0)) {
    return reader.refuse();
  }
  const min = isServerName ? SERVER_NAME_BYTES_MIN : isAlpn ? ALPN_BYTES_MIN : 0;
  const length = reader.number(2, min, end - reader.at - 2);
  if (length < 0) return false;
  const next = reader.at + length;
  if (!reader.hasRoom(next, end, EXTENSION_HEADER_BYTES)) return false;
  if (isServerName && !readServerName(reader, next)) return false;
  if (isAlpn && !readAlpn(reader, next)) return false;
  reader.at = next;
  return true;
}

/** Reads a ServerNameList that must end at `end` (RFC 6066 §3); false ends the walk. */
function readServerName(reader: Reader, end: number): boolean {
  reader.hasServerName = true;
  const listBytes = end - reader.at - 2;
  if (reader.number(2, listBytes, listBytes) < 0) return false;
  while (reader.at < end) {
    const type = reader.number(1, 0, 0xff);
    if (type < 0) return false;
    const isHost = type === NAME_TYPE_HOST_NAME;
    // §3: not more than one name of a type. Types to come begin with a length too, and are skipped.
    if (isHost && reader.hostEnd > 0) return reader.refuse();
    const length = reader.number(2, isHost ? 1 : 0, end - reader.at - 2);
    if (length < 0) return false;
    if (isHost) {
      reader.hostStart = reader.at;
      reader.hostEnd = reader.at + length;
    }
    reader.at += length;
    if (!reader.hasRoom(reader.at, end, 3)) return false;
  }
  return true;
}

/** Reads a ProtocolNameList that must end at `end` (RFC 7301 §3.1); false ends the walk. */
function readAlpn(reader: Reader, end: number): boolean {
  const listBytes = end - reader.at - 2;
  if (reader.number(2, listBytes, listBytes) < 0) return false;
  reader.alpnStart = reader.at;
  reader.alpnEnd = end;
  while (reader.at < end) {
    if (reader.vector(1, 1, end - reader.at - 1) < 0) return false;
    if (!reader.hasRoom(reader.at, end, 2)) return false;
  }
  return true;
}

/** Returns the names of a list that `readAlpn` has passed, ALPN_NAMES_MAX at the most. */
function protocolNames(bytes: Uint8Array, start: number, end: number): readonly string[] {
  if (start === end) return NO_ALPN;
  const names: string[] = [];
  let at = start;
  while (at < end && names.length < ALPN_NAMES_MAX) {
    const nameEnd = at + 1 + (bytes[at] ?? 0);
    names.push(latin1(bytes, at + 1, nameEnd));
    at = nameEnd;
  }
  return names;
}

/** Returns a string with one character per byte. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}
