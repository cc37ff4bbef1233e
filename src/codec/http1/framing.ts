/**
 * How long a message's body is, RFC 9112 §6.3. Where the RFC lets a recipient choose between two
 * readings of a message, this refuses: both lengths present, two lengths, a coding that is not
 * exactly "chunked", Transfer-Encoding in HTTP/1.0 are each a smuggling attempt. Pure.
 */
import { isDigit } from "./chars.ts";
import { forEachToken, is } from "./connection-field.ts";
import type { Http1Error } from "./errors.ts";
import { bytesOf, Field } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";

/** `stream`: content alone, whose end is told apart; HTTP/2's, and what passes between two codecs. */
export const BodyKind = { none: 0, length: 1, chunked: 2, untilClose: 3, stream: 4 } as const;
export type BodyKind = (typeof BodyKind)[keyof typeof BodyKind];

/** Content-Length digits; 2^53 - 1 has 16, so a sum of two lengths still is exact. */
const LENGTH_DIGITS_MAX = 15;

const CHUNKED = bytesOf("chunked");

/** What the fields say of the body; `read` fills it, `error` is set when they must be refused. */
export class Framing {
  /** Bytes, or -1 without Content-Length. */
  contentLength = -1;
  isChunked = false;
  error: Http1Error | null = null;

  read(bytes: Uint8Array, base: number, fields: FieldSection, minorVersion: number): void {
    this.contentLength = -1;
    this.isChunked = false;
    this.error = null;
    let codings = 0;
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id(i);
      if (id === Field.contentLength) {
        this.#readLength(bytes, base + fields.valueStart(i), base + fields.valueEnd(i));
      } else if (id === Field.transferEncoding) {
        codings++;
        this.#readCoding(bytes, base + fields.valueStart(i), base + fields.valueEnd(i));
      }
    }
    if (this.error !== null || codings === 0) return;
    if (codings > 1 || minorVersion === 0) this.error = "bad-transfer-encoding";
    else if (this.contentLength !== -1) this.error = "bad-framing";
  }

  #readLength(bytes: Uint8Array, start: number, end: number): void {
    if (this.contentLength !== -1 || end === start) this.error ??= "bad-content-length";
    let length = 0;
    let digits = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (!isDigit(byte)) this.error ??= "bad-content-length";
      if (length > 0 || byte !== 0x30) digits++;
      length = length * 10 + (byte - 0x30);
    }
    if (digits > LENGTH_DIGITS_MAX) this.error ??= "bad-content-length";
    this.contentLength = length;
  }

  /** Only "chunked", once, and nothing else: any other known or unknown coding is refused. */
  #readCoding(bytes: Uint8Array, start: number, end: number): void {
    let tokens = 0;
    let unknown = false;
    forEachToken(bytes, start, end, (from, to) => {
      tokens++;
      if (to === from) this.error ??= "bad-transfer-encoding";
      else if (!is(bytes, from, to, CHUNKED)) unknown = true;
      return true;
    });
    const isPlain = end - start === CHUNKED.length && is(bytes, start, end, CHUNKED);
    if (unknown && tokens === 1) this.error ??= "coding-not-supported";
    else if (!isPlain) this.error ??= "bad-transfer-encoding";
    this.isChunked = true;
  }
}
