/**
 * Whether first bytes are a request of HTTP/1: by our own grammar (RFC 9112 §3), and by those of more
 * lenient servers. nginx skips any blank lines and several spaces, Python splits at white space; what
 * such a server would read as a request must not reach it as opaque bytes, past the codec that checks
 * it and takes `l5d-client-id` from strangers. It is told as malformed, which is answered with 400.
 *
 * Bias: what has begun as a request of HTTP is given to the HTTP server when the bytes end, because
 * half a request must never reach a backend as opaque bytes.
 */
import { CR, isDigit, LF, SP, TCHAR } from "../codec/http1/chars.ts";
import { Method, methodOf } from "../codec/http1/method.ts";
import { ascii, commonBytes } from "./bytes.ts";
import {
  HTTP1_REQUEST_LINE,
  HTTP1_TOO_LONG,
  HTTP1_UNFINISHED,
  OPAQUE_MALFORMED_LINE,
  OPAQUE_NOT_RECOGNISED,
  OPAQUE_TOO_LONG,
  OPAQUE_UNFINISHED,
  type Verdict,
} from "./verdict.ts";

/** IANA's longest method has 17 bytes; the HTTP/1 codec refuses those above 32 as well. */
export const DETECT_METHOD_BYTES_MAX = 32;

/** The longest request line the HTTP/1 codec takes: beyond it, the answer is 414 or none. */
export const DETECT_TARGET_BYTES_MAX = 16_384;
/** A first line that is longer is no request to any server: nginx takes 32 KiB, most 8 to 16. */
const LINE_BYTES_MAX = 32_768;

/** RFC 9112 §2.3, up to the digits. */
const VERSION_NAME = ascii("HTTP/");
/** The name, a digit, a dot and a digit. */
const VERSION_BYTES = 8;

const HT = 0x09;
const VT = 0x0b;
const FF = 0x0c;
/** FS, GS, RS and US are 0x1c to 0x1f. */
const FS = 0x1c;
const NEL = 0x85;
const NBSP = 0xa0;
const DEL = 0x7f;
const STARTS_OF_HTTP_TARGETS = ["/", "http://", "https://"].map(ascii);

/** OPTIONS and HTTP/2's PRI have a target of their own (RFC 9112 §3.2.4). */
const STARTS_OF_TARGETS = [...STARTS_OF_HTTP_TARGETS, ascii("*")];

/** As `detect`, for what begins neither as TLS nor as HTTP/2. */
export function detectHttp1(
  bytes: Uint8Array,
  start: number,
  end: number,
  isFinal: boolean,
): Verdict {
  let line = start;
  while (line < end && (bytes[line] === CR || bytes[line] === LF)) line += 1;
  // Of blank lines alone a lenient server still waits for a request.
  if (line === end) return isFinal ? HTTP1_UNFINISHED : more(start, end);
  const verdict = detectLine(bytes, start, line, end, isFinal);
  // RFC 9112 §2.2: one empty line before the request line is forgiven.
  const isForgiven = line - start === 2 && bytes[start] === CR && bytes[start + 1] === LF;
  if (line === start || isForgiven || verdict.kind === "incomplete") return verdict;
  return verdict.protocol === "http1" ? OPAQUE_MALFORMED_LINE : verdict;
}

