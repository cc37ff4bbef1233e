/** Header blocks of heads that may be the same as the one before on the connection; see sent-block.ts. */
import type { HpackEncoder } from "../hpack/encoder.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { HeadTraits, type SentBlock } from "./sent-block.ts";
import { encodeRequestHead, encodeResponseHead } from "./write-head.ts";

/** Each use fills all that it compares. */
const requestTraits = new HeadTraits();
const responseTraits = new HeadTraits();

/** As encodeRequestHead, with what is known of the last block. */
export function sendRequestHead(
  sent: SentBlock,
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  head: RequestHead,
  at: number,
  carries: boolean,
): number {
  const { fields } = head;
  const end = base + head.end;
  const { numbers } = requestTraits;
  requestTraits.addition = head.clientId;
  numbers[0] = head.method;
  numbers[1] = head.methodStart;
  numbers[2] = head.methodEnd;
  numbers[3] = head.targetStart;
  numbers[4] = head.targetEnd;
  numbers[5] = head.authorityStart;
  numbers[6] = head.authorityEnd;
  numbers[7] = head.framing.contentLength;
  numbers[8] = head.minorVersion;
  numbers[9] =
    (head.isHttps ? 1 : 0) |
    (head.expectsContinue ? 2 : 0) |
    (head.acceptsTrailers ? 4 : 0) |
    (head.keepsAbsolute ? 8 : 0) |
    (carries ? 16 : 0);
  const known = sent.again(encoder, bytes, base, end, fields, requestTraits, at);
  if (known !== -1) return known;
  const before = encoder.tableChanges;
  const to = encodeRequestHead(encoder, bytes, base, head, bytes, at, carries);
  sent.keep(encoder, before, bytes, base, end, fields, requestTraits, at, to);
  return to;
}

/** As encodeResponseHead, with what is known of the last block. */
export function sendResponseHead(
  sent: SentBlock,
  encoder: HpackEncoder,
  bytes: Uint8Array,
  base: number,
  head: ResponseHead,
  at: number,
  origMinor: number,
): number {
  const { fields } = head;
  const end = base + head.end;
  const { numbers } = responseTraits;
  numbers[0] = head.status;
  numbers[1] = head.framing.contentLength;
  numbers[2] = origMinor;
  const known = sent.again(encoder, bytes, base, end, fields, responseTraits, at);
  if (known !== -1) return known;
  const before = encoder.tableChanges;
  const to = encodeResponseHead(encoder, bytes, base, head, bytes, at, origMinor);
  sent.keep(encoder, before, bytes, base, end, fields, responseTraits, at, to);
  return to;
}
