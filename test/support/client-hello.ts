/**
 * Builds ClientHellos from parts (RFC 8446 §4.1.2), true ones and ones that lie. Each length is
 * computed from what it covers; a lie is added to it on the way to the wire.
 */
import { readFileSync } from "node:fs";

type Bytes = Uint8Array<ArrayBuffer>;

/** The lengths that can lie, and by how much; a two-byte length wraps as it would on the wire. */
export interface Lies {
  readonly handshake?: number;
  readonly sessionId?: number;
  readonly ciphers?: number;
  readonly compression?: number;
  readonly extensions?: number;
  readonly serverName?: number;
  readonly serverNameList?: number;
  readonly hostName?: number;
  readonly alpn?: number;
  readonly alpnList?: number;
  readonly alpnName?: number;
}

export interface HelloParts {
  /** Host names, each an entry of the list; bytes are characters below 256. */
  readonly sni?: string | readonly string[];
  readonly alpn?: readonly string[];
  /** Whole extensions, headers included, after those above. */
  readonly extra?: readonly Uint8Array[];
  /** Bytes of key exchange in a key_share extension: 32 for X25519, 1216 with ML-KEM-768. */
  readonly keyShareBytes?: number;
  readonly sessionIdBytes?: number;
  readonly cipherBytes?: number;
  readonly compressionBytes?: number;
  /** Leaves out the extension block, its length too. */
  readonly isBare?: boolean;
  /** Pads the message so that, in one record, it takes so many bytes on the wire (RFC 7685). */
  readonly wireBytes?: number;
  readonly legacyVersion?: number;
  readonly lies?: Lies;
}

export const EXTENSION = {
  serverName: 0,
  alpn: 16,
  padding: 21,
  sessionTicket: 35,
  keyShare: 51,
  grease: 0x0a0a,
  encryptedClientHello: 0xfe0d,
} as const;

/** Returns a hello in one record, or in records of the given sizes, of which the last repeats. */
export function clientHello(parts: HelloParts = {}, sizes: readonly number[] = []): Bytes {
  return inRecords(helloMessage(parts), sizes);
}

/** Returns the handshake message, without records. */
export function helloMessage(parts: HelloParts = {}): Bytes {
  const message = withoutPadding(parts, []);
  if (parts.wireBytes === undefined) return message;
  const padding = parts.wireBytes - message.length - 5 - 4;
  if (padding < 0) throw new RangeError(`wireBytes: ${parts.wireBytes} is too few`);
  return withoutPadding(parts, [extension(EXTENSION.padding, new Uint8Array(padding))]);
}

function withoutPadding(parts: HelloParts, padding: readonly Uint8Array[]): Bytes {
  const lies = parts.lies ?? {};
  const names = typeof parts.sni === "string" ? [parts.sni] : (parts.sni ?? []);
  const extensions: Uint8Array[] = [];
  if (names.length > 0) extensions.push(serverName(names, lies));
  if (parts.alpn !== undefined) extensions.push(alpn(parts.alpn, lies));
  if (parts.keyShareBytes !== undefined) extensions.push(keyShare(parts.keyShareBytes));
  extensions.push(...(parts.extra ?? []), ...padding);
  const body = concat([
    u16(parts.legacyVersion ?? 0x0303),
    new Uint8Array(32).fill(0x5a),
    vector(1, new Uint8Array(parts.sessionIdBytes ?? 32).fill(0x5b), lies.sessionId),
    vector(2, new Uint8Array(parts.cipherBytes ?? 6).fill(0x13), lies.ciphers),
    vector(1, new Uint8Array(parts.compressionBytes ?? 1), lies.compression),
    parts.isBare === true ? new Uint8Array(0) : vector(2, concat(extensions), lies.extensions),
  ]);
  return concat([Uint8Array.of(1), vector(3, body, lies.handshake)]);
}

/** Cuts a handshake message into records of the given sizes; the last size repeats. */
export function inRecords(message: Uint8Array, sizes: readonly number[] = []): Bytes {
  const records: Uint8Array[] = [];
  let at = 0;
  while (at < message.length) {
    const size = sizes[Math.min(records.length, sizes.length - 1)] ?? message.length;
    records.push(record(message.subarray(at, at + size)));
    at += size;
  }
  return concat(records);
}

/** Returns one record; its type and version are those of a first flight unless said. */
export function record(fragment: Uint8Array, type = 22, version = 0x0301): Bytes {
  return concat([Uint8Array.of(type), u16(version), vector(2, fragment)]);
}

/** Returns an extension, header included. */
export function extension(type: number, data: Uint8Array, lie = 0): Bytes {
  return concat([u16(type), vector(2, data, lie)]);
}

/** Returns a server_name extension (RFC 6066 §3). */
export function serverName(names: readonly string[], lies: Lies = {}): Bytes {
  const entries = names.map((name) => {
    return concat([Uint8Array.of(0), vector(2, latin1(name), lies.hostName)]);
  });
  const list = vector(2, concat(entries), lies.serverNameList);
  return extension(EXTENSION.serverName, list, lies.serverName);
}

/** Returns an application_layer_protocol_negotiation extension (RFC 7301 §3.1). */
export function alpn(names: readonly string[], lies: Lies = {}): Bytes {
  const entries = names.map((name) => vector(1, latin1(name), lies.alpnName));
  return extension(EXTENSION.alpn, vector(2, concat(entries), lies.alpnList), lies.alpn);
}

function keyShare(bytes: number): Bytes {
  const share = concat([u16(0x11ec), vector(2, new Uint8Array(bytes).fill(0x5c))]);
  return extension(EXTENSION.keyShare, vector(2, share));
}

/** Returns the bytes after their length, to which the lie has been added. */
export function vector(width: 1 | 2 | 3, bytes: Uint8Array, lie = 0): Bytes {
  const length = bytes.length + lie;
  const prefix = [length >>> 16, length >>> 8, length].slice(3 - width);
  return concat([Uint8Array.from(prefix), bytes]);
}

export function u16(value: number): Bytes {
  return Uint8Array.of(value >>> 8, value);
}

export function latin1(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Reads a hello that a real client sent: hexadecimal digits, and lines of `#` that say which. */
export function capturedHello(name: string): Bytes {
  const url = new URL(`../testdata/client-hello/${name}.hex`, import.meta.url);
  const digits = readFileSync(url, "utf8").replace(/^#.*$/gm, "").replace(/\s/g, "");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
