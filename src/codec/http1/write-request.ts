/**
 * The request that goes to the endpoint, built from a parsed head: never the client's bytes as they
 * came. Framing, Connection and Upgrade are ours; Host is the authority that was routed on
 * (RFC 9112 §3.2.2), at the place where the client had it.
 */

import { copyWithin } from "../../lib/viewed-bytes.ts";
import { CR, LF, SLASH, SP, STAR } from "./chars.ts";
import { bytesOf, Field } from "./field-names.ts";
import { framingFieldOf } from "./framing-field.ts";
import { Method } from "./method.ts";
import type { RequestHead } from "./request-head.ts";
import { put, putNumber, writeFields } from "./write-fields.ts";

const HTTP_SCHEME = bytesOf("http://");
const HTTP_1_1 = bytesOf(" HTTP/1.1\r\n");
const HTTP_1_0 = bytesOf(" HTTP/1.0\r\n");
const HOST = bytesOf("Host: ");
const CONTENT_LENGTH = bytesOf("Content-Length: ");
const CHUNKED = bytesOf("Transfer-Encoding: chunked\r\n");
const CLOSE = bytesOf("Connection: close\r\n");
const UPGRADE = bytesOf("Connection: Upgrade\r\n");
const TE_TRAILERS = bytesOf("TE: trailers\r\nConnection: TE\r\n");

/** Bytes that a rebuilt head may have more than the parsed one: our framing and Connection lines. */
export const REQUEST_HEAD_GROWTH_BYTES = 512;

/** Bytes that a head takes at most when it is written. */
export function writtenBytesMax(head: RequestHead): number {
  return head.end + REQUEST_HEAD_GROWTH_BYTES + (head.clientId?.line.length ?? 0);
}

/**
 * Writes the head to `bytes[out, …)` and returns where it ends. A client's HTTP/1.0 stays 1.0, with
 * Connection: close, so that the backend answers in a way that the client can read.
 */
export function writeRequestHead(
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  out: number,
): number {
  let to = copyWithin(bytes, base + head.methodStart, base + head.methodEnd, out);
  bytes[to++] = SP;
  to = writeTarget(bytes, base, head, to);
  to = put(bytes, to, head.minorVersion === 1 ? HTTP_1_1 : HTTP_1_0);
  const { fields, framing, hostField } = head;
  const hasLength = !framing.isChunked && framing.contentLength !== -1;
  const framed = framingFieldOf(bytes, base, fields, framing, framing.isChunked, hasLength);
  if (hostField === -1 && head.authorityEnd > head.authorityStart) {
    to = writeHost(bytes, base, head, to);
  }
  if (head.rewritesHost && hostField !== -1) {
    to = writeFields(bytes, base, fields, to, isEndToEnd, head, framed, 0, hostField);
    to = writeHost(bytes, base, head, to);
    to = writeFields(bytes, base, fields, to, isEndToEnd, head, framed, hostField + 1);
  } else {
    to = writeFields(bytes, base, fields, to, isEndToEnd, head, framed);
  }
  if (framed === -1 && framing.isChunked) {
    to = put(bytes, to, CHUNKED);
  } else if (framed === -1 && hasLength) {
    to = putNumber(bytes, put(bytes, to, CONTENT_LENGTH), framing.contentLength);
    bytes[to++] = CR;
    bytes[to++] = LF;
  }
  if (head.clientId !== null) to = put(bytes, to, head.clientId.line);
  if (head.wantsUpgrade) to = put(bytes, to, UPGRADE);
  else if (head.minorVersion === 0) to = put(bytes, to, CLOSE);
  else if (head.acceptsTrailers) to = put(bytes, to, TE_TRAILERS);
  bytes[to++] = CR;
  bytes[to++] = LF;
  return to;
}

/** An absolute-form target without a path becomes "/", or "*" for OPTIONS (RFC 9112 §3.2.4). */
function writeTarget(bytes: Uint8Array, base: number, head: RequestHead, out: number): number {
  let to = out;
  if (head.keepsAbsolute) {
    to = put(bytes, to, HTTP_SCHEME);
    to = copyWithin(bytes, base + head.authorityStart, base + head.authorityEnd, to);
  } else if (head.targetEnd === head.targetStart) {
    bytes[to++] = head.method === Method.options ? STAR : SLASH;
  }
  return copyWithin(bytes, base + head.targetStart, base + head.targetEnd, to);
}

function writeHost(bytes: Uint8Array, base: number, head: RequestHead, out: number): number {
  let to = put(bytes, out, HOST);
  to = copyWithin(bytes, base + head.authorityStart, base + head.authorityEnd, to);
  bytes[to++] = CR;
  bytes[to++] = LF;
  return to;
}

function isEndToEnd(id: number, head: RequestHead): boolean {
  switch (id) {
    case Field.other:
    case Field.host:
    case Field.trailer:
    case Field.cookie:
    case Field.secret:
    case Field.contentType:
      return true;
    case Field.expect:
      return head.expectsContinue;
    case Field.upgrade:
      return head.wantsUpgrade;
    default:
      return false;
  }
}
