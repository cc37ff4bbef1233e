/** The response that goes to the client, built from a parsed head; framing and Connection are ours. */

import { copyWithin } from "../../lib/viewed-bytes.ts";
import { CR, LF, SP } from "./chars.ts";
import { bytesOf, Field } from "./field-names.ts";
import { BodyKind } from "./framing.ts";
import { framingFieldOf } from "./framing-field.ts";
import { reasonBytesOf } from "./reasons.ts";
import type { ResponseHead } from "./response-head.ts";
import { put, putNumber, writeFields } from "./write-fields.ts";

const HTTP_1_1 = bytesOf("HTTP/1.1 ");
const CONTENT_LENGTH = bytesOf("Content-Length: ");
const CHUNKED = bytesOf("Transfer-Encoding: chunked\r\n");
const CLOSE = bytesOf("Connection: close\r\n");
const KEEP_ALIVE = bytesOf("Connection: keep-alive\r\n");
const UPGRADE = bytesOf("Connection: Upgrade\r\n");

/** Bytes that a rebuilt head may have more than the parsed one. */
export const RESPONSE_HEAD_GROWTH_BYTES = 512;

export const ConnectionChoice = { silent: 0, close: 1, keepAlive: 2, upgrade: 3 } as const;
export type ConnectionChoice = (typeof ConnectionChoice)[keyof typeof ConnectionChoice];

/**
 * Writes the head to `bytes[out, …)` and returns where it ends. `body` is how the body will be
 * framed towards the client. A length that frames nothing (HEAD, 304) is passed on as it is;
 * interim responses and 204 carry none (RFC 9112 §6.1, RFC 9110 §8.6). Upgrade goes on with
 * ConnectionChoice.upgrade, and in a 426 to say what would do.
 */
export function writeResponseHead(
  bytes: Uint8Array,
  base: number,
  head: ResponseHead,
  body: BodyKind,
  connection: ConnectionChoice,
  out: number,
): number {
  let to = put(bytes, out, HTTP_1_1);
  to = putNumber(bytes, to, head.status);
  bytes[to++] = SP;
  if (head.reasonStart !== -1) {
    to = copyWithin(bytes, base + head.reasonStart, base + head.reasonEnd, to);
  } else to = put(bytes, to, reasonBytesOf(head.status));
  bytes[to++] = CR;
  bytes[to++] = LF;
  const passesUpgrade = connection === ConnectionChoice.upgrade || head.status === 426;
  const { fields, framing } = head;
  const hasNoBody = head.status < 200 || head.status === 204;
  const isChunked = body === BodyKind.chunked;
  const hasLength =
    framing.contentLength !== -1 && !isChunked && !hasNoBody && body !== BodyKind.untilClose;
  const framed = framingFieldOf(bytes, base, fields, framing, isChunked, hasLength);
  to = writeFields(bytes, base, fields, to, isEndToEnd, passesUpgrade, framed);
  if (framed === -1 && isChunked) {
    to = put(bytes, to, CHUNKED);
  } else if (framed === -1 && hasLength) {
    to = putNumber(bytes, put(bytes, to, CONTENT_LENGTH), framing.contentLength);
    bytes[to++] = CR;
    bytes[to++] = LF;
  }
  if (connection === ConnectionChoice.close) to = put(bytes, to, CLOSE);
  else if (connection === ConnectionChoice.keepAlive) to = put(bytes, to, KEEP_ALIVE);
  else if (connection === ConnectionChoice.upgrade) to = put(bytes, to, UPGRADE);
  bytes[to++] = CR;
  bytes[to++] = LF;
  return to;
}

/** `Field.identity` passes: a response's l5d- fields are the backend's own, and say nothing of us. */
function isEndToEnd(id: number, passesUpgrade: boolean): boolean {
  switch (id) {
    case Field.connection:
    case Field.contentLength:
    case Field.transferEncoding:
    case Field.keepAlive:
    case Field.proxyConnection:
    case Field.http2Settings:
    case Field.te:
    case Field.origProto:
    case Field.origCase:
      return false;
    case Field.upgrade:
      return passesUpgrade;
    default:
      return id >= 0;
  }
}
