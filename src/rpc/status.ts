/**
 * How a gRPC call ends: its status codes, and what the codes of HTTP and HTTP/2 mean as one.
 * https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, http-grpc-status-mapping.md and
 * PROTOCOL-HTTP2.md ("Errors").
 */
import { ErrorCode } from "../codec/http2/error-code.ts";

export const Status = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Status).map(([name, number]) => [number, name]),
);

/** Returns the status of a number, or null: there is no such status. */
export function statusOf(number: number): Status | null {
  return NAMES.has(number) ? (number as Status) : null;
}

/** Text fields that travel with a call; names in lower case, values printable ASCII. */
export type Metadata = readonly (readonly [name: string, value: string])[];

/** A call that failed. A handler that throws one says what the client is told. */
export class RpcError extends Error {
  readonly status: Status;
  /** What the peer sent along, or is to be sent along, in the trailers. */
  readonly metadata: Metadata;

  constructor(status: Status, text: string, metadata: Metadata = []) {
    super(text);
    this.name = "RpcError";
    this.status = status;
    this.metadata = metadata;
  }

  /** The status by name: `unavailable`. */
  get statusName(): string {
    return NAMES.get(this.status) ?? String(this.status);
  }
}

/** What a response means that is no gRPC response, by its HTTP status. */
export function statusOfHttp(http: number): Status {
  switch (http) {
    case 400:
      return Status.internal;
    case 401:
      return Status.unauthenticated;
    case 403:
      return Status.permissionDenied;
    case 404:
      return Status.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Status.unavailable;
    default:
      return Status.unknown;
  }
}

/** What it means that the peer has reset the call's stream with an ErrorCode. */
export function statusOfReset(code: number): Status {
  switch (code) {
    case ErrorCode.refusedStream:
      return Status.unavailable;
    case ErrorCode.cancel:
      return Status.cancelled;
    case ErrorCode.enhanceYourCalm:
      return Status.resourceExhausted;
    case ErrorCode.inadequateSecurity:
      return Status.permissionDenied;
    default:
      return Status.internal;
  }
}
