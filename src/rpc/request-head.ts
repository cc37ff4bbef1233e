/** The head of a gRPC request, as the HTTP/2 client takes it: a RequestHead and its text. */
import { Field } from "../codec/http1/field-names.ts";
import { Method } from "../codec/http1/method.ts";
import { type RequestHead, TargetForm } from "../codec/http1/request-head.ts";
import { sendable } from "./fields.ts";
import type { Metadata } from "./status.ts";
import { formatTimeout } from "./timeout.ts";

export type CallTarget = {
  readonly authority: string;
  readonly isTls: boolean;
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly metadata: Metadata;
  readonly timeoutMs: number | null;
};

/** Kept out of every table of HPACK (RFC 7541 §7.1.3). */
const SECRETS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Fills `head`, whose text is written to `bytes` from `base` on, and returns it. */
export function writeRequest(
  head: RequestHead,
  bytes: Uint8Array,
  base: number,
  { authority, isTls, method, metadata, timeoutMs }: CallTarget,
): RequestHead {
  let at = 0;
  const put = (text: string): number => {
    const start = at;
    for (let i = 0; i < text.length; i++) bytes[base + at++] = text.charCodeAt(i);
    return start;
  };
  const add = (id: number, name: string, value: string): void => {
    const nameStart = put(name);
    const valueStart = put(value);
    head.fields.add(id, nameStart, valueStart, valueStart, at);
  };
  head.reset();
  head.fields.reset(0);
  head.method = Method.post;
  head.form = TargetForm.origin;
  head.isHttps = isTls;
  head.acceptsTrailers = true;
  head.framing.contentLength = -1;
  head.targetStart = put(method);
  head.targetEnd = at;
  head.authorityStart = put(authority);
  head.authorityEnd = at;
  add(Field.contentType, "content-type", "application/grpc");
  add(Field.other, "grpc-accept-encoding", "identity");
  add(Field.other, "user-agent", "outrigger");
  if (timeoutMs !== null) add(Field.other, "grpc-timeout", formatTimeout(timeoutMs));
  for (const [name, value] of sendable(metadata)) {
    add(SECRETS.has(name) ? Field.secret : Field.other, name, value);
  }
  head.end = at;
  return head;
}
