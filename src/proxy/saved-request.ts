/**
 * A request kept until its response begins, so that it can be sent once more: on another endpoint
 * when connecting failed, or when the endpoint says that it has not looked at it. Its head's text
 * lies in a slab of the arena, its content behind it or in a chunk of its own, as far as it is
 * little, and its trailers beside them.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import { type Arena, CHUNK_BYTES, NONE, OUTPUT, SLAB_BYTES } from "../net/arena.ts";
import type { Context } from "./context.ts";
import type { Responder } from "./sides.ts";

/** Content that is kept after it was sent. More of it, and the request is sent only once. */
export const REPLAYED_BYTES_MAX = 16_384;

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
    arena.bytes.copyWithin(this.base, base, base + head.end);
    this.#content = this.base + head.end;
    this.#contentEnd = this.#content;
    this.isWhole = true;
    return true;
  }

  /** Keeps content that could not be sent yet, a chunk's at most. False: no memory. */
  append(start: number, end: number): boolean {
    if (!this.isWhole) return false;
    const { bytes } = this.#arena;
    const count = end - start;
    if (this.#contentEnd + count > this.#limit && !this.#move(count)) {
      this.#giveUp();
      return false;
    }
    bytes.copyWithin(this.#contentEnd, start, end);
    this.#contentEnd += count;
    return true;
  }

  get #limit(): number {
    if (this.#contentChunk !== NONE) return this.#contentChunk + CHUNK_BYTES;
    return this.base + (this.#isLong ? CHUNK_BYTES : SLAB_BYTES);
  }

  /** Moves the content to a chunk of its own, with room for `count` bytes more. */
  #move(count: number): boolean {
    const length = this.contentBytes;
    if (this.#contentChunk !== NONE || length + count > CHUNK_BYTES) return false;
    const chunk = this.#arena.allocate();
    if (chunk === NONE) return false;
    this.#arena.bytes.copyWithin(chunk, this.#content, this.#contentEnd);
    this.#contentChunk = chunk;
    this.#content = chunk;
    this.#contentEnd = chunk + length;
    return true;
  }

  /** Keeps content that is sent, if it is little. */
  appendSent(start: number, end: number): void {
    if (!this.isWhole || end === start) return;
    if (this.contentBytes + end - start > REPLAYED_BYTES_MAX) this.#giveUp();
    else this.append(start, end);
  }

  /** Keeps trailer lines, `bytes[start, end)` of the arena. */
  appendTrailers(start: number, end: number): void {
    if (this.isWhole && end > start) this.#trailers = this.#arena.bytes.slice(start, end);
  }

  get contentBytes(): number {
    return this.isWhole ? this.#contentEnd - this.#content : 0;
  }

  /** Sends all that came so far; `isDone`: nothing more will. */
  sendTo(upstream: Responder, head: RequestHead, isDone: boolean): void {
    const trailers = this.#trailers;
    const isEmpty = this.contentBytes === 0;
    const isLast = isDone && trailers === null;
    upstream.sendHead(head, this.base, isEmpty && isLast);
    if (!isEmpty) upstream.sendContent(this.#content, this.#contentEnd, isLast);
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
    this.#trailers = null;
    this.isWhole = false;
  }
}
