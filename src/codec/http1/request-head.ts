/**
 * The head of a request: request line (RFC 9112 §3), fields, and what they ask of a proxy. One
 * object serves many requests: `reset`, then `parse` until it returns done or malformed. All
 * offsets are relative to the base given to `parse`.
 */

import { isAuthority } from "./authority.ts";
import { AUTHORITY, COLON, CR, isDigit, LF, SLASH, SP, STAR, TARGET, TCHAR } from "./chars.ts";
import type { ClientIdField } from "./client-id.ts";
import { dropNominated, forEachToken, is, Option, readOptions } from "./connection-field.ts";
import type { Http1Error } from "./errors.ts";
import { bytesOf, equals, Field } from "./field-names.ts";
import { FieldSection, HEAD_BYTES_MAX, Step } from "./field-section.ts";
import { Framing } from "./framing.ts";
import { Method, methodOf } from "./method.ts";
import { isUpgrade } from "./upgrade-field.ts";

/** Bytes of a request line; beyond it the client gets 414. */
export const REQUEST_LINE_BYTES_MAX = 16_384;
/** Longer methods do not exist; IANA's longest is 17 bytes (UPDATEREDIRECTREF). */
export const METHOD_BYTES_MAX = 32;

const HTTP_1_1 = bytesOf("HTTP/1.1\r\n");
const MAJOR = 5;
const MINOR = 7;
const HTTP_SCHEME = bytesOf("http://");
const CONTINUE = bytesOf("100-continue");
const TRAILERS = bytesOf("trailers");

/** How the target names the resource, RFC 9112 §3.2. */
export const TargetForm = { origin: 0, absolute: 1, authority: 2, asterisk: 3 } as const;
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm];

export class RequestHead {
  readonly fields = new FieldSection();
  readonly framing = new Framing();
  /** Why `parse` returned malformed. */
  error: Http1Error = "bad-request-line";
  method: Method = Method.other;
  methodStart = 0;
  methodEnd = 0;
  form: TargetForm = TargetForm.origin;
  /** What is sent on: the path and query of an absolute-form target, else the target. */
  targetStart = 0;
  targetEnd = 0;
  /** 0 or 1. */
  minorVersion = 1;
  /** Where the request goes: the target's authority, else Host; empty if there is neither. */
  authorityStart = 0;
  authorityEnd = 0;
  /** Index of the Host field, or -1. */
  hostField = -1;
  /** Host is written from the authority, for the field says something else (RFC 9112 §3.2.2). */
  rewritesHost = false;
  /** An absolute-form target is sent on in that form: the client did not mean it for a proxy. */
  keepsAbsolute = false;
  /** HTTP/2 only: `:scheme` was https; the content is gRPC's, so errors are told in its way. */
  isHttps = false;
  isGrpc = false;
  /** HTTP/2 only: minor version of the HTTP/1 that a sidecar carries in this request, or -1. */
  origVersion = -1;
  /** HTTP/2 only: where `l5d-orig-proto` and `l5d-orig-case` are, or -1. */
  origProtoField = -1;
  origCaseField = -1;
  /** Whether the client wants the connection kept. */
  keepAlive = true;
  expectsContinue = false;
  /** Asks to leave HTTP/1.1; Upgrade fields with h2c or with more than tokens do not count. */
  wantsUpgrade = false;
  acceptsTrailers = false;
  /** Who sent it, as was proved: written with the other fields. */
  clientId: ClientIdField | null = null;
  /** Offset of the first byte after the head, once done. */
  end = 0;
  #hasLine = false;
  /** Where in the request line the last call stopped. */
  #at = 0;

  reset(): void {
    this.#hasLine = false;
    this.#at = 0;
    this.rewritesHost = false;
    this.keepsAbsolute = false;
    this.isHttps = false;
    this.isGrpc = false;
    this.clientId = null;
    this.origVersion = -1;
    this.origProtoField = -1;
    this.origCaseField = -1;
    this.expectsContinue = false;
    this.acceptsTrailers = false;
  }

  /** Parses on. Linear over all calls; `bytes[base]` is the head's first byte, `end` what arrived. */
  parse(bytes: Uint8Array, base: number, end: number): Step {
    if (!this.#hasLine) {
      const step = this.#parseLine(bytes, base, end);
      if (step !== Step.done) return step;
      this.#hasLine = true;
    }
    const step = this.fields.parse(bytes, base, Math.min(end, base + HEAD_BYTES_MAX));
    if (step === Step.incomplete) {
      return end - base >= HEAD_BYTES_MAX ? this.#fail("head-too-large") : Step.incomplete;
    }
    if (step === Step.malformed) return this.#fail(this.fields.error);
    this.end = this.fields.end;
    return this.#understand(bytes, base);
  }