/** Method SP target SP "HTTP/" digit "." digit (RFC 9112 §3), whatever the digits are. */
function detectLine(
  bytes: Uint8Array,
  start: number,
  line: number,
  end: number,
  isFinal: boolean,
): Verdict {
  let at = line;
  const methodLimit = Math.min(end, line + DETECT_METHOD_BYTES_MAX);
  while (at < methodLimit && TCHAR[bytes[at] ?? 0] === 1) at += 1;
  if (at === end) {
    if (!isFinal) return more(start, end);
    return isUpperCase(bytes, line, at) ? HTTP1_UNFINISHED : OPAQUE_UNFINISHED;
  }
  const isToken = at > line && bytes[at] === SP;
  if (!isToken) return lenient(bytes, start, line, end, isFinal);

  at += 1;
  const target = at;
  const targetLimit = Math.min(end, target + DETECT_TARGET_BYTES_MAX + 1);
  while (at < targetLimit && isTarget(bytes[at] ?? 0)) at += 1;
  if (at - target > DETECT_TARGET_BYTES_MAX) {
    return isHttpTarget(bytes, line, target, at) ? HTTP1_TOO_LONG : OPAQUE_TOO_LONG;
  }
  if (at < end) {
    if (at === target || bytes[at] !== SP) {
      return notRequestLine(bytes, start, line, target, at, end, isFinal);
    }
    at += 1;
    const version = Math.min(end - at, VERSION_BYTES);
    if (!startsVersion(bytes, at, version)) {
      return notRequestLine(bytes, start, line, target, at, end, isFinal);
    }
    if (version === VERSION_BYTES) return HTTP1_REQUEST_LINE;
  }
  if (!isFinal) return more(start, end);
  return isBegun(bytes, line, target, end) ? HTTP1_UNFINISHED : OPAQUE_UNFINISHED;
}

/** The verdict on a line that no further byte can make a request line of ours. */
function notRequestLine(
  bytes: Uint8Array,
  start: number,
  line: number,
  target: number,
  at: number,
  end: number,
  isFinal: boolean,
): Verdict {
  if (isHttpTarget(bytes, line, target, at)) return OPAQUE_MALFORMED_LINE;
  return lenient(bytes, start, line, end, isFinal);
}

/**
 * Capitals, white space, and a version of HTTP behind more of it are a request to some server. Other
 * words are a method to none that is so lenient, and text without line ends shall not wait for one.
 */
function lenient(
  bytes: Uint8Array,
  start: number,
  line: number,
  end: number,
  isFinal: boolean,
): Verdict {
  const limit = Math.min(end, line + LINE_BYTES_MAX);
  let word = line;
  while (word < limit && isWhite(bytes[word] ?? 0)) word += 1;
  let at = word;
  while (at < limit && TCHAR[bytes[at] ?? 0] === 1) at += 1;
  if (at < limit && (at === word || !isWhite(bytes[at] ?? 0))) return OPAQUE_NOT_RECOGNISED;
  // White space alone is the beginning of one as well.
  if (at > word && !isUpperCase(bytes, word, at)) return OPAQUE_NOT_RECOGNISED;
  for (; at < limit; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === LF) return OPAQUE_NOT_RECOGNISED;
    if (!isWhite(byte)) continue;
    const same = commonBytes(bytes, at + 1, end, VERSION_NAME);
    if (same === VERSION_NAME.length) return OPAQUE_MALFORMED_LINE;
  }
  if (end - line >= LINE_BYTES_MAX) return OPAQUE_MALFORMED_LINE;
  return isFinal ? HTTP1_UNFINISHED : more(start, end);
}

/** What Python's `str.split()` takes for white space, but for line ends. */
function isWhite(byte: number): boolean {
  if (byte <= SP) return byte === SP || byte === HT || byte === VT || byte === FF || byte >= FS;
  return byte === NEL || byte === NBSP;
}

/** Text can be decided by any byte, for one that cannot be there makes it opaque. */
function more(start: number, end: number): Verdict {
  return { kind: "incomplete", needBytes: end - start + 1 };
}

/** Wider than what the codec takes: what it refuses shall be answered, not passed on. */
function isTarget(byte: number): boolean {
  return byte > SP && byte !== DEL;
}

/** Letters as methods have them, one at least; no other protocol stops behind those. */
function isUpperCase(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    const isLetter = byte >= 0x41 && byte <= 0x5a;
    if (!isLetter && byte !== 0x2d && byte !== 0x5f) return false;
  }
  return end > start;
}

/** Half a line that a request may come of: by its method, or by how both its words begin. */
function isBegun(bytes: Uint8Array, line: number, target: number, end: number): boolean {
  if (isKnown(bytes, line, target)) return true;
  const isMethod = isUpperCase(bytes, line, target - 1);
  return isMethod && STARTS_OF_TARGETS.some((text) => begins(bytes, target, end, text));
}

/** One of the two is the beginning of the other. */
function begins(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  return commonBytes(bytes, start, end, text) === Math.min(end - start, text.length);
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
