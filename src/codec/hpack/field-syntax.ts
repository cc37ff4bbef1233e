/** What HTTP/2 asks of the bytes of names and values, RFC 9113 §8.2.1. */

import type { ViewedBytes } from "../../lib/viewed-bytes.ts";
import { COLON, FIELD_VALUE, SP, TAB, TCHAR } from "../http1/chars.ts";

/** 1 for what a name may hold: tokens without upper-case letters. */
const NAME_BYTE: Uint8Array = TCHAR.map((isToken, byte) =>
  byte >= 0x41 && byte <= 0x5a ? 0 : isToken,
);

/** Whether `bytes[start, end)` is a token in lower case, perhaps behind the colon of §8.3. */
export function isFieldName(bytes: Uint8Array, start: number, end: number): boolean {
  const token = start < end && bytes[start] === COLON ? start + 1 : start;
  for (let i = token; i < end; i++) if (NAME_BYTE[bytes[i] ?? 0] === 0) return false;
  return token < end;
}

/** Whether `bytes[start, end)` holds only what a value may, and no blank at its ends. */
export function isFieldValue(bytes: ViewedBytes, start: number, end: number): boolean {
  const { array, view } = bytes;
  let at = start;
  for (; at + 4 <= end; at += 4) if (!isPlain(view.getInt32(at, true))) break;
  for (; at < end; at++) if (FIELD_VALUE[array[at] ?? 0] === 0) return false;
  return start === end || !(isBlank(array[start] ?? 0) || isBlank(array[end - 1] ?? 0));
}

/**
 * Whether four bytes are all of 0x20 to 0x7e. Otherwise the lowest that is not gets or keeps its
 * highest bit: a smaller one by the subtraction, DEL and larger ones by the addition, and 0xff, which
 * that makes 0, by the subtraction.
 */
function isPlain(word: number): boolean {
  return (((word - 0x20202020) | (word + 0x01010101)) & 0x80808080) === 0;
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === TAB;
}
