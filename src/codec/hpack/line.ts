/**
 * Lines `name: value` CRLF, the form in which both tables keep their entries and the decoder hands
 * out fields: what HTTP/1 sends, so that a field needs no more than a copy on its way there.
 */

import { isSame, type ViewedBytes } from "../../lib/viewed-bytes.ts";
import { COLON, CR, LF, SP } from "../http1/chars.ts";

/** Colon and space. */
export const SEPARATOR_BYTES = 2;
/** CRLF. */
export const LINE_END_BYTES = 2;
/** What a line has besides name and value. */
export const LINE_OVERHEAD_BYTES = SEPARATOR_BYTES + LINE_END_BYTES;

/** Maps each byte to itself, upper-case ASCII letters to lower case. */
export const LOWER_CASE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);
/** Maps each byte to itself. */
export const AS_IT_IS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Copies `from[start, end)`, each byte replaced by `map`, and returns where the copy ends. */
export function copyMapped(
  from: Uint8Array,
  start: number,
  end: number,
  map: Uint8Array,
  to: Uint8Array,
  at: number,
): number {
  const shift = at - start;
  for (let i = start; i < end; i++) to[i + shift] = map[from[i] ?? 0] ?? 0;
  return end + shift;
}

/** Whether `bytes[start, end)`, letters folded to lower case, is what `lines` has from `at` on. */
export function isSameName(
  bytes: ViewedBytes,
  start: number,
  end: number,
  lines: ViewedBytes,
  at: number,
): boolean {
  if (isSame(bytes, start, end, lines, at)) return true;
  for (let i = start, j = at; i < end; i++, j++) {
    if (LOWER_CASE[bytes.array[i] ?? 0] !== lines.array[j]) return false;
  }
  return true;
}

/** Writes colon and space and returns where they end. */
export function putSeparator(to: Uint8Array, at: number): number {
  to[at] = COLON;
  to[at + 1] = SP;
  return at + SEPARATOR_BYTES;
}

/** Ends a line. */
export function putLineEnd(to: Uint8Array, at: number): void {
  to[at] = CR;
  to[at + 1] = LF;
}
