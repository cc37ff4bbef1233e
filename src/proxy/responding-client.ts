/**
 * Writes responses to a client of HTTP/1: heads anew, content with the framing that the client can
 * read, and whether the connection goes on. Small pieces are joined; they leave with `flush`, or at
 * the end of the turn.
 */
import { BodyRelay } from "../codec/http1/body.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import {
  ConnectionChoice,
  RESPONSE_HEAD_GROWTH_BYTES,
  writeResponseHead,
} from "../codec/http1/write-response.ts";
import { appendOrWrite } from "../net/append-or-write.ts";
import { CHUNK_BYTES, FRAMED } from "../net/arena.ts";
import { counterOfAnswer, type ProxyErrorCode } from "./errors.ts";
import { ReadingClient } from "./reading-client.ts";
import { replyToFailure } from "./respond.ts";

export abstract class RespondingClient extends ReadingClient {
  /** The connection can take another request after this one. */
  protected goesOn = true;
  /** Of the request's HTTP/1. */
  protected minorVersion = 1;
  readonly #response = new BodyRelay();
  /** The last response is written, and the connection ends with it. */
  #isOver = false;

  get isBlocked(): boolean {
    return this.queuedBytes > 0;
  }

  protected override get defersFlush(): boolean {
    return true;
  }

  /** What ends the connection is left to whoever closes it, to leave in one packet with the FIN. */
  override flush(): void {
    if (!this.#isOver) super.flush();
  }

  writeInterim(head: ResponseHead, base: number): void {
    this.#writeHead(head, base, BodyKind.none, ConnectionChoice.silent);
  }

  writeHead(head: ResponseHead, base: number, isEnd: boolean): void {
    const isV1 = this.minorVersion === 1;
    let to: BodyKind = isV1 ? BodyKind.chunked : BodyKind.untilClose;
    if (isEnd) to = BodyKind.none;
    else if (head.framing.contentLength !== -1) to = BodyKind.length;
    this.goesOn &&= to !== BodyKind.untilClose && !this.isLeaving;
    let choice: ConnectionChoice = ConnectionChoice.silent;
    if (!this.goesOn) choice = ConnectionChoice.close;
    else if (!isV1) choice = ConnectionChoice.keepAlive;
    this.#response.start(isEnd ? BodyKind.none : BodyKind.stream, to, head.framing.contentLength);
    this.#writeHead(head, base, to, choice);
  }

  #writeHead(head: ResponseHead, base: number, to: BodyKind, choice: ConnectionChoice): void {
    const at = this.output.reserve(Math.min(CHUNK_BYTES, head.end + RESPONSE_HEAD_GROWTH_BYTES));
    this.output.commit(writeResponseHead(this.io.arena.bytes, base, head, to, choice, at));
  }

  writeContent(start: number, end: number, isLast: boolean): void {
    if (end > start) {
      const response = this.#response;
      response.relay(this.io.arena.bytes, start, end, FRAMED);
      appendOrWrite(this, response.outStart, response.outEnd);
    }
    if (isLast) this.endContent(0, 0);
  }

  endContent(start: number, end: number): void {
    this.#response.finish(this.io.arena.bytes, FRAMED, start, end);
    this.append(this.#response.outStart, this.#response.outEnd);
    this.#isOver = !this.goesOn;
  }

  writeSwitch(head: ResponseHead, base: number, end: number): void {
    this.#writeHead(head, base, BodyKind.none, ConnectionChoice.upgrade);
    this.append(base + head.end, end);
    this.flush();
  }

  /** Writes a proxy-made response; returns its status. */
  replyFailure(code: ProxyErrorCode, isRequestRead: boolean): number {
    this.goesOn &&= isRequestRead && !this.isLeaving;
    const reply = replyToFailure(code, "", !this.goesOn);
    // Failed connects are counted one by one, where they fail.
    this.context.count(counterOfAnswer(code));
    this.writeText(reply.text);
    return reply.status;
  }
}
