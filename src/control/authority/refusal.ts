/**
 * The answer to who asks for a certificate and does not get one: a status of gRPC and a reason that
 * is ours, constant and short, so that nothing a peer sent comes back or becomes a label.
 */

/** Codes of gRPC (grpc/doc/statuscodes.md), as far as the authority answers with them. */
export const STATUS = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a refusal is counted under. */
export const REFUSAL_KINDS = [
  "malformed-request",
  "bad-signature",
  "wrong-key",
  "foreign-name",
  "foreign-usage",
  "wrong-identity",
  "rate-limited",
  "clock",
  "malformed-token",
  "unknown-token",
  "expired-token",
] as const;
export type RefusalKind = (typeof REFUSAL_KINDS)[number];

const STATUS_OF: Readonly<Record<RefusalKind, number>> = {
  "malformed-request": STATUS.invalidArgument,
  "bad-signature": STATUS.invalidArgument,
  "wrong-key": STATUS.invalidArgument,
  "foreign-name": STATUS.permissionDenied,
  "foreign-usage": STATUS.permissionDenied,
  "wrong-identity": STATUS.permissionDenied,
  "rate-limited": STATUS.resourceExhausted,
  clock: STATUS.unavailable,
  "malformed-token": STATUS.unauthenticated,
  "unknown-token": STATUS.unauthenticated,
  "expired-token": STATUS.unauthenticated,
};

export class Refusal {
  readonly kind: RefusalKind;
  /** A status code of gRPC. */
  readonly status: number;
  /** For the peer and for the audit line. */
  readonly reason: string;

  constructor(kind: RefusalKind, reason: string) {
    this.kind = kind;
    this.status = STATUS_OF[kind];
    this.reason = reason;
  }
}
