/**
 * What a connection speaks, decided from its first bytes and nothing else: no port, no clock, no
 * state between two calls. HTTP/2 by its preface (RFC 9113 §3.4), TLS by a whole ClientHello, HTTP/1
 * by its request line (RFC 9112 §3); the rest is opaque.
 */
import { parseClientHello } from "../codec/tls/client-hello.ts";
import { CONTENT_TYPE_HANDSHAKE, RECORD_HEADER_BYTES } from "../codec/tls/record.ts";
import { ascii, commonBytes } from "./bytes.ts";
import { detectHttp1 } from "./detect-http1.ts";
import type { Verdict } from "./verdict.ts";
import * as verdicts from "./verdict.ts";

/** RFC 9113 §3.4. */
const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The part of the preface that a request line of HTTP/1 could be: "PRI * HTTP/2.0". */
const PREFACE_LINE_BYTES = 14;

const LETTER_P = 0x50;

/**
 * Decides the protocol of the connection whose first bytes are `bytes[start, end)`, a range that
 * must lie within `bytes`. `isFinal` says that no more will come in time: the deadline has passed or
 * the peer has sent FIN; then the answer is never `incomplete`. Otherwise `needBytes` is the least
 * count of bytes, from `start`, with which another call can tell more. Never throws.
 *
 * Results without names are shared and frozen: compare and read them, do not keep notes in them.
 */
export function detect(bytes: Uint8Array, start: number, end: number, isFinal: boolean): Verdict {
  if (start === end)
    return isFinal ? verdicts.OPAQUE_TIMEOUT : { kind: "incomplete", needBytes: 1 };
  const first = bytes[start];
  if (first === CONTENT_TYPE_HANDSHAKE) return detectTls(bytes, start, end, isFinal);
  if (first === LETTER_P) {
    const same = commonBytes(bytes, start, end, PREFACE);
    if (same === PREFACE.length) return verdicts.HTTP2_PREFACE;
    if (same === end - start) {
      if (!isFinal) return { kind: "incomplete", needBytes: same + 1 };
      if (same > PREFACE_LINE_BYTES) return verdicts.HTTP2_UNFINISHED;
    }
  }
  return detectHttp1(bytes, start, end, isFinal);
}

function detectTls(bytes: Uint8Array, start: number, end: number, isFinal: boolean): Verdict {
  const hello = parseClientHello(bytes, start, end);
  switch (hello.kind) {
    case "hello": {
      const { sni, alpn } = hello;
      if (sni === null && alpn.length === 0) return verdicts.TLS_WITHOUT_NAMES;
      return { kind: "decided", protocol: "tls", sni, alpn, reason: "client-hello" };
    }
    case "incomplete":
      if (!isFinal) return hello;
      return hasHelloType(bytes, start, end) ? verdicts.TLS_UNFINISHED : verdicts.OPAQUE_UNFINISHED;
    case "not-tls":
      return isWrongRecord(bytes, start, end) || !hasHelloType(bytes, start, end)
        ? verdicts.OPAQUE_NOT_RECOGNISED
        : verdicts.OPAQUE_MALFORMED_HELLO;
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
