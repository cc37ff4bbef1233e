/**
 * `grpc-message`: text percent-encoded to printable ASCII, PROTOCOL-HTTP2.md ("Responses"). Whatever
 * a peer sent there is decoded somehow; it is for people to read and never fails a call.
 */

/** Longer texts are cut: a header block is no place for a report. */
export const STATUS_TEXT_BYTES_MAX = 1_024;

const PERCENT = 0x25;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a text, cut to STATUS_TEXT_BYTES_MAX bytes of UTF-8 at a character's end. */
export function encodeStatusText(text: string): string {
  const bytes = cut(encoder.encode(text));
  let encoded = "";
  for (const byte of bytes) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== PERCENT) encoded += String.fromCharCode(byte);
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  // HTTP/2 allows no blank at either end of a value (RFC 9113 §8.2.1).
  return encoded.replace(/^ | $/g, "%20");
}

/** Decodes what came; a `%` that is no escape stays one, and what is no UTF-8 becomes U+FFFD. */
export function decodeStatusText(encoded: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    const hex = encoded.slice(at + 1, at + 3);
    if (encoded[at] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else bytes.push(encoded.charCodeAt(at) & 0xff);
  }
  return decoder.decode(Uint8Array.from(bytes));
}

function cut(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= STATUS_TEXT_BYTES_MAX) return bytes;
  let end = STATUS_TEXT_BYTES_MAX;
  // Bytes 10xxxxxx go on with a character that began before.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
