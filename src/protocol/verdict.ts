/** What a look at a connection's first bytes can come to. */
import type { Protocol } from "../mesh/protocol.ts";

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
export const HTTP1_REQUEST_LINE = verdict("http1", "request-line");
export const HTTP1_UNFINISHED = verdict("http1", "unfinished");
export const HTTP1_TOO_LONG = verdict("http1", "too-long");
export const HTTP2_PREFACE = verdict("http2", "preface");
export const HTTP2_UNFINISHED = verdict("http2", "unfinished");
export const TLS_WITHOUT_NAMES = verdict("tls", "client-hello");
export const TLS_UNFINISHED = verdict("tls", "unfinished");
export const OPAQUE_NOT_RECOGNISED = verdict("opaque", "not-recognised");
export const OPAQUE_UNFINISHED = verdict("opaque", "unfinished");
export const OPAQUE_TOO_LONG = verdict("opaque", "too-long");
export const OPAQUE_MALFORMED_LINE = verdict("opaque", "malformed-request-line");
export const OPAQUE_MALFORMED_HELLO = verdict("opaque", "malformed-hello");
export const OPAQUE_TIMEOUT = verdict("opaque", "timeout");

function verdict(protocol: Protocol, reason: DetectReason): Decided {
  return Object.freeze({ kind: "decided", protocol, sni: null, alpn: NO_ALPN, reason });
}
