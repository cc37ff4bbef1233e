/**
 * The head of a response: status line (RFC 9112 §4), fields, framing. One object serves many
 * responses. Offsets are relative to the base given to `parse`. A backend is as hostile as a
 * client: whatever is refused here becomes a 502 and the connection is destroyed.
 */
import { CR, FIELD_VALUE, isDigit, LF, SP } from "./chars.ts";
import { dropNominated, Option, readOptions } from "./connection-field.ts";
import type { Http1Error } from "./errors.ts";
import { bytesOf, Field } from "./field-names.ts";
import { FieldSection, HEAD_BYTES_MAX, Step } from "./field-section.ts";
import { BodyKind, Framing } from "./framing.ts";
import { keepAliveSeconds } from "./keep-alive.ts";

/** Bytes of a status line; reasons are a few words. */
const STATUS_LINE_BYTES_MAX = 1_024;

const HTTP_1 = bytesOf("HTTP/1.");

export class ResponseHead {
  readonly fields = new FieldSection();
  readonly framing = new Framing();
  /** Why `parse` returned malformed. */
  error: Http1Error = "bad-status-line";
  /** 100 to 599. */
  status = 0;
  /** -1: it came without one, as in HTTP/2. */
  reasonStart = 0;
  reasonEnd = 0;
  /** 0 or 1. */
  minorVersion = 1;
  /** Whether the backend keeps the connection. */
  keepAlive = true;
  /** What `Keep-Alive: timeout=` says, seconds; -1 without. */
  idleSeconds = -1;
  /** 101 with Upgrade and Connection: upgrade, in HTTP/1.1. */
  upgrades = false;
  /** Where `l5d-orig-case` is, or -1: HTTP/2 only. */
  origCaseField = -1;
  /** Offset of the first byte after the head, once done. */
  end = 0;
  #hasLine = false;

  reset(): void {
    this.#hasLine = false;
    this.origCaseField = -1;
  }

  /** Parses on. `bytes[base]` is the head's first byte, `end` the end of what arrived. */
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

  /** `HTTP/1.x SP 3DIGIT SP [reason] CRLF`; some servers leave the second space out. */
  #parseLine(bytes: Uint8Array, base: number, end: number): Step {
    const limit = Math.min(end, base + STATUS_LINE_BYTES_MAX);
    for (let i = 0; i < HTTP_1.length && base + i < limit; i++) {
      if (bytes[base + i] !== HTTP_1[i]) return this.#fail("bad-status-line");
    }
    let at = base + 12;
    if (at + 1 >= limit) return this.#waitForLine(base, end);
    const minor = bytes[base + 7] ?? 0;
    const hundreds = (bytes[base + 9] ?? 0) - 0x30;
    const tens = bytes[base + 10] ?? 0;
    const ones = bytes[base + 11] ?? 0;
    if (!isDigit(minor) || bytes[base + 8] !== SP) return this.#fail("bad-status-line");
    if (minor > 0x31) return this.#fail("version-not-supported");
    if (hundreds < 1 || hundreds > 5 || !isDigit(tens) || !isDigit(ones)) {
      return this.#fail("bad-status-line");
    }
    if (bytes[at] === SP) at++;
    else if (bytes[at] !== CR) return this.#fail("bad-status-line");
    const reasonStart = at;
    while (at < limit && FIELD_VALUE[bytes[at] ?? 0] === 1) at++;
    if (at >= limit) return this.#waitForLine(base, end);
    if (bytes[at] !== CR) return this.#fail("bad-status-line");
    if (at + 1 >= limit) return this.#waitForLine(base, end);
    if (bytes[at + 1] !== LF) return this.#fail("bad-line-end");
    this.minorVersion = minor - 0x30;
    this.status = hundreds * 100 + (tens - 0x30) * 10 + (ones - 0x30);
    this.reasonStart = reasonStart - base;
    this.reasonEnd = at - base;
    this.fields.reset(at + 2 - base);
    return Step.done;
  }

  #waitForLine(base: number, end: number): Step {
    return end - base >= STATUS_LINE_BYTES_MAX ? this.#fail("bad-status-line") : Step.incomplete;
  }

  #understand(bytes: Uint8Array, base: number): Step {
    const fields = this.fields;
    let options = 0;
    let upgrades = 0;
    this.idleSeconds = -1;
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id(i);
      if (id === Field.other) continue;
      const start = base + fields.valueStart(i);
      const end = base + fields.valueEnd(i);
      if (id === Field.connection) options |= readOptions(bytes, start, end);
      else if (id === Field.upgrade) upgrades++;
      else if (id === Field.keepAlive) this.idleSeconds = keepAliveSeconds(bytes, start, end);
    }
    if ((options & Option.bad) !== 0) return this.#fail("bad-connection");
    this.framing.read(bytes, base, fields, this.minorVersion);
    if (this.framing.error !== null) return this.#fail(this.framing.error);
    this.keepAlive =
      (options & Option.close) === 0 &&
      (this.minorVersion === 1 || (options & Option.keepAlive) !== 0);
    this.upgrades =
      this.status === 101 &&
      this.minorVersion === 1 &&
      upgrades > 0 &&
      (options & Option.upgrade) !== 0;
    if ((options & Option.nominates) !== 0) dropNominated(bytes, base, fields);
    return Step.done;
  }

  /** How the response's body ends, RFC 9112 §6.3; `toHead`: it answers a HEAD. */
  bodyKind(toHead: boolean): BodyKind {
    const { status, framing } = this;
    if (toHead || status === 204 || status === 304) return BodyKind.none;
    if (framing.isChunked) return BodyKind.chunked;
    return framing.contentLength === -1 ? BodyKind.untilClose : BodyKind.length;
  }

  #fail(error: Http1Error): Step {
    this.error = error;
    return Step.malformed;
  }
}
