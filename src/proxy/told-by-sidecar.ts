/**
 * What the sidecar before the application tells of it in place of a response. Its word is in a field
 * that applications can write as well: believed, it makes a request go once more that may be repeated
 * anyway, and no more than that.
 */

import { bytesOf } from "../codec/http1/field-names.ts";
import { indexOfField } from "../codec/http1/find-field.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { isConnectFailure, PROXY_ERRORS, type ProxyErrorCode, proxyStatus } from "./errors.ts";
import type { Requester } from "./sides.ts";

const NAME = bytesOf("proxy-status");
const CLOSED = PROXY_ERRORS["backend-closed"];
const VALUE = bytesOf(proxyStatus(CLOSED.type, CLOSED.text));

/** The application's connection broke before a byte of the response, and nobody repeated it. */
export function saysItClosed(bytes: Uint8Array, base: number, head: ResponseHead): boolean {
  if (head.status !== CLOSED.status) return false;
  const { fields } = head;
  const index = indexOfField(bytes, base, fields, NAME);
  if (index === -1) return false;
  const start = base + fields.valueStart(index);
  if (base + fields.valueEnd(index) - start !== VALUE.length) return false;
  for (let i = 0; i < VALUE.length; i++) if (bytes[start + i] !== VALUE[i]) return false;
  return true;
}

/**
 * A sidecar asked, and our application could not be connected to. Told that nobody looked at the
 * request it repeats it elsewhere, whatever the request is, which a status could not say.
 */
export function isUnseen({ isHttp2, origin }: Requester, code: ProxyErrorCode): boolean {
  return isHttp2 && origin.kind === "inbound" && origin.client !== null && isConnectFailure(code);
}
