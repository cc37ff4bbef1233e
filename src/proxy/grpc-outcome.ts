/** What a gRPC response says of the endpoint: its code, which comes with the head or in the trailers. */
import { bytesOf } from "../codec/http1/field-names.ts";
import type { FieldSection } from "../codec/http1/field-section.ts";
import { indexOfField } from "../codec/http1/find-field.ts";

const NAME = bytesOf("grpc-status");

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const UNKNOWN = 2;
export const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const DATA_LOSS = 15;

/** Returns the code that the section tells, or -1: it tells none that is one. */
export function grpcCodeOf(bytes: Uint8Array, base: number, fields: FieldSection): number {
  const index = indexOfField(bytes, base, fields, NAME);
  if (index === -1) return -1;
  const start = base + fields.valueStart(index);
  const end = base + fields.valueEnd(index);
  let code = end - start === 1 || end - start === 2 ? 0 : -1;
  for (let at = start; at < end && code !== -1; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    code = digit >= 0 && digit <= 9 ? code * 10 + digit : -1;
  }
  return code;
}

/**
 * Whether a code speaks for ejecting the endpoint: Linkerd's failures but PERMISSION_DENIED, which is about
 * who asked. See errors.ts for why RESOURCE_EXHAUSTED, as 429, is not one.
 */
export function isBadCode(code: number): boolean {
  switch (code) {
    case UNKNOWN:
    case DEADLINE_EXCEEDED:
    case INTERNAL:
    case UNAVAILABLE:
    case DATA_LOSS:
      return true;
    default:
      return false;
  }
}

/** Whether it says that the endpoint is unwell, as `isFailure` of a status. */
export function isFailureCode(code: number): boolean {
  return isBadCode(code) || code === RESOURCE_EXHAUSTED;
}
