/**
 * What a connection speaks, decided from its first bytes and nothing else: no port, no clock, no
 * state between two calls. HTTP/2 by its preface (RFC 9113 §3.4), TLS by a whole ClientHello, HTTP/1
 * by its request line (RFC 9112 §3); the rest is opaque.
 *
 * Bias: what has begun as a request of HTTP is given to the HTTP server when the bytes end, because
 * half a request must never reach a backend as opaque bytes.
 */

import { CR, isDigit, LF, SP, TCHAR } from "../codec/http1/chars.ts";
import { Method, methodOf } from "../codec/http1/method.ts";
import { parseClientHello } from "../codec/tls/client-hello.ts";
import { CONTENT_TYPE_HANDSHAKE, RECORD_HEADER_BYTES } from "../codec/tls/record.ts";
import type { Protocol } from "../mesh/protocol.ts";

/** IANA's longest method has 17 bytes; the HTTP/1 codec refuses those above 32 as well. */
export const DETECT_METHOD_BYTES_MAX = 32;

/** The longest request line the HTTP/1 codec takes: beyond it, the answer is 414 or none. */
export const DETECT_TARGET_BYTES_MAX = 16_384;

/**
 * Why a verdict was reached; a bounded set, for metric labels.
 *
 * - `request-line`, `preface`, `client-hello`: seen whole.
 * - `unfinished`: the last bytes came, and what they began was not finished.
 * - `too-long`: a target above DETECT_TARGET_BYTES_MAX.
 * - `malformed-request-line`, `malformed-hello`: opaque, though it began as HTTP or TLS. A port
 *   that is not to carry opaque bytes refuses these instead.
 * - `not-recognised`: opaque from the start.
 * - `timeout`: the last bytes came, and there were none.
 */
export type DetectReason =
  | "request-line"
  | "preface"
  | "client-hello"
  | "unfinished"
  | "too-long"
  | "malformed-request-line"
  | "malformed-hello"
  | "not-recognised"
  | "timeout";

export interface Decided {
  readonly kind: "decided";
  readonly protocol: Protocol;
  /** Host name in lower case; only ever set for TLS. */
  readonly sni: string | null;
  /** Application protocols in the client's order; only ever set for TLS. */
  readonly alpn: readonly string[];
  readonly reason: DetectReason;
}

export type Verdict = Decided | { readonly kind: "incomplete"; readonly needBytes: number };

const NO_ALPN: readonly string[] = Object.freeze([]);
const HTTP1_REQUEST_LINE = verdict("http1", "request-line");
const HTTP1_UNFINISHED = verdict("http1", "unfinished");
const HTTP1_TOO_LONG = verdict("http1", "too-long");
const HTTP2_PREFACE = verdict("http2", "preface");
const HTTP2_UNFINISHED = verdict("http2", "unfinished");
const TLS_WITHOUT_NAMES = verdict("tls", "client-hello");
const TLS_UNFINISHED = verdict("tls", "unfinished");
const OPAQUE_NOT_RECOGNISED = verdict("opaque", "not-recognised");
const OPAQUE_UNFINISHED = verdict("opaque", "unfinished");
const OPAQUE_TOO_LONG = verdict("opaque", "too-long");
const OPAQUE_MALFORMED_LINE = verdict("opaque", "malformed-request-line");
const OPAQUE_MALFORMED_HELLO = verdict("opaque", "malformed-hello");
const OPAQUE_TIMEOUT = verdict("opaque", "timeout");

/** RFC 9113 §3.4. */
const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The part of the preface that a request line of HTTP/1 could be: "PRI * HTTP/2.0". */
const PREFACE_LINE_BYTES = 14;

/** RFC 9112 §2.3, up to the digits. */
const VERSION_NAME = ascii("HTTP/");
/** The name, a digit, a dot and a digit. */
const VERSION_BYTES = 8;

const DEL = 0x7f;
const LETTER_P = 0x50;
const STARTS_OF_HTTP_TARGETS = ["/", "http://", "https://"].map(ascii);

/**
 * Decides the protocol of the connection whose first bytes are `bytes[start, end)`, a range that
 * must lie within `bytes`. `isFinal` says that no more will come in time: the deadline has passed or
 * the peer has sent FIN; then the answer is never `incomplete`. Otherwise `needBytes` is the least
 * count of bytes, from `start`, with which another call can tell more. Never throws.
 *
 * Results without names are shared and frozen: compare and read them, do not keep notes in them.
 */
export function detect(bytes: Uint8Array, start: number, end: number, isFinal: boolean): Verdict {
  if (start === end) return isFinal ? OPAQUE_TIMEOUT : { kind: "incomplete", needBytes: 1 };
  const first = bytes[start];
  if (first === CONTENT_TYPE_HANDSHAKE) return detectTls(bytes, start, end, isFinal);
  if (first === LETTER_P) {
    const same = commonBytes(bytes, start, end, PREFACE);
    if (same === PREFACE.length) return HTTP2_PREFACE;
    if (same === end - start) {
      if (!isFinal) return { kind: "incomplete", needBytes: same + 1 };
      if (same > PREFACE_LINE_BYTES) return HTTP2_UNFINISHED;
    }
  }
  return detectHttp1(bytes, start, end, isFinal);
}

