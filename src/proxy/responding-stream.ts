/**
 * Writes the response on a stream of a client's HTTP/2: heads and trailers as blocks, content as far
 * as the client's windows allow, the rest kept. What is written to a stream that is over goes nowhere.
 */

import type { ResponseHead } from "../codec/http1/response-head.ts";
import { ErrorCode } from "../codec/http2/error-code.ts";
import { sendResponseHead } from "../codec/http2/send-head.ts";
import { blockBytesMax } from "../codec/http2/write-head.ts";
import { ServerStream } from "../protocol/http2/server.ts";
import type { ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { counterOfAnswer, PROXY_ERRORS, type ProxyErrorCode } from "./errors.ts";
import type { Http2Downstream } from "./http2-downstream.ts";
import { failureFields, type ReplyFields } from "./respond-http2.ts";

export abstract class RespondingStream extends ServerStream {
  readonly isHttp2 = true;
  protected downstream: Http2Downstream;
  readonly context: Context;
  protected isGrpc = false;
  /** The HTTP/1 version that a sidecar carries in this request, or -1. */
  protected origVersion = -1;

  constructor(downstream: Http2Downstream) {
    super();
    this.downstream = downstream;
    this.context = downstream.context;
  }

  get origin(): ClientOrigin {
    return this.downstream.origin;
  }

  get isBlocked(): boolean {
    return this.keptBytes > 0;
  }

  /** A stream that is reset calls its exchange off by itself. */
  get isBroken(): boolean {
    return false;
  }

  writeInterim(head: ResponseHead, base: number): void {
    if (this.isOpen) this.#writeHead(head, base, false);
  }

  writeHead(head: ResponseHead, base: number, isEnd: boolean): void {
    if (this.isOpen) this.#writeHead(head, base, isEnd);
  }

  #writeHead(head: ResponseHead, base: number, isEnd: boolean): void {
    const { frames } = this.downstream;
    this.downstream.tick();
    const orig = this.origVersion === -1 ? -1 : head.minorVersion;
    const at = frames.sender.beginBlock(blockBytesMax(head.end, head.fields.count));
    const { bytes } = this.downstream;
    const end = sendResponseHead(frames.sent, frames.encoder, bytes, base, head, at, orig);
    frames.sender.sendBlock(this, end, isEnd);
  }

  writeContent(start: number, end: number, isLast: boolean): void {
    if (!this.isOpen || this.weEnded) return;
    this.downstream.tick();
    if (!this.downstream.frames.sender.sendData(this, start, end, isLast)) {
      this.context.count("refused_memory");
      this.downstream.frames.resetStream(this, ErrorCode.enhanceYourCalm, false);
    }
  }

  endContent(start: number, end: number): void {
    if (!this.isOpen || this.weEnded) return;
    this.downstream.tick();
    const { sender } = this.downstream.frames;
    if (end === start) sender.sendData(this, 0, 0, true);
    else sender.sendTrailers(this, start, end, this.origVersion !== -1);
  }

  /** The connection flushes by itself at the end of the turn. */
  flush(): void {}

  replyFailure(code: ProxyErrorCode): number {
    const { status } = PROXY_ERRORS[code];
    // Failed connects are counted one by one, where they fail.
    this.context.count(counterOfAnswer(code));
    this.reply(failureFields(code, this.isGrpc));
    return status;
  }

  protected reply(fields: ReplyFields): void {
    if (!this.isOpen || this.weEnded) return;
    this.downstream.tick();
    const { frames } = this.downstream;
    const at = frames.sender.beginBlock(fields.bytesMax);
    const end = fields.encode(frames.encoder, this.downstream.bytes, at);
    frames.sender.sendBlock(this, end, true);
  }
}
