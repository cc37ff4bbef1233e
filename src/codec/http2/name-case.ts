/**
 * `l5d-orig-case`: the case of HTTP/1 field names, which HTTP/2 takes away (RFC 9113 §8.2.1), for
 * the sidecar at the other end to give back. One sign for each field in its order:
 *
 *   l  as-it-is      t  Title-Case      u  UPPER-CASE
 *   m…. any other: hexadecimal digits, one bit for each byte of the name that is a capital
 *   c C  here stood `transfer-encoding: chunked`, which HTTP/2 does not carry; C in title case
 *
 * It costs one byte on the wire from the second request on, because HPACK remembers it. It is only
 * a hint: what does not fit the fields that came is ignored as a whole. Pure.
 */
import { bytesOf, Field } from "../http1/field-names.ts";
import { DROPPED, type FieldSection } from "../http1/field-section.ts";
import { put } from "../http1/write-fields.ts";

export const ORIG_CASE = bytesOf("l5d-orig-case");

const LOWER = 0x6c;
const TITLE = 0x74;
const UPPER = 0x75;
const MASK = 0x6d;
const MASK_END = 0x2e;
const CHUNKED_LOWER = 0x63;
const CHUNKED_TITLE = 0x43;
const HYPHEN = 0x2d;
const CHUNKED_LINE = bytesOf("transfer-encoding: chunked\r\n");
const CHUNKED_NAME_BYTES = 17;
const CHUNKED_VALUE_BYTES = 7;
/** Longer names keep their lower case: nobody has them, and a sign is to stay small. */
const MASKED_NAME_BYTES_MAX = 128;

/** Bytes that the signs of `count` fields can take at most. */
export function nameCaseBytesMax(count: number): number {
  return count * (2 + MASKED_NAME_BYTES_MAX / 4);
}

/** Whether a field has a sign: the others do not travel, or are ours. */
export function hasNameCase(id: number): boolean {
  switch (id) {
    case DROPPED:
    case Field.connection:
    case Field.keepAlive:
    case Field.proxyConnection:
    case Field.upgrade:
    case Field.http2Settings:
    case Field.te:
    case Field.identity:
    case Field.origProto:
    case Field.origCase:
      return false;
    default:
      return true;
  }
}

/** Writes the signs to `out[at, …)` and returns where they end; `at` when all names are lower case. */
export function writeNameCase(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  out: Uint8Array,
  at: number,
): number {
  let to = at;
  let hasCookie = false;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id(i);
    // Cookies are joined to one at the other end.
    if (!hasNameCase(id) || (id === Field.cookie && hasCookie)) continue;
    hasCookie ||= id === Field.cookie;
    const start = base + fields.nameStart(i);
    const end = base + fields.nameEnd(i);
    if (id === Field.transferEncoding) {
      const isLower = signOf(bytes, start, end) === LOWER;
      out[to++] = isLower ? CHUNKED_LOWER : CHUNKED_TITLE;
    } else to = writeNameSign(bytes, start, end, out, to);
  }
  return isPlainCase(out, at, to) ? at : to;
}

/** Adds the sign of one name to `out[at, …)` and returns where it ends. */
export function writeNameSign(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  const sign = signOf(bytes, start, end);
  out[at] = sign;
  return sign === MASK ? writeMask(bytes, start, end, out, at + 1) : at + 1;
}

/** Whether signs say nothing: all names are lower case. */
export function isPlainCase(signs: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (signs[at] !== LOWER) return false;
  return true;
}

function signOf(bytes: Uint8Array, start: number, end: number): number {
  let isTitle = true;
  let isUpper = true;
  let capitals = 0;
  let isFirst = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (isCapital(byte)) {
      capitals++;
      if (!isFirst) isTitle = false;
    } else if (byte >= 0x61 && byte <= 0x7a) {
      isUpper = false;
      if (isFirst) isTitle = false;
    }
    isFirst = byte === HYPHEN;
  }
  if (capitals === 0 || end - start > MASKED_NAME_BYTES_MAX) return LOWER;
  return isTitle ? TITLE : isUpper ? UPPER : MASK;
}

