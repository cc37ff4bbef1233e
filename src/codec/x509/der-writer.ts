/** Writing DER (ITU-T X.690 §8 and §10): what a request for a certificate is made of, and no more. */

import { CONTEXT_CONSTRUCTED, CONTEXT_PRIMITIVE, TAG } from "./der.ts";

export const Tag = {
  ...TAG,
  set: 0x31,
  /** `[0]`, constructed. */
  context0: CONTEXT_CONSTRUCTED,
  /** GeneralName (RFC 5280 §4.2.1.6). */
  dnsName: CONTEXT_PRIMITIVE + 2,
  uri: CONTEXT_PRIMITIVE + 6,
} as const;

/** Returns an element of that tag around the parts. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...lengthOf(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An object identifier, given as the hexadecimal digits of its content (oids.ts). */
export function oid(digits: string): Uint8Array<ArrayBuffer> {
  const bytes = digits.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return element(Tag.oid, Uint8Array.from(bytes));
}

/** A whole number, not negative, of big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  // The highest bit would be a sign.
  const isHigh = (bytes[start] ?? 0) >= 0x80;
  return element(Tag.integer, Uint8Array.of(...(isHigh ? [0] : []), ...bytes.subarray(start)));
}

/** Bits in whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(Tag.bitString, Uint8Array.of(0), bytes);
}

/** §10.1: in as few bytes as it takes. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 + bytes.length, ...bytes];
}
