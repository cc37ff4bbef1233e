/**
 * From the fields of a request's block to the same RequestHead that HTTP/1 is parsed into, so that
 * nothing behind it knows the difference. RFC 9113 §8.1.1 to §8.3.1 strictly: whatever could be read
 * as another message after translation is malformed here.
 */

import type { FieldSink } from "../hpack/decoder.ts";
import { FieldFlag } from "../hpack/decoder.ts";
import { isAuthority } from "../http1/authority.ts";
import { SLASH, STAR, TARGET, TCHAR } from "../http1/chars.ts";
import { is } from "../http1/connection-field.ts";
import type { Http1Error } from "../http1/errors.ts";
import { bytesOf, equals, Field } from "../http1/field-names.ts";
import { FIELDS_MAX, type FieldSection } from "../http1/field-section.ts";
import { Method, methodOf } from "../http1/method.ts";
import {
  METHOD_BYTES_MAX,
  REQUEST_LINE_BYTES_MAX,
  type RequestHead,
  TargetForm,
} from "../http1/request-head.ts";
import { isForbiddenInHttp2 } from "./connection-specific.ts";
import { CookieCrumbs } from "./cookie-crumbs.ts";
import { applyNameCase } from "./name-case.ts";
import { readOrigProto } from "./orig-proto.ts";

const HTTP = bytesOf("http");
const HTTPS = bytesOf("https");
const TRAILERS = bytesOf("trailers");
const CONTINUE = bytesOf("100-continue");
const GRPC = bytesOf("application/grpc");

/** `malformed`: a stream error, §8.1.1. The others are answered with a status. */
export type RequestVerdict = "ok" | "malformed" | Http1Error;

export class RequestFields implements FieldSink {
  #head: RequestHead | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  #base = 0;
  #isMalformed = false;
  #isTooMany = false;
  #hasRegular = false;
  /** Fields but those that sidecars add: a request of FIELDS_MAX must get from one to the other. */
  #count = 0;
  #schemeStart = -1;
  #schemeEnd = 0;
  #pathStart = -1;
  #pathEnd = 0;
  #authorityStart = -1;
  #authorityEnd = 0;
  readonly #cookies = new CookieCrumbs();