function writeMask(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let to = at;
  for (let name = start; name < end; name += 4) {
    let digit = 0;
    for (let i = 0; i < 4 && name + i < end; i++) {
      if (isCapital(bytes[name + i] ?? 0)) digit |= 8 >> i;
    }
    out[to++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  out[to++] = MASK_END;
  return to;
}

/**
 * Gives the names in `bytes` back the case that the signs in `bytes[start, end)` tell. For a chunked
 * message the Transfer-Encoding field is put back in its place, its text behind `textEnd`. Returns
 * where the text ends now.
 */
export function applyNameCase(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  start: number,
  end: number,
  textEnd: number,
  isChunked: boolean,
): number {
  if (!fits(bytes, fields, start, end)) return textEnd;
  let at = start;
  let to = textEnd;
  for (let i = 0; i < fields.count; i++) {
    if (!hasNameCase(fields.id(i))) continue;
    let sign = bytes[at++] ?? 0;
    if (sign === CHUNKED_LOWER || sign === CHUNKED_TITLE) {
      if (isChunked) {
        const before = fields.count;
        to = insertChunked(bytes, base, fields, i, to, sign === CHUNKED_TITLE);
        i += fields.count - before;
      }
      sign = bytes[at++] ?? 0;
    }
    const nameStart = base + fields.nameStart(i);
    const nameEnd = base + fields.nameEnd(i);
    if (sign === TITLE) titleCase(bytes, nameStart, nameEnd);
    else if (sign === UPPER) upperCase(bytes, nameStart, nameEnd);
    else if (sign === MASK) {
      for (let n = nameStart; n < nameEnd; n++) {
        if (
          (digitOf(bytes[at + ((n - nameStart) >> 2)] ?? 0) & (8 >> ((n - nameStart) & 3))) !==
          0
        ) {
          bytes[n] = capital(bytes[n] ?? 0);
        }
      }
      at += Math.ceil((nameEnd - nameStart) / 4) + 1;
    }
  }
  const last = bytes[at] ?? 0;
  const isLast = at < end && (last === CHUNKED_LOWER || last === CHUNKED_TITLE);
  if (!isLast || !isChunked) return to;
  return insertChunked(bytes, base, fields, fields.count, to, last === CHUNKED_TITLE);
}

/** Whether there is one well-formed sign for each field, and at most one for chunked. */
function fits(bytes: Uint8Array, fields: FieldSection, start: number, end: number): boolean {
  let at = start;
  let chunked = 0;
  for (let i = 0; i <= fields.count; i++) {
    if (i < fields.count && !hasNameCase(fields.id(i))) continue;
    const first = bytes[at] ?? 0;
    if (at < end && (first === CHUNKED_LOWER || first === CHUNKED_TITLE)) {
      chunked++;
      at++;
    }
    if (i === fields.count) break;
    if (at >= end) return false;
    const sign = bytes[at++] ?? 0;
    if (sign === LOWER || sign === TITLE || sign === UPPER) continue;
    if (sign !== MASK) return false;
    const digits = Math.ceil((fields.nameEnd(i) - fields.nameStart(i)) / 4);
    if (at + digits >= end || bytes[at + digits] !== MASK_END) return false;
    for (let n = 0; n < digits; n++) if (digitOf(bytes[at + n] ?? 0) === -1) return false;
    at += digits + 1;
  }
  return at === end && chunked <= 1;
}

function insertChunked(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  index: number,
  out: number,
  isTitle: boolean,
): number {
  const end = put(bytes, out, CHUNKED_LINE);
  const nameEnd = out + CHUNKED_NAME_BYTES;
  const valueStart = nameEnd + 2;
  if (isTitle) titleCase(bytes, out, nameEnd);
  const from = valueStart - base;
  const to = from + CHUNKED_VALUE_BYTES;
  fields.insert(index, Field.transferEncoding, out - base, nameEnd - base, from, to);
  return end;
}

function titleCase(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    if (at === start || bytes[at - 1] === HYPHEN) bytes[at] = capital(bytes[at] ?? 0);
  }
}

function upperCase(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) bytes[at] = capital(bytes[at] ?? 0);
}

function capital(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte & ~0x20 : byte;
}

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** Lower-case hexadecimal only, as written; -1 for anything else. */
function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
}
