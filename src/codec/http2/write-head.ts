/**
 * The header blocks that we send, built from parsed heads like their HTTP/1 twins: never the fields
 * as they came. Names become lower case, what belongs to one connection stays behind, secrets are
 * marked so that no table ever holds them.
 */
import { FIELD_GROWTH_BYTES, type HpackEncoder, Indexing } from "../hpack/encoder.ts";
import { SLASH, STAR } from "../http1/chars.ts";
import { bytesOf, Field } from "../http1/field-names.ts";
import { FIELDS_MAX, type FieldSection } from "../http1/field-section.ts";
import { Method } from "../http1/method.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { putNumber } from "../http1/write-fields.ts";
import {
  isPlainCase,
  nameCaseBytesMax,
  ORIG_CASE,
  writeNameCase,
  writeNameSign,
} from "./name-case.ts";

/** Indices of RFC 7541 Appendix A. */
const Static = {
  authority: 1,
  methodGet: 2,
  methodPost: 3,
  path: 4,
  pathSlash: 4,
  schemeHttp: 6,
  schemeHttps: 7,
  status: 8,
  status200: 8,
  contentLength: 28,
} as const;

const TE_TRAILERS = constant("te", "trailers");
const ORIG_1_0 = constant("l5d-orig-proto", "HTTP/1.0");
const ORIG_1_1 = constant("l5d-orig-proto", "HTTP/1.1");
const ORIG_1_0_ABSOLUTE = constant("l5d-orig-proto", "HTTP/1.0; absolute-form");
const ORIG_1_1_ABSOLUTE = constant("l5d-orig-proto", "HTTP/1.1; absolute-form");
/** Longer values hardly ever come again, and push out those that do. */
const INDEXED_VALUE_BYTES_MAX = 128;
/** Where a number is written before it is encoded. */
const scratch = new Uint8Array(24);
/** Where `l5d-orig-case` and its value are. */
const caseScratch = new Uint8Array(ORIG_CASE.length + nameCaseBytesMax(FIELDS_MAX));
caseScratch.set(ORIG_CASE);

/**
 * Bytes that a block can take at most, given its head's text: the text, each field's growth, pseudo
 * fields, and what a sidecar is told (fields' cases, at the worst a third of the text, and more).
 */
export function blockBytesMax(textBytes: number, fields: number): number {
  return 2 * textBytes + (fields + 8) * FIELD_GROWTH_BYTES + 128;
}

/** The same for trailer lines, which are four bytes and more each. */
export function trailersBytesMax(lineBytes: number): number {
  return blockBytesMax(lineBytes, lineBytes >> 2);
}

/**
 * Encodes a request to `out[at, …)` and returns where it ends. `carries`: the endpoint is a sidecar
 * and the request came as HTTP/1, so that its version, form, Host and the case of its names travel
 * along (`l5d-orig-proto`, `l5d-orig-case`).
 */
export function encodeRequestHead(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  out: Uint8Array,
  at: number,
  carries: boolean,
): number {
  let to = encoder.begin(out, at);
  const { fields, method } = head;
  if (method === Method.get) to = encoder.indexed(out, to, Static.methodGet);
  else if (method === Method.post) to = encoder.indexed(out, to, Static.methodPost);
  else {
    const start = base + head.methodStart;
    const end = base + head.methodEnd;
    to = encoder.named(out, to, Static.methodGet, bytes, start, end, Indexing.incremental);
  }
  to = encoder.indexed(out, to, head.isHttps ? Static.schemeHttps : Static.schemeHttp);
  const authority = base + head.authorityStart;
  const authorityEnd = base + head.authorityEnd;
  if (authorityEnd > authority) {
    const index = Indexing.incremental;
    to = encoder.named(out, to, Static.authority, bytes, authority, authorityEnd, index);
  }
  to = encodePath(encoder, bytes, base, head, out, to);
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id(i);
    if (id === Field.host) {
      if (!carries) continue;
      const start = base + fields.nameStart(i);
      const end = base + fields.nameEnd(i);
      const index = Indexing.incremental;
      to = encoder.field(out, to, bytes, start, end, authority, authorityEnd, index);
    } else if (isSent(id) && (id !== Field.expect || head.expectsContinue)) {
      to = encodeParsed(encoder, bytes, base, fields, i, head.framing.contentLength, out, to);
    }
  }
  if (head.acceptsTrailers) to = encodeConstant(encoder, out, to, TE_TRAILERS);
  if (head.clientId !== null) {
    const { line, nameEnd, valueStart, valueEnd } = head.clientId;
    const index = Indexing.incremental;
    to = encoder.field(out, to, line, 0, nameEnd, valueStart, valueEnd, index);
  }
  if (!carries) return to;
  to = encodeConstant(encoder, out, to, origProtoOf(head));
  return encodeNameCase(encoder, bytes, base, fields, out, to);
}

