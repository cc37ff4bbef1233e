/**
 * A request kept until its response begins, so that it can be sent once more: on another endpoint
 * when connecting failed, or when the endpoint says that it has not looked at it. Its head's text
 * lies first, then its content as far as that is little, and its trailers beside them.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { DECODED, OUTPUT } from "../net/arena.ts";
import { KeptData } from "../protocol/http2/kept-data.ts";
import type { Context } from "./context.ts";
import type { Responder } from "./sides.ts";

/** Content that is kept after it was sent. More of it, and the request is sent only once. */
export const REPLAYED_BYTES_MAX = 16_384;

export class SavedRequest {
  /** Owned from `save` to `clear`. */
  head: RequestHead | null = null;
  /** All that came of the request so far is here. */
  isWhole = false;
  readonly #context: Context;
  readonly #data: KeptData;
  #trailers: Uint8Array | null = null;
  #textBytes = 0;
  /** Where the head's text is, while it still is where it was parsed; else -1. */
  #liveBase = -1;
  #liveStamp = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#data = new KeptData(context.keptBudget);
  }

  /** Keeps a head, whose text is in the arena at `base`. False: no memory. */
  save(head: RequestHead, base: number): boolean {
    this.head = head;
    this.#textBytes = head.end;
    this.isWhole = this.#data.append(this.#bytes, base, base + head.end);
    return this.isWhole;
  }

  /** The text that `save` was given is where it was, until `base` is -1. */
  setLive(base: number): void {
    this.#liveBase = base;
    this.#liveStamp = this.#context.decodedStamp;
  }

  /** Keeps content that could not be sent yet. False: no memory. */
  append(start: number, end: number): boolean {
    if (this.isWhole) this.isWhole = this.#data.append(this.#bytes, start, end);
    return this.isWhole;
  }

  /** Keeps content that is sent, if it is little. */
  appendSent(start: number, end: number): void {
    if (!this.isWhole || end === start) return;
    if (this.contentBytes + end - start > REPLAYED_BYTES_MAX) this.#giveUp();
    else this.append(start, end);
  }

  /** Keeps trailer lines, `bytes[start, end)` of the arena. */
  appendTrailers(start: number, end: number): void {
    if (this.isWhole && end > start) this.#trailers = this.#bytes.slice(start, end);
  }

  get contentBytes(): number {
    return this.isWhole ? this.#data.length - this.#textBytes : 0;
  }

  /** Copies the text to where it can be used; returns where that is. */
  takeOut(): number {
    this.#context.decodedStamp++;
    this.#data.copyTo(this.#bytes, DECODED);
    return DECODED;
  }

  /**
   * Sends all that came so far; `isDone`: nothing more will. Returns whether the client may wait for
   * that. What is live is only a head, whose content may come at once: it is not flushed.
   */
  sendTo(upstream: Responder, head: RequestHead, isDone: boolean): boolean {
    if (this.#liveBase !== -1 && this.#liveStamp === this.#context.decodedStamp) {
      upstream.sendHead(head, this.#liveBase, isDone);
      return false;
    }
    const content = this.takeOut() + this.#textBytes;
    const end = content + this.contentBytes;
    const trailers = this.#trailers;
    const isLast = isDone && trailers === null;
    upstream.sendHead(head, DECODED, content === end && isLast);
    if (content < end) upstream.sendContent(content, end, isLast);
    if (trailers !== null) {
      this.#bytes.set(trailers, OUTPUT);
      upstream.endContent(OUTPUT, OUTPUT + trailers.length);
    }
    if (end - content > REPLAYED_BYTES_MAX) this.#giveUp();
    upstream.flush();
    return true;
  }

  /** The request will not be sent again. */
  clear(): void {
    this.#giveUp();
    if (this.head !== null) this.#context.returnRequestHead(this.head);
    this.head = null;
  }

  #giveUp(): void {
    this.#data.clear();
    this.#trailers = null;
    this.isWhole = false;
  }

  get #bytes(): Uint8Array {
    return this.#context.io.arena.bytes;
  }
}
