/**
 * Which field line of a parsed head can go on as the one that frames the message: where it says
 * exactly what we would write. Then it keeps its place among the others; else ours is written behind
 * them.
 */
import { bytesOf, Field } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";
import type { Framing } from "./framing.ts";

const CHUNKED = bytesOf("chunked");

/** Returns its index, or -1. At most one of `isChunked` and `hasLength` holds of what is written. */
export function framingFieldOf(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  framing: Framing,
  isChunked: boolean,
  hasLength: boolean,
): number {
  if (!isChunked && !hasLength) return -1;
  const wanted = isChunked ? Field.transferEncoding : Field.contentLength;
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== wanted) continue;
    const start = base + fields.valueStart(i);
    const length = base + fields.valueEnd(i) - start;
    if (hasLength) return length === digitsOf(framing.contentLength) ? i : -1;
    if (length !== CHUNKED.length) return -1;
    for (let at = 0; at < length; at++) if (bytes[start + at] !== CHUNKED[at]) return -1;
    return i;
  }
  return -1;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}
