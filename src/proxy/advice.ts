/**
 * What a response that failed says beside its status: when to come again (Retry-After, and gRPC's
 * pushback), and of gRPC, whose status of HTTP is always 200, what it amounts to. Only responses that
 * are nothing but a head are looked at for that: what comes in trailers behind content has been passed on.
 */
import { pushbackMs } from "../codec/grpc/metadata.ts";
import { bytesOf } from "../codec/http1/field-names.ts";
import { indexOfField } from "../codec/http1/find-field.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import { retryAfterMs } from "../codec/http1/retry-after.ts";
import { grpcCodeOf } from "./grpc-outcome.ts";
import { HELD_MAX_MS, THROTTLED_MAX_MS } from "./limits.ts";

const RETRY_AFTER = bytesOf("retry-after");
const PUSHBACK = bytesOf("grpc-retry-pushback-ms");

const TOO_MANY = 429;
const UNAVAILABLE = 503;

/** Statuses of HTTP for those of gRPC that say that the endpoint is unwell (isFailureCode). */
const AMOUNTS_TO: ReadonlyMap<number, number> = new Map([
  [2, 500],
  [4, 504],
  [8, TOO_MANY],
  [13, 500],
  [14, UNAVAILABLE],
  [15, 500],
]);

export class Advice {
  /** Milliseconds for which the endpoint wants to be left alone, within its bound; 0: it says nothing. */
  waitMs = 0;
  /** The call is not to be tried again, says its server. */
  forbidsRetry = false;
  /** -1: there is none. */
  grpcStatus = -1;

  clear(): void {
    this.waitMs = 0;
    this.forbidsRetry = false;
    this.grpcStatus = -1;
  }

  /** Returns the status that the response amounts to. `isGrpc`: it is gRPC's, and all of it. */
  read(
    bytes: Uint8Array,
    base: number,
    head: ResponseHead,
    isGrpc: boolean,
    nowMs: number,
  ): number {
    this.clear();
    let { status } = head;
    if (isGrpc) status = this.#readGrpc(bytes, base, head);
    if (this.waitMs > 0 || this.forbidsRetry) return status;
    if (status !== TOO_MANY && status !== UNAVAILABLE) return status;
    const after = indexOfField(bytes, base, head.fields, RETRY_AFTER);
    if (after === -1) return status;
    const [start, end] = placeOf(base, head, after);
    this.waitMs = Math.min(retryAfterMs(bytes, start, end, nowMs) ?? 0, mostOf(status));
    return status;
  }

  #readGrpc(bytes: Uint8Array, base: number, head: ResponseHead): number {
    const { fields } = head;
    this.grpcStatus = grpcCodeOf(bytes, base, fields);
    const status = AMOUNTS_TO.get(this.grpcStatus) ?? head.status;
    const pushback = indexOfField(bytes, base, fields, PUSHBACK);
    if (pushback === -1) return status;
    const waitMs = pushbackMs(bytes, ...placeOf(base, head, pushback));
    this.forbidsRetry = waitMs < 0;
    this.waitMs = Math.min(Math.max(0, waitMs), mostOf(status));
    return status;
  }
}

function placeOf(base: number, { fields }: ResponseHead, index: number): [number, number] {
  return [base + fields.valueStart(index), base + fields.valueEnd(index)];
}

function mostOf(status: number): number {
  return status === TOO_MANY ? THROTTLED_MAX_MS : HELD_MAX_MS;
}