function detectTls(bytes: Uint8Array, start: number, end: number, isFinal: boolean): Verdict {
  const hello = parseClientHello(bytes, start, end);
  switch (hello.kind) {
    case "hello": {
      const { sni, alpn } = hello;
      if (sni === null && alpn.length === 0) return TLS_WITHOUT_NAMES;
      return { kind: "decided", protocol: "tls", sni, alpn, reason: "client-hello" };
    }
    case "incomplete":
      if (!isFinal) return hello;
      return hasHelloType(bytes, start, end) ? TLS_UNFINISHED : OPAQUE_UNFINISHED;
    case "not-tls":
      return isWrongRecord(bytes, start, end) || !hasHelloType(bytes, start, end)
        ? OPAQUE_NOT_RECOGNISED
        : OPAQUE_MALFORMED_HELLO;
    default:
      return hello satisfies never;
  }
}

/** Tells whether the record header alone rules TLS out: then later bytes must not change the reason. */
function isWrongRecord(bytes: Uint8Array, start: number, end: number): boolean {
  const headerEnd = Math.min(end, start + RECORD_HEADER_BYTES);
  return parseClientHello(bytes, start, headerEnd).kind === "not-tls";
}

/** Tells whether a record header of TLS and the handshake type client_hello are there. */
function hasHelloType(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > RECORD_HEADER_BYTES && bytes[start + 1] === 3 && bytes[start + 5] === 1;
}

/** Method SP target SP "HTTP/" digit "." digit (RFC 9112 §3), whatever the digits are. */
function detectHttp1(bytes: Uint8Array, start: number, end: number, isFinal: boolean): Verdict {
  let at = start;
  // RFC 9112 §2.2: one empty line before the request line is forgiven.
  if (bytes[at] === CR) {
    if (at + 1 === end) return isFinal ? OPAQUE_UNFINISHED : more(start, end);
    if (bytes[at + 1] !== LF) return OPAQUE_NOT_RECOGNISED;
    at += 2;
  }
  const method = at;
  const methodLimit = Math.min(end, method + DETECT_METHOD_BYTES_MAX);
  while (at < methodLimit && TCHAR[bytes[at] ?? 0] === 1) at += 1;
  if (at === end) return isFinal ? OPAQUE_UNFINISHED : more(start, end);
  if (at === method || bytes[at] !== SP) return OPAQUE_NOT_RECOGNISED;

  at += 1;
  const target = at;
  const targetLimit = Math.min(end, target + DETECT_TARGET_BYTES_MAX + 1);
  while (at < targetLimit && isTarget(bytes[at] ?? 0)) at += 1;
  if (at - target > DETECT_TARGET_BYTES_MAX) {
    return isHttpTarget(bytes, method, target, at) ? HTTP1_TOO_LONG : OPAQUE_TOO_LONG;
  }
  if (at < end) {
    if (at === target || bytes[at] !== SP) return notRequestLine(bytes, method, target, at);
    at += 1;
    const version = Math.min(end - at, VERSION_BYTES);
    if (!startsVersion(bytes, at, version)) return notRequestLine(bytes, method, target, at);
    if (version === VERSION_BYTES) return HTTP1_REQUEST_LINE;
  }
  if (!isFinal) return more(start, end);
  return isKnown(bytes, method, target) ? HTTP1_UNFINISHED : OPAQUE_UNFINISHED;
}

/** The verdict on a line that no further byte can make a request line. */
function notRequestLine(bytes: Uint8Array, method: number, target: number, end: number): Verdict {
  return isHttpTarget(bytes, method, target, end) ? OPAQUE_MALFORMED_LINE : OPAQUE_NOT_RECOGNISED;
}

/** Text can be decided by any byte, for one that cannot be there makes it opaque. */
function more(start: number, end: number): Verdict {
  return { kind: "incomplete", needBytes: end - start + 1 };
}

/** Wider than what the codec takes: what it refuses shall be answered, not passed on. */
function isTarget(byte: number): boolean {
  return byte > SP && byte !== DEL;
}

/** Tells whether the first `count` bytes of HTTP/d.d, at most 8, are at `at`. */
function startsVersion(bytes: Uint8Array, at: number, count: number): boolean {
  const name = Math.min(count, VERSION_NAME.length);
  if (commonBytes(bytes, at, at + name, VERSION_NAME) < name) return false;
  if (count > 5 && !isDigit(bytes[at + 5] ?? 0)) return false;
  if (count > 6 && bytes[at + 6] !== 0x2e) return false;
  return count < VERSION_BYTES || isDigit(bytes[at + 7] ?? 0);
}

/** Tells whether the token between `method` and the SP before `target` is one that only HTTP has. */
function isKnown(bytes: Uint8Array, method: number, target: number): boolean {
  return methodOf(bytes, method, target - 1) !== Method.other;
}

/** Tells a request of HTTP from a command that has the same first word, such as GET of Redis. */
function isHttpTarget(bytes: Uint8Array, method: number, target: number, end: number): boolean {
  if (!isKnown(bytes, method, target)) return false;
  return STARTS_OF_HTTP_TARGETS.some(
    (text) => commonBytes(bytes, target, end, text) === text.length,
  );
}

/** Returns how many bytes `bytes[start, end)` and `text` have in common at their starts. */
function commonBytes(bytes: Uint8Array, start: number, end: number, text: Uint8Array): number {
  const count = Math.min(end - start, text.length);
  let same = 0;
  while (same < count && bytes[start + same] === text[same]) same += 1;
  return same;
}

function verdict(protocol: Protocol, reason: DetectReason): Decided {
  return Object.freeze({ kind: "decided", protocol, sni: null, alpn: NO_ALPN, reason });
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
