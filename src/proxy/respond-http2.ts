/**
 * Responses that the proxy makes itself, as fields for HPACK. To gRPC an error is a response of
 * status 200 whose only block says what went wrong (linkerd2-proxy's mapping of statuses to codes).
 */
import { type HpackEncoder, Indexing } from "../codec/hpack/encoder.ts";
import { bytesOf } from "../codec/http1/field-names.ts";
import { blockBytesMax } from "../codec/http2/write-head.ts";
import { PROXY_ERRORS, type ProxyErrorCode, proxyStatus } from "./errors.ts";

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const Grpc = {
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  aborted: 10,
  internal: 13,
  unavailable: 14,
};

const GRPC_OF_STATUS: Readonly<Record<number, number>> = {
  403: Grpc.permissionDenied,
  404: Grpc.notFound,
  408: Grpc.deadlineExceeded,
  502: Grpc.unavailable,
  503: Grpc.unavailable,
  504: Grpc.deadlineExceeded,
  508: Grpc.aborted,
};

/** A whole header block of constant fields. */
export class ReplyFields {
  readonly #bytes: Uint8Array;
  /** Name's start, value's start and value's end of each field. */
  readonly #offsets: readonly (readonly [number, number, number])[];

  constructor(fields: readonly (readonly [name: string, value: string])[]) {
    this.#bytes = bytesOf(fields.map(([name, value]) => name + value).join(""));
    let at = 0;
    this.#offsets = fields.map(([name, value]) => {
      const start = at;
      at += name.length + value.length;
      return [start, start + name.length, at] as const;
    });
  }

  /** What `encode` writes at most. */
  get bytesMax(): number {
    return blockBytesMax(this.#bytes.length, this.#offsets.length);
  }

  encode(encoder: HpackEncoder, out: Uint8Array, at: number): number {
    let to = encoder.begin(out, at);
    const bytes = this.#bytes;
    for (const [name, value, end] of this.#offsets) {
      to = encoder.field(out, to, bytes, name, value, value, end, Indexing.without);
    }
    return to;
  }
}

/** The answer to a request that cannot be served (RFC 9209 Proxy-Status, l5d-proxy-error). */
export function failureFields(code: ProxyErrorCode, isGrpc: boolean): ReplyFields {
  const { status, type, text } = PROXY_ERRORS[code];
  const why: [string, string][] = [
    ["content-length", "0"],
    ["proxy-status", proxyStatus(type, text)],
    ["l5d-proxy-error", text],
  ];
  if (!isGrpc) return new ReplyFields([[":status", String(status)], ...why]);
  return new ReplyFields([
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["grpc-status", String(grpcOf(status))],
    ["grpc-message", text],
    ...why,
  ]);
}

/** The answer to a request that is well-formed but not to be served; `error` is a closed set. */
export function badRequestFields(status: number, error: string): ReplyFields {
  const text = `bad request: ${error}`;
  return new ReplyFields([
    [":status", String(status)],
    ["content-length", "0"],
    ["proxy-status", proxyStatus("http_request_error", text)],
    ["l5d-proxy-error", text],
  ]);
}

/** Lines of a trailer section that tell gRPC that a response broke off. */
export function trailersFor(code: ProxyErrorCode): Uint8Array {
  const { status, text } = PROXY_ERRORS[code];
  return bytesOf(`grpc-status: ${grpcOf(status)}\r\ngrpc-message: ${text}\r\n`);
}

function grpcOf(status: number): number {
  return GRPC_OF_STATUS[status] ?? Grpc.internal;
}
