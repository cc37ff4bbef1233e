/** What must be known of a request when its head is gone: how to read its response, and its rights. */
import { isIdempotent, Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { REPLAYED_BYTES_MAX } from "./saved-request.ts";

export class RequestTraits {
  /** Its response has no content. */
  isHead = false;
  minorVersion = 1;
  expectsContinue = false;
  wantsUpgrade = false;
  /** Sent twice it does what it does once. */
  isIdempotent = false;
  /** … and it will be whole when it has to be. */
  isRepeatable = false;
  /** It came as HTTP/2, but is HTTP/1 that a sidecar carries. */
  isCarried = false;
  /** What came of it is told by a code and not by the status. */
  isGrpc = false;

  read(head: RequestHead): void {
    this.isHead = head.method === Method.head;
    this.minorVersion = head.minorVersion;
    this.expectsContinue = head.expectsContinue;
    this.wantsUpgrade = head.wantsUpgrade;
    this.isIdempotent = isIdempotent(head.method);
    const { contentLength, isChunked } = head.framing;
    this.isRepeatable = this.isIdempotent && !isChunked && contentLength <= REPLAYED_BYTES_MAX;
    this.isCarried = head.origVersion !== -1;
    this.isGrpc = head.isGrpc;
  }
}
