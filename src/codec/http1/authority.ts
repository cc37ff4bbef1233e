/**
 * Whether bytes are `host [":" port]`, RFC 3986 §3.2 without userinfo: a DNS name, an IPv4 address
 * or a bracketed IPv6 address. Lists, paths, user names and ports above 65535 are refused, for each
 * has sent a request to another place than the one that was checked.
 */
import { AUTHORITY, COLON, COMMA, HEX, isDigit } from "./chars.ts";

/** RFC 1035 §2.3.4: a name is at most 253 bytes as text. */
const HOST_BYTES_MAX = 253;

export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  const hostEnd =
    bytes[start] === 0x5b ? endOfBracket(bytes, start, end) : endOfName(bytes, start, end);
  if (hostEnd <= start || hostEnd - start > HOST_BYTES_MAX) return false;
  if (hostEnd === end) return true;
  return bytes[hostEnd] === COLON && isPort(bytes, hostEnd + 1, end);
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === COLON) break;
    if (AUTHORITY[byte] === 0 || byte === COMMA || byte === 0x5b || byte === 0x5d) return -1;
  }
  return at;
}

/** Returns the offset after "]", or -1. The address itself is parsed where it is used. */
function endOfBracket(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x5d) return at > start + 2 ? at + 1 : -1;
    if (HEX[byte] === 255 && byte !== COLON && byte !== 0x2e) return -1;
  }
  return -1;
}

/** An empty port is allowed by RFC 3986 §3.2.3 and means the default. */
function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  let port = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (!isDigit(byte)) return false;
    port = port * 10 + byte - 0x30;
    if (port > 65_535) return false;
  }
  return true;
}
