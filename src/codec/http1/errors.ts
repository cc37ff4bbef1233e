/** What can be wrong with an HTTP/1 message, and the status each earns a client. */

/** Closed: these are also metric labels. */
export type Http1Error =
  | "bad-line-end"
  | "bad-request-line"
  | "bad-method"
  | "bad-target"
  | "bad-version"
  | "bad-status-line"
  | "bad-field-name"
  | "bad-field-value"
  | "bad-host"
  | "bad-content-length"
  | "bad-transfer-encoding"
  | "bad-framing"
  | "bad-connection"
  | "bad-upgrade"
  | "bad-chunk"
  | "target-too-long"
  | "head-too-large"
  | "too-many-fields"
  | "version-not-supported"
  | "coding-not-supported"
  | "expectation-failed"
  | "method-not-allowed";

const STATUS: Partial<Record<Http1Error, number>> = {
  "target-too-long": 414,
  "head-too-large": 431,
  "too-many-fields": 431,
  "version-not-supported": 505,
  "coding-not-supported": 501,
  "expectation-failed": 417,
  "method-not-allowed": 405,
};

/** Returns the status for a client that sent such a message; 400 unless a more exact one exists. */
export function statusOf(error: Http1Error): number {
  return STATUS[error] ?? 400;
}
