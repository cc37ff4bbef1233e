/**
 * Fields that must not come in a trailer section, RFC 9110 §6.5.1: those that frame, route, or
 * authenticate a message or say how to read it. They are dropped, never merged into the head.
 * Those that a proxy itself knows (Host, Content-Length, l5d-…) are dropped by their number.
 */
import { bytesOf, equals, Field } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";
import { writeFields } from "./write-fields.ts";

const FORBIDDEN: readonly Uint8Array[] = [
  "authorization",
  "proxy-authorization",
  "proxy-authenticate",
  "www-authenticate",
  "cookie",
  "set-cookie",
  "cache-control",
  "content-encoding",
  "content-type",
  "content-range",
  "max-forwards",
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "age",
  "date",
  "expires",
  "location",
  "retry-after",
  "vary",
  "warning",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
].map(bytesOf);

/** Writes the trailer fields that may be sent on, as lines, and returns where they end. */
export function writeTrailers(
  bytes: Uint8Array,
  base: number,
  trailers: FieldSection,
  out: number,
): number {
  const mayGoOn = (id: number, fields: FieldSection, i: number): boolean =>
    id === Field.other && !isForbiddenTrailer(bytes, base, fields, i);
  return writeFields(bytes, base, trailers, out, mayGoOn, trailers);
}

function isForbiddenTrailer(
  bytes: Uint8Array,
  base: number,
  trailers: FieldSection,
  index: number,
): boolean {
  const start = base + trailers.nameStart(index);
  const length = base + trailers.nameEnd(index) - start;
  return FORBIDDEN.some((name) => name.length === length && equals(bytes, start, name));
}