  /** Goes on where it stopped, so that the result does not depend on how the bytes were cut. */
  #parseLine(bytes: Uint8Array, base: number, end: number): Step {
    const limit = Math.min(end, base + REQUEST_LINE_BYTES_MAX);
    let at = base + this.#at;
    if (this.#at === 0) {
      // §2.2: one empty line before the request line is forgiven.
      if (at < limit && bytes[at] === CR) {
        if (at + 1 >= limit) return this.#waitForLine(at, base, end);
        if (bytes[at + 1] !== LF) return this.#fail("bad-line-end");
        at += 2;
      }
      this.methodStart = at - base;
      this.methodEnd = 0;
      this.targetEnd = 0;
    }
    if (this.methodEnd === 0) {
      const start = base + this.methodStart;
      while (at < limit && TCHAR[bytes[at] ?? 0] === 1) at++;
      if (at - start > METHOD_BYTES_MAX) return this.#fail("bad-method");
      if (at >= limit) return this.#waitForLine(at, base, end);
      if (bytes[at] !== SP || at === start) return this.#badLine(bytes[at], "bad-method");
      this.methodEnd = at - base;
      this.method = methodOf(bytes, start, at);
      this.targetStart = ++at - base;
    }
    if (this.targetEnd === 0) {
      while (at < limit && TARGET[bytes[at] ?? 0] === 1) at++;
      if (at >= limit) return this.#waitForLine(at, base, end);
      if (bytes[at] !== SP || at === base + this.targetStart) {
        return this.#badLine(bytes[at], "bad-target");
      }
      this.targetEnd = at - base;
      at++;
    }
    const error = this.#parseVersion(bytes, base + this.targetEnd + 1, limit);
    if (error !== null) return this.#fail(error);
    const past = this.targetEnd + 1 + HTTP_1_1.length;
    if (base + past > limit) return this.#waitForLine(at, base, end);
    this.fields.reset(past);
    return Step.done;
  }

  /** `at` is the first byte of "HTTP/1.x" CR LF, of which `bytes[at, end)` is there. */
  #parseVersion(bytes: Uint8Array, at: number, end: number): Http1Error | null {
    const there = Math.min(end - at, HTTP_1_1.length);
    for (let i = 0; i < there; i++) {
      const byte = bytes[at + i] ?? 0;
      if (byte !== HTTP_1_1[i] && !((i === MAJOR || i === MINOR) && isDigit(byte))) {
        return i > MINOR || byte === LF ? "bad-line-end" : "bad-version";
      }
      if (i !== MINOR) continue;
      if (bytes[at + MAJOR] !== 0x31 || byte > 0x31) return "version-not-supported";
      this.minorVersion = byte - 0x30;
    }
    return null;
  }

  #waitForLine(at: number, base: number, end: number): Step {
    if (end - base >= REQUEST_LINE_BYTES_MAX) return this.#fail("target-too-long");
    this.#at = at - base;
    return Step.incomplete;
  }

  #badLine(byte: number | undefined, error: Http1Error): Step {
    return this.#fail(byte === LF || byte === CR ? "bad-request-line" : error);
  }

  /** Reads what the fields ask for. The head is complete here. */
  #understand(bytes: Uint8Array, base: number): Step {
    const fields = this.fields;
    let options = 0;
    let hosts = 0;
    let upgrades = 0;
    let expectations = 0;
    this.hostField = -1;
    this.expectsContinue = false;
    this.acceptsTrailers = false;
    let isUpgradable = false;
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id(i);
      if (id === Field.other) continue;
      const start = base + fields.valueStart(i);
      const end = base + fields.valueEnd(i);
      if (id === Field.host) {
        hosts++;
        this.hostField = i;
      } else if (id === Field.connection) {
        options |= readOptions(bytes, start, end);
      } else if (id === Field.expect) {
        expectations++;
        this.expectsContinue = is(bytes, start, end, CONTINUE);
        if (!this.expectsContinue) return this.#fail("expectation-failed");
      } else if (id === Field.upgrade) {
        isUpgradable = (upgrades++ === 0 || isUpgradable) && isUpgrade(bytes, start, end);
      } else if (id === Field.te) {
        forEachToken(bytes, start, end, (from, to) => {
          if (is(bytes, from, to, TRAILERS)) this.acceptsTrailers = true;
          return true;
        });
      }
    }
    if ((options & Option.bad) !== 0) return this.#fail("bad-connection");
    if (hosts > 1 || expectations > 1) {
      return this.#fail(hosts > 1 ? "bad-host" : "expectation-failed");
    }
    this.framing.read(bytes, base, fields, this.minorVersion);
    if (this.framing.error !== null) return this.#fail(this.framing.error);
    if (this.minorVersion === 0) this.expectsContinue = false;
    this.wantsUpgrade = this.minorVersion === 1 && isUpgradable && (options & Option.upgrade) !== 0;
    if (this.wantsUpgrade && (this.framing.isChunked || this.framing.contentLength > 0)) {
      return this.#fail("bad-upgrade");
    }
    this.keepAlive =
      (options & Option.close) === 0 &&
      (this.minorVersion === 1 || (options & Option.keepAlive) !== 0);
    if ((options & Option.nominates) !== 0) dropNominated(bytes, base, fields);
    return this.#understandTarget(bytes, base);
  }

  #understandTarget(bytes: Uint8Array, base: number): Step {
    const fields = this.fields;
    const first = bytes[base + this.targetStart] ?? 0;
    this.authorityStart = this.authorityEnd = 0;
    if (this.hostField !== -1) {
      this.authorityStart = fields.valueStart(this.hostField);
      this.authorityEnd = fields.valueEnd(this.hostField);
      if (!isAuthority(bytes, base + this.authorityStart, base + this.authorityEnd)) {
        return this.#fail("bad-host");
      }
    } else if (this.minorVersion === 1) {
      return this.#fail("bad-host");
    }
    if (this.method === Method.trace) return this.#fail("method-not-allowed");
    if (this.method === Method.connect) return this.#understandConnect(bytes, base);
    if (first === SLASH) {
      this.form = TargetForm.origin;
      return Step.done;
    }
    if (first === STAR) {
      const isWhole = this.targetEnd - this.targetStart === 1;
      if (!isWhole || this.method !== Method.options) return this.#fail("bad-target");
      this.form = TargetForm.asterisk;
      return Step.done;
    }
    return this.#understandAbsolute(bytes, base);
  }

  /** §3.2.2: an absolute-form target's authority is the one; a different Host does not count. */
  #understandAbsolute(bytes: Uint8Array, base: number): Step {
    const start = base + this.targetStart;
    const end = base + this.targetEnd;
    if (end - start <= HTTP_SCHEME.length || !equals(bytes, start, HTTP_SCHEME)) {
      return this.#fail("bad-target");
    }
    const authorityStart = start + HTTP_SCHEME.length;
    let at = authorityStart;
    while (at < end && AUTHORITY[bytes[at] ?? 0] === 1) at++;
    // No path: "/" is sent, or "*" for OPTIONS (§3.2.4); a query without a path is refused.
    if (at < end && bytes[at] !== SLASH) return this.#fail("bad-target");
    if (!isAuthority(bytes, authorityStart, at)) return this.#fail("bad-target");
    this.form = TargetForm.absolute;
    this.rewritesHost = true;
    this.authorityStart = authorityStart - base;
    this.authorityEnd = at - base;
    this.targetStart = at - base;
    return Step.done;
  }

  /** §3.2.3: host and port, both; a body or an upgrade makes no sense with it. */
  #understandConnect(bytes: Uint8Array, base: number): Step {
    const start = base + this.targetStart;
    const end = base + this.targetEnd;
    let at = end;
    while (at > start && isDigit(bytes[at - 1] ?? 0)) at--;
    const hasPort = at < end && at - 1 > start && bytes[at - 1] === COLON;
    if (this.minorVersion === 0 || !hasPort || !isAuthority(bytes, start, end)) {
      return this.#fail("bad-target");
    }
    if (this.framing.isChunked || this.framing.contentLength > 0) return this.#fail("bad-framing");
    this.form = TargetForm.authority;
    this.authorityStart = this.targetStart;
    this.authorityEnd = this.targetEnd;
    this.wantsUpgrade = false;
    return Step.done;
  }

  #fail(error: Http1Error): Step {
    this.error = error;
    return Step.malformed;
  }
}
