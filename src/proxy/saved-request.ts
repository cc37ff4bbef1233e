/**
 * A request kept until its response begins, so that it can be sent once more: on another endpoint
 * when connecting failed, or when the endpoint says that it has not looked at it. Its head's text
 * lies in a slab of the arena, its content behind it or in a chunk of its own, as far as it is
 * little, and its trailers beside them. A second chunk takes what comes while there is no endpoint:
 * a window of HTTP/2 may be on its way although a chunk is full of what was sent before.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { copyWithin } from "../lib/viewed-bytes.ts";
import { type Arena, CHUNK_BYTES, NONE, OUTPUT, SLAB_BYTES } from "../net/arena.ts";
import type { Context } from "./context.ts";
import type { Responder } from "./sides.ts";

/**
 * Content that is kept after it was sent (Linkerd's). More of it, and the request is sent only once.
 * While memory is scarce that is so with any content that needs a chunk.
 */
export const REPLAYED_BYTES_MAX = 65_536;

export class SavedRequest {
  /** Owned from `save` to `clear`. */
  head: RequestHead | null = null;
  /** Where the head's text is. */
  base = NONE;
  /** All that came of the request so far is here. */
  isWhole = false;
  readonly #context: Context;
  readonly #arena: Arena;
  /** The text lies in a chunk, for it is too long for a slab. */
  #isLong = false;
  #content = 0;
  #contentEnd = 0;
  #contentChunk = NONE;
  /** What the content's own chunk has no room for. */
  #moreChunk = NONE;
  #moreBytes = 0;
  #trailers: Uint8Array | null = null;

  constructor(context: Context) {
    this.#context = context;
    this.#arena = context.io.arena;
  }

  /** Keeps a head, whose text is in the arena at `base`. False: no memory. */
  save(head: RequestHead, base: number): boolean {
    const arena = this.#arena;
    this.head = head;
    this.#isLong = head.end > SLAB_BYTES;
    this.base = this.#isLong ? arena.allocate() : arena.allocateSlab();
    if (this.base === NONE) return false;
    copyWithin(arena.bytes, base, base + head.end, this.base);
    this.#content = this.base + head.end;
    this.#contentEnd = this.#content;
    this.isWhole = true;
    return true;
  }

  /** Keeps content that could not be sent yet, a chunk's at most. False: no memory. */
  append(start: number, end: number): boolean {
    if (!this.isWhole) return false;
    const isEnough = this.#contentEnd + end - start <= this.#limit || this.#contentChunk !== NONE;
    if ((isEnough || this.#move()) && this.#put(start, end)) return true;
    this.#giveUp();
    return false;
  }

  #put(start: number, end: number): boolean {
    const first = Math.min(end - start, this.#limit - this.#contentEnd);
    const rest = end - start - first;
    this.#arena.bytes.copyWithin(this.#contentEnd, start, start + first);
    this.#contentEnd += first;
    if (rest === 0) return true;
    if (this.#moreChunk === NONE) this.#moreChunk = this.#arena.allocate();
    if (this.#moreChunk === NONE || this.#moreBytes + rest > CHUNK_BYTES) return false;
    this.#arena.bytes.copyWithin(this.#moreChunk + this.#moreBytes, start + first, end);
    this.#moreBytes += rest;
    return true;
  }

  get #limit(): number {
    if (this.#contentChunk !== NONE) return this.#contentChunk + CHUNK_BYTES;
    return this.base + (this.#isLong ? CHUNK_BYTES : SLAB_BYTES);
  }

  /** Moves the content to a chunk of its own. */
  #move(): boolean {
    const chunk = this.#arena.allocate();
    if (chunk === NONE) return false;
    const length = this.#contentEnd - this.#content;
    this.#arena.bytes.copyWithin(chunk, this.#content, this.#contentEnd);
    this.#contentChunk = chunk;
    this.#content = chunk;
    this.#contentEnd = chunk + length;
    return true;
  }

  /** Keeps content that is sent, if it is little. */
  appendSent(start: number, end: number): void {
    if (!this.isWhole || end === start) return;
    const needsChunk = this.#contentChunk === NONE && this.#contentEnd + end - start > this.#limit;
    const isTooMuch = this.contentBytes + end - start > REPLAYED_BYTES_MAX;
    if (isTooMuch || (needsChunk && this.#arena.isScarce)) this.#giveUp();
    else this.append(start, end);
  }

  /** Keeps trailer lines, `bytes[start, end)` of the arena. */
  appendTrailers(start: number, end: number): void {
    if (this.isWhole && end > start) this.#trailers = this.#arena.bytes.slice(start, end);
  }

  get contentBytes(): number {
    return this.isWhole ? this.#contentEnd - this.#content + this.#moreBytes : 0;
  }

  /** Sends all that came so far; `isDone`: nothing more will. */
  sendTo(upstream: Responder, head: RequestHead, isDone: boolean): void {
    const trailers = this.#trailers;
    const isEmpty = this.contentBytes === 0;
    const isLast = isDone && trailers === null;
    upstream.sendHead(head, this.base, isEmpty && isLast);
    if (!isEmpty) {
      const hasMore = this.#moreBytes > 0;
      upstream.sendContent(this.#content, this.#contentEnd, isLast && !hasMore);
      const more = this.#moreChunk;
      // What there is of it is cleared when the first part could not be taken.
      if (more !== NONE) upstream.sendContent(more, more + this.#moreBytes, isLast);
    }
    if (trailers !== null) {
      this.#arena.bytes.set(trailers, OUTPUT);
      upstream.endContent(OUTPUT, OUTPUT + trailers.length);
    }
    if (this.contentBytes > REPLAYED_BYTES_MAX) this.#giveUp();
  }

  /** The request will not be sent again. */
  clear(): void {
    this.#giveUp();
    if (this.base !== NONE) {
      if (this.#isLong) this.#arena.free(this.base);
      else this.#arena.freeSlab(this.base);
    }
    this.base = NONE;
    if (this.head !== null) this.#context.returnRequestHead(this.head);
    this.head = null;
  }

  #giveUp(): void {
    if (this.#contentChunk !== NONE) this.#arena.free(this.#contentChunk);
    this.#contentChunk = NONE;
    if (this.#moreChunk !== NONE) this.#arena.free(this.#moreChunk);
    this.#moreChunk = NONE;
    this.#moreBytes = 0;
    this.#trailers = null;
    this.isWhole = false;
  }
}
