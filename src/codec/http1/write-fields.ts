/**
 * Writes parsed field lines anew. Order and case stay; a line that already has the one form that we
 * send (`Name: value` CRLF) is copied together with its neighbours in one go, which for most
 * messages is the whole section.
 */
import { copyWithin } from "../../lib/viewed-bytes.ts";
import { COLON, CR, LF, SP } from "./chars.ts";
import type { FieldSection } from "./field-section.ts";

/**
 * Writes the fields from `first` up to `last` for which `keeps` is true, and the one of index `always`,
 * to `bytes[out, …)`; returns where they end. `keeps` is asked about `subject`, so that it need not be
 * a closure, which each message would have to make.
 */
export function writeFields<T>(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  out: number,
  keeps: (id: number, subject: T, index: number) => boolean,
  subject: T,
  always = -1,
  first = 0,
  last: number = fields.count,
): number {
  let to = out;
  let runStart = -1;
  let runEnd = -1;
  for (let i = first; i < last; i++) {
    if (i !== always && !keeps(fields.id(i), subject, i)) continue;
    const start = base + fields.nameStart(i);
    const end = base + fields.valueEnd(i);
    const isCanonical = isPlainLine(bytes, base, fields, i);
    if (isCanonical && start === runEnd) {
      runEnd = end + 2;
      continue;
    }
    if (runStart !== -1) to = copyWithin(bytes, runStart, runEnd, to);
    if (isCanonical) {
      runStart = start;
      runEnd = end + 2;
    } else {
      runStart = -1;
      runEnd = -1;
      to = writeLine(bytes, base, fields, i, to);
    }
  }
  return runStart === -1 ? to : copyWithin(bytes, runStart, runEnd, to);
}

function isPlainLine(bytes: Uint8Array, base: number, fields: FieldSection, i: number): boolean {
  const end = base + fields.valueEnd(i);
  const nameEnd = base + fields.nameEnd(i);
  return (
    base + fields.valueStart(i) === nameEnd + 2 && bytes[nameEnd + 1] === SP && bytes[end] === CR
  );
}

function writeLine(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  i: number,
  out: number,
): number {
  let to = copyWithin(bytes, base + fields.nameStart(i), base + fields.nameEnd(i), out);
  bytes[to++] = COLON;
  bytes[to++] = SP;
  to = copyWithin(bytes, base + fields.valueStart(i), base + fields.valueEnd(i), to);
  bytes[to++] = CR;
  bytes[to++] = LF;
  return to;
}

/** Writes a few ASCII bytes and returns where they end. */
export function put(bytes: Uint8Array, to: number, text: Uint8Array): number {
  for (let i = 0; i < text.length; i++) bytes[to + i] = text[i] ?? 0;
  return to + text.length;
}

/** Writes a decimal number (0 to 2^53 - 1) and returns where it ends. */
export function putNumber(bytes: Uint8Array, to: number, value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let rest = value;
  for (let at = to + digits - 1; at >= to; at--) {
    const tenth = Math.floor(rest / 10);
    bytes[at] = 0x30 + (rest - tenth * 10);
    rest = tenth;
  }
  return to + digits;
}