/** Encodes a response head; `origMinor` is the HTTP/1 version it carries to a sidecar, or -1. */
export function encodeResponseHead(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  head: ResponseHead,
  out: Uint8Array,
  at: number,
  origMinor: number,
): number {
  let to = encoder.begin(out, at);
  if (head.status === 200) to = encoder.indexed(out, to, Static.status200);
  else {
    const end = putNumber(scratch, 0, head.status);
    to = encoder.named(out, to, Static.status, scratch, 0, end, Indexing.incremental);
  }
  const { fields } = head;
  const hasNoLength = head.status < 200 || head.status === 204;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id(i);
    // A response's other l5d- fields are the backend's own, and say nothing of us.
    const isKept = isSent(id) || id === Field.identity;
    if (!isKept || (hasNoLength && id === Field.contentLength)) continue;
    to = encodeParsed(encoder, bytes, base, fields, i, head.framing.contentLength, out, to);
  }
  if (origMinor === -1) return to;
  to = encodeConstant(encoder, out, to, origMinor === 0 ? ORIG_1_0 : ORIG_1_1);
  return encodeNameCase(encoder, bytes, base, fields, out, to);
}

/**
 * Encodes the fields of a trailer section, lines `name: value` CRLF in `bytes[start, end)`.
 * `carries`: the case of their names travels along.
 */
export function encodeTrailers(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  carries: boolean,
): number {
  let to = encoder.begin(out, at);
  const signs = ORIG_CASE.length;
  let signsEnd = signs;
  for (let line = start; line < end; ) {
    let nameEnd = line;
    while (bytes[nameEnd] !== 0x3a) nameEnd++;
    let lineEnd = nameEnd + 2;
    while (bytes[lineEnd] !== 0x0d) lineEnd++;
    const index = lineEnd - nameEnd > 16 ? Indexing.without : Indexing.incremental;
    to = encoder.field(out, to, bytes, line, nameEnd, nameEnd + 2, lineEnd, index);
    signsEnd = writeNameSign(bytes, line, nameEnd, caseScratch, signsEnd);
    line = lineEnd + 2;
  }
  if (!carries || isPlainCase(caseScratch, signs, signsEnd)) return to;
  return encoder.field(out, to, caseScratch, 0, signs, signs, signsEnd, Indexing.incremental);
}

function encodePath(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  out: Uint8Array,
  at: number,
): number {
  const start = base + head.targetStart;
  const end = base + head.targetEnd;
  if (end > start && !(end - start === 1 && bytes[start] === SLASH)) {
    return encoder.named(out, at, Static.path, bytes, start, end, Indexing.without);
  }
  // An absolute-form target without a path, RFC 9112 §3.2.4.
  if (end > start || head.method !== Method.options)
    return encoder.indexed(out, at, Static.pathSlash);
  scratch[0] = STAR;
  return encoder.named(out, at, Static.path, scratch, 0, 1, Indexing.without);
}

function encodeParsed(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  i: number,
  contentLength: number,
  out: Uint8Array,
  at: number,
): number {
  const id = fields.id(i);
  if (id === Field.contentLength) {
    const end = putNumber(scratch, 0, contentLength);
    return encoder.named(out, at, Static.contentLength, scratch, 0, end, Indexing.without);
  }
  const start = base + fields.valueStart(i);
  const end = base + fields.valueEnd(i);
  let indexing: Indexing = Indexing.incremental;
  if (end - start > INDEXED_VALUE_BYTES_MAX) indexing = Indexing.without;
  const isSecret = id === Field.secret || id === Field.cookie || fields.isNeverIndexed(i);
  if (isSecret) indexing = Indexing.never;
  const nameStart = base + fields.nameStart(i);
  const nameEnd = base + fields.nameEnd(i);
  return encoder.field(out, at, bytes, nameStart, nameEnd, start, end, indexing);
}

/** What goes on as it is; Host, TE and what speaks of the mesh are seen to apart. */
function isSent(id: number): boolean {
  switch (id) {
    case Field.other:
    case Field.contentLength:
    case Field.trailer:
    case Field.expect:
    case Field.cookie:
    case Field.secret:
    case Field.contentType:
      return true;
    default:
      return false;
  }
}

function origProtoOf(head: RequestHead): Constant {
  if (head.keepsAbsolute) return head.minorVersion === 0 ? ORIG_1_0_ABSOLUTE : ORIG_1_1_ABSOLUTE;
  return head.minorVersion === 0 ? ORIG_1_0 : ORIG_1_1;
}

function encodeNameCase(
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  out: Uint8Array,
  at: number,
): number {
  const name = ORIG_CASE.length;
  const end = writeNameCase(bytes, base, fields, caseScratch, name);
  if (end === name) return at;
  return encoder.field(out, at, caseScratch, 0, name, name, end, Indexing.incremental);
}

function encodeConstant(
  encoder: HpackEncoder,
  out: Uint8Array,
  at: number,
  { bytes, nameEnd }: Constant,
): number {
  const index = Indexing.incremental;
  return encoder.field(out, at, bytes, 0, nameEnd, nameEnd, bytes.length, index);
}

/** A field that never changes: its name, and its value right behind it. */
type Constant = { readonly bytes: Uint8Array; readonly nameEnd: number };

function constant(name: string, value: string): Constant {
  return { bytes: bytesOf(name + value), nameEnd: name.length };
}