  /** Starts a request whose fields will lie in `bytes` from `base` on. */
  begin(head: RequestHead, bytes: Uint8Array, base: number): void {
    head.reset();
    head.fields.reset(0);
    head.methodStart = -1;
    head.hostField = -1;
    this.#head = head;
    this.#bytes = bytes;
    this.#base = base;
    this.#isMalformed = false;
    this.#isTooMany = false;
    this.#hasRegular = false;
    this.#count = 0;
    this.#schemeStart = -1;
    this.#pathStart = -1;
    this.#authorityStart = -1;
    this.#cookies.reset();
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
      this.#pseudo(head, id, valueStart, valueEnd);
      return true;
    }
    this.#hasRegular = true;
    if (isForbiddenInHttp2(id)) this.#isMalformed = true;
    const base = this.#base;
    const index = head.fields.count;
    if (!isOfMesh(id)) this.#count++;
    const isAdded =
      this.#count <= FIELDS_MAX &&
      head.fields.add(id, nameStart - base, nameEnd - base, valueStart - base, valueEnd - base);
    if (!isAdded) {
      this.#isTooMany = true;
      return false;
    }
    if (id === Field.cookie) this.#cookies.add(index);
    if ((flags & FieldFlag.neverIndexed) !== 0) head.fields.markNeverIndexed(index);
    return true;
  }

  #pseudo(head: RequestHead, id: number, start: number, end: number): void {
    // §8.3: before all others, each once, and none that is not a request's.
    if (this.#hasRegular) this.#isMalformed = true;
    if (id === Field.method && head.methodStart === -1) {
      head.methodStart = start - this.#base;
      head.methodEnd = end - this.#base;
    } else if (id === Field.scheme && this.#schemeStart === -1) {
      this.#schemeStart = start;
      this.#schemeEnd = end;
    } else if (id === Field.path && this.#pathStart === -1) {
      this.#pathStart = start;
      this.#pathEnd = end;
    } else if (id === Field.authority && this.#authorityStart === -1) {
      this.#authorityStart = start;
      this.#authorityEnd = end;
    } else this.#isMalformed = true;
  }

  /**
   * The block is decoded and its lines end at `end`; `isEnd`: no content follows. `believesMesh`:
   * the fields of a sidecar count (l5d-orig-proto), because this is where sidecars come in.
   */
  finish(end: number, isEnd: boolean, isTooLarge: boolean, believesMesh: boolean): RequestVerdict {
    const head = this.#head;
    if (head === null) return "malformed";
    this.#head = null;
    if (this.#isMalformed) return "malformed";
    if (this.#isTooMany) return "too-many-fields";
    if (isTooLarge) return "head-too-large";
    const base = this.#base;
    const { framing } = head;
    head.end = this.#cookies.join(this.#bytes, base, head.fields, end) - base;
    head.minorVersion = 1;
    head.keepAlive = true;
    head.wantsUpgrade = false;
    const verdict = this.#readFields(head, isEnd);
    if (verdict !== "ok") return verdict;
    if (!this.#readMethod(head)) return "malformed";
    if (head.method === Method.connect) return this.#readConnect(head);
    if (head.method === Method.trace) return "method-not-allowed";
    if (believesMesh && head.origProtoField !== -1) readOrigProto(this.#bytes, base, head);
    // RFC 9112 §6.1: HTTP/1.0 has no chunked coding, so this cannot be turned back into it.
    if (head.minorVersion === 0 && framing.isChunked) return "malformed";
    const target = this.#readTarget(head);
    if (target !== "ok") return target;
    if (head.origVersion !== -1) this.#restoreCase(head);
    // RFC 9110 §8.6: in HTTP/1 these say so when they have no content.
    else if (isEnd && expectsContent(head.method))
      framing.contentLength = Math.max(framing.contentLength, 0);
    return "ok";
  }

  /** The names get the case back that they had in HTTP/1. */
  #restoreCase(head: RequestHead): void {
    if (head.origCaseField === -1) return;
    const { fields } = head;
    const start = this.#base + fields.valueStart(head.origCaseField);
    const end = this.#base + fields.valueEnd(head.origCaseField);
    const to = this.#base + head.end;
    const isChunked = head.framing.isChunked;
    head.end =
      applyNameCase(this.#bytes, this.#base, fields, start, end, to, isChunked) - this.#base;
    head.hostField = indexOfHost(fields);
  }

  /** What the fields ask for, as RequestHead does it for HTTP/1. */
  #readFields(head: RequestHead, isEnd: boolean): RequestVerdict {
    const bytes = this.#bytes;
    const { fields, framing } = head;
    framing.read(bytes, this.#base, fields, 1);
    if (framing.error !== null) return "malformed";
    // §8.1.1: a length that DATA cannot add up to.
    if (isEnd && framing.contentLength > 0) return "malformed";
    framing.isChunked = !isEnd && framing.contentLength === -1;
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id(i);
      if (id === Field.other) continue;
      const start = this.#base + fields.valueStart(i);
      const end = this.#base + fields.valueEnd(i);
      if (id === Field.te) {
        // §8.2.2: "trailers" and nothing else.
        if (!is(bytes, start, end, TRAILERS)) return "malformed";
        head.acceptsTrailers = true;
      } else if (id === Field.host) {
        if (head.hostField !== -1) return "malformed";
        head.hostField = i;
      } else if (id === Field.expect) {
        if (head.expectsContinue || !is(bytes, start, end, CONTINUE)) return "expectation-failed";
        head.expectsContinue = true;
      } else if (id === Field.contentType) {
        head.isGrpc ||= end - start >= GRPC.length && equals(bytes, start, GRPC);
      } else if (id === Field.origProto) head.origProtoField = i;
      else if (id === Field.origCase) head.origCaseField = i;
    }
    return "ok";
  }

  #readMethod(head: RequestHead): boolean {
    const start = this.#base + head.methodStart;
    const end = this.#base + head.methodEnd;
    if (head.methodStart === -1 || end === start || end - start > METHOD_BYTES_MAX) return false;
    for (let at = start; at < end; at++) if (TCHAR[this.#bytes[at] ?? 0] === 0) return false;
    head.method = methodOf(this.#bytes, start, end);
    return true;
  }

  /** §8.5: host and port, and neither scheme nor path. Whether it is served is decided elsewhere. */
  #readConnect(head: RequestHead): RequestVerdict {
    if (this.#schemeStart !== -1 || this.#pathStart !== -1) return "malformed";
    return this.#readAuthority(head) ? "method-not-allowed" : "malformed";
  }

  #readTarget(head: RequestHead): RequestVerdict {
    const bytes = this.#bytes;
    const isHttps = is(bytes, this.#schemeStart, this.#schemeEnd, HTTPS);
    if (this.#schemeStart === -1) return "malformed";
    if (!isHttps && !is(bytes, this.#schemeStart, this.#schemeEnd, HTTP)) return "malformed";
    head.isHttps = isHttps;
    const start = this.#pathStart;
    const end = this.#pathEnd;
    if (start === -1 || end === start) return "malformed";
    if (end - start > REQUEST_LINE_BYTES_MAX) return "target-too-long";
    for (let at = start; at < end; at++) if (TARGET[bytes[at] ?? 0] === 0) return "malformed";
    const isAsterisk = bytes[start] === STAR && end - start === 1;
    if (bytes[start] !== SLASH && !(isAsterisk && head.method === Method.options)) {
      return "malformed";
    }
    head.form = isAsterisk ? TargetForm.asterisk : TargetForm.origin;
    head.keepsAbsolute &&= !isAsterisk;
    head.targetStart = start - this.#base;
    head.targetEnd = end - this.#base;
    return this.#readAuthority(head) ? "ok" : "malformed";
  }

  /**
   * §8.3.1: `:authority`, else Host; where both are there they must agree, but for a request that a
   * sidecar carries: its Host only marks the place that the field had.
   */
  #readAuthority(head: RequestHead): boolean {
    const bytes = this.#bytes;
    let start = this.#authorityStart;
    let end = this.#authorityEnd;
    if (head.hostField !== -1) {
      const hostStart = this.#base + head.fields.valueStart(head.hostField);
      const hostEnd = this.#base + head.fields.valueEnd(head.hostField);
      if (start === -1) {
        start = hostStart;
        end = hostEnd;
      } else if (!sameText(bytes, start, end, hostStart, hostEnd)) {
        if (head.origVersion === -1) return false;
        head.rewritesHost = true;
      }
    }
    if (start === -1 || !isAuthority(bytes, start, end)) return false;
    head.authorityStart = start - this.#base;
    head.authorityEnd = end - this.#base;
    return true;
  }
}

function isOfMesh(id: number): boolean {
  return id === Field.origProto || id === Field.origCase || id === Field.identity;
}

function expectsContent(method: Method): boolean {
  return method === Method.post || method === Method.put || method === Method.patch;
}

function indexOfHost(fields: FieldSection): number {
  for (let i = 0; i < fields.count; i++) if (fields.id(i) === Field.host) return i;
  return -1;
}

/** Letters folded: a host has no case. */
function sameText(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (let i = 0; i < aEnd - a; i++) {
    if (fold(bytes[a + i] ?? 0) !== fold(bytes[b + i] ?? 0)) return false;
  }
  return true;
}

function fold(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
