/**
 * From the fields of a response's block to the same ResponseHead that HTTP/1 is parsed into
 * (RFC 9113 §8.3.2). A backend is as hostile as a client: what breaks a rule is malformed.
 */
import type { FieldSink } from "../hpack/decoder.ts";
import { FieldFlag } from "../hpack/decoder.ts";
import { isDigit } from "../http1/chars.ts";
import { Field } from "../http1/field-names.ts";
import { FIELDS_MAX } from "../http1/field-section.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { isForbiddenInHttp2 } from "./connection-specific.ts";
import { applyNameCase } from "./name-case.ts";

const SWITCHING_PROTOCOLS = 101;

export class ResponseFields implements FieldSink {
  #head: ResponseHead | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  #base = 0;
  #isMalformed = false;
  #hasRegular = false;
  #count = 0;

  /** Starts a response whose fields will lie in `bytes` from `base` on. */
  begin(head: ResponseHead, bytes: Uint8Array, base: number): void {
    head.reset();
    head.fields.reset(0);
    head.status = 0;
    this.#head = head;
    this.#bytes = bytes;
    this.#base = base;
    this.#isMalformed = false;
    this.#hasRegular = false;
    this.#count = 0;
  }

  field(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): boolean {
    const head = this.#head;
    if (head === null) return false;
    if ((flags & (FieldFlag.badName | FieldFlag.badValue)) !== 0) this.#isMalformed = true;
    if (id >= Field.method) {
      const isStatus = id === Field.status && head.status === 0 && !this.#hasRegular;
      if (isStatus) head.status = statusOf(this.#bytes, valueStart, valueEnd);
      if (!isStatus || head.status === 0) this.#isMalformed = true;
      return true;
    }
    this.#hasRegular = true;
    if (isForbiddenInHttp2(id)) this.#isMalformed = true;
    const base = this.#base;
    const { fields } = head;
    const index = fields.count;
    const isOfMesh = id === Field.origProto || id === Field.origCase;
    if (!isOfMesh) this.#count++;
    const isAdded =
      this.#count <= FIELDS_MAX &&
      fields.add(id, nameStart - base, nameEnd - base, valueStart - base, valueEnd - base);
    if (!isAdded) {
      this.#isMalformed = true;
      return false;
    }
    if (id === Field.origCase) head.origCaseField = index;
    if ((flags & FieldFlag.neverIndexed) !== 0) fields.markNeverIndexed(index);
    return true;
  }

  /** The block is decoded and its lines end at `end`; `isEnd`: no content follows. False: malformed. */
  finish(end: number, isEnd: boolean, isHead: boolean): boolean {
    const head = this.#head;
    if (head === null) return false;
    this.#head = null;
    const { status, fields, framing } = head;
    if (this.#isMalformed || status === 0 || status === SWITCHING_PROTOCOLS) return false;
    // §8.1: an interim response cannot be the last thing on a stream.
    if (status < 200 && isEnd) return false;
    framing.read(this.#bytes, this.#base, fields, 1);
    if (framing.error !== null) return false;
    const mayLackContent = isHead || status === 204 || status === 304 || status < 200;
    if (isEnd && framing.contentLength > 0 && !mayLackContent) return false;
    framing.isChunked = !isEnd && framing.contentLength === -1;
    head.reasonStart = -1;
    head.reasonEnd = -1;
    head.minorVersion = 1;
    head.keepAlive = true;
    head.idleSeconds = -1;
    head.upgrades = false;
    head.end = end - this.#base;
    return true;
  }
}

/** Gives the field names the case back that they had in HTTP/1, where a sidecar tells it. */
export function restoreResponseCase(bytes: Uint8Array, base: number, head: ResponseHead): void {
  if (head.origCaseField === -1) return;
  const { fields } = head;
  const start = base + fields.valueStart(head.origCaseField);
  const end = base + fields.valueEnd(head.origCaseField);
  const to = base + head.end;
  head.end = applyNameCase(bytes, base, fields, start, end, to, head.framing.isChunked) - base;
}

/** Three digits from 100 to 599; 0 for anything else. */
function statusOf(bytes: Uint8Array, start: number, end: number): number {
  const hundreds = (bytes[start] ?? 0) - 0x30;
  const tens = bytes[start + 1] ?? 0;
  const ones = bytes[start + 2] ?? 0;
  if (end - start !== 3 || hundreds < 1 || hundreds > 5) return 0;
  if (!isDigit(tens) || !isDigit(ones)) return 0;
  return hundreds * 100 + (tens - 0x30) * 10 + (ones - 0x30);
}
