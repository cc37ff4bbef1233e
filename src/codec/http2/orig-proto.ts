/**
 * `l5d-orig-proto`, by which Linkerd's proxies and ours carry HTTP/1 as HTTP/2: on a request the
 * version that the client spoke, with "; absolute-form" if its target was a whole URI, on a response
 * the version that the application spoke.
 */
import { bytesOf, equals } from "../http1/field-names.ts";
import type { RequestHead } from "../http1/request-head.ts";

const LOWER_1_0 = bytesOf("http/1.0");
const LOWER_1_1 = bytesOf("http/1.1");
const ABSOLUTE = bytesOf("absolute-form");
/** Where "absolute-form" begins, behind the version and "; ". */
const ABSOLUTE_AT = 10;

/** Reads the field that `head.origProtoField` names. What it cannot mean is ignored. */
export function readOrigProto(bytes: Uint8Array, base: number, head: RequestHead): void {
  const start = base + head.fields.valueStart(head.origProtoField);
  const length = base + head.fields.valueEnd(head.origProtoField) - start;
  if (length < LOWER_1_1.length) return;
  if (equals(bytes, start, LOWER_1_1)) head.origVersion = 1;
  else if (equals(bytes, start, LOWER_1_0)) head.origVersion = 0;
  else return;
  head.minorVersion = head.origVersion;
  head.keepsAbsolute =
    length >= ABSOLUTE_AT + ABSOLUTE.length && equals(bytes, start + ABSOLUTE_AT, ABSOLUTE);
}
