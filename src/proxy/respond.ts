/** Responses that the proxy makes itself. Off the hot path, so plain text is good enough. */
import { type Http1Error, statusOf } from "../codec/http1/errors.ts";
import { reasonOf } from "../codec/http1/reasons.ts";
import { PROXY_ERRORS, type ProxyErrorCode, proxyStatus } from "./errors.ts";

export type Reply = { readonly status: number; readonly text: string };

/** The answer to a request that cannot be read; the connection closes after it. */
export function replyToBadRequest(error: Http1Error): Reply {
  return reply(statusOf(error), "http_request_error", `bad request: ${error}`, true, "");
}

/** The answer to a request that cannot be served (RFC 9209 Proxy-Status, l5d-proxy-error). */
export function replyToFailure(code: ProxyErrorCode, detail: string, closes: boolean): Reply {
  const { status, type, text } = PROXY_ERRORS[code];
  return reply(status, type, detail === "" ? text : `${text}: ${detail}`, closes, "");
}

/** CONNECT where it is not offered. */
export function replyMethodNotAllowed(): Reply {
  const allow = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";
  return reply(405, "http_request_denied", "method not allowed here", true, allow);
}

function reply(status: number, type: string, text: string, closes: boolean, extra: string): Reply {
  const quoted = text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "'");
  return {
    status,
    text:
      `HTTP/1.1 ${status} ${reasonOf(status)}\r\n` +
      `Content-Length: 0\r\n${extra}` +
      `Proxy-Status: ${proxyStatus(type, quoted)}\r\n` +
      `l5d-proxy-error: ${quoted}\r\n${closes ? "Connection: close\r\n" : ""}\r\n`,
  };
}
