/**
 * Carries a body from one framing to another. Bytes in, bytes out, no I/O: lengths are counted,
 * chunks are decoded and coded anew (one chunk per call), a body that lasts until the connection's
 * end becomes chunked, so that a truncated one is seen to be truncated.
 */

import { copyWithin } from "../../lib/viewed-bytes.ts";
import { CR, LF } from "./chars.ts";
import { CHUNK_HEADER_BYTES_MAX, ChunkedDecoder, writeChunkHeader } from "./chunked.ts";
import { bytesOf } from "./field-names.ts";
import { FIELDS_MAX, type FieldSection } from "./field-section.ts";
import { BodyKind } from "./framing.ts";
import { writeTrailers } from "./trailers.ts";
import { put } from "./write-fields.ts";

const LAST_CHUNK = bytesOf("0\r\n");

/**
 * Bytes that `relay` may write more than it reads: a chunk's frame, the last chunk, and a space in
 * each trailer field.
 */
export const BODY_GROWTH_BYTES = CHUNK_HEADER_BYTES_MAX + 2 + 8 + FIELDS_MAX;

export class BodyRelay {
  /** Offset after the last input byte used by the last `relay`. */
  consumed = 0;
  /** Where the output of the last `relay` lies in `bytes`. */
  outStart = 0;
  outEnd = 0;
  isDone = true;
  #from: BodyKind = BodyKind.none;
  #to: BodyKind = BodyKind.none;
  #remaining = 0;
  /** Made with the first chunked body: it holds room for trailers. */
  #decoder: ChunkedDecoder | null = null;

  /** Starts a body. `length` counts for BodyKind.length only. */
  start(from: BodyKind, to: BodyKind, length: number): void {
    this.#from = from;
    this.#to = to;
    this.#remaining = length;
    this.isDone = from === BodyKind.none || (from === BodyKind.length && length === 0);
    if (from !== BodyKind.chunked) return;
    this.#decoder ??= new ChunkedDecoder();
    this.#decoder.reset();
  }

  /** Bytes still to come of a body with a length. */
  get remaining(): number {
    return this.#remaining;
  }

  /**
   * Takes `bytes[start, end)`. The output is left in place where it can be, otherwise made at
   * `bytes[scratch, …)`, which must have room for the input and BODY_GROWTH_BYTES. Returns false
   * when the chunked coding is broken.
   */
  relay(bytes: Uint8Array, start: number, end: number, scratch: number): boolean {
    this.outStart = start;
    this.outEnd = start;
    this.consumed = start;
    if (this.isDone) return true;
    if (this.#from === BodyKind.chunked) return this.#relayChunked(bytes, start, end, scratch);
    let count = end - start;
    if (this.#from === BodyKind.length) {
      count = Math.min(count, this.#remaining);
      this.#remaining -= count;
      this.isDone = this.#remaining === 0;
    }
    this.consumed = start + count;
    this.outEnd = start + count;
    if (this.#to === BodyKind.chunked) {
      const data = scratch + CHUNK_HEADER_BYTES_MAX;
      bytes.copyWithin(data, start, start + count);
      this.#frame(bytes, data, data + count);
    }
    return true;
  }

  /**
   * Ends a body that lasts until the connection or the stream does: writes what tells the client so,
   * and the trailer lines in `bytes[trailers, trailersEnd)`. Returns false when the body was not
   * complete: it has to be seen as cut short.
   */
  finish(bytes: Uint8Array, scratch: number, trailers = 0, trailersEnd = 0): boolean {
    this.outStart = scratch;
    this.outEnd = scratch;
    if (this.isDone) return true;
    if (this.#from !== BodyKind.untilClose && this.#from !== BodyKind.stream) return false;
    this.isDone = true;
    if (this.#to === BodyKind.chunked) this.#last(bytes, scratch, trailers, trailersEnd);
    return true;
  }

  /** The trailer fields of a chunked body that is done; null: there are none. */
  get trailers(): FieldSection | null {
    const decoder = this.#decoder;
    if (this.#from !== BodyKind.chunked || !this.isDone || decoder === null) return null;
    return decoder.trailers.count > 0 ? decoder.trailers : null;
  }

  /** What their offsets are relative to, in the bytes of the last `relay`. */
  get trailersBase(): number {
    return this.consumed - (this.#decoder?.trailers.end ?? 0);
  }

  #relayChunked(bytes: Uint8Array, start: number, end: number, scratch: number): boolean {
    const decoder = this.#decoder;
    if (decoder === null) return false;
    const data = scratch + CHUNK_HEADER_BYTES_MAX;
    const dataEnd = decoder.decode(bytes, start, end, data);
    if (dataEnd === -1) return false;
    this.isDone = decoder.isDone;
    this.consumed = decoder.consumed;
    if (this.#to === BodyKind.chunked) {
      this.#frame(bytes, data, dataEnd);
      if (this.isDone) this.#lastOf(bytes, this.outEnd);
    } else {
      this.outStart = data;
      this.outEnd = dataEnd;
    }
    return true;
  }

  #frame(bytes: Uint8Array, data: number, dataEnd: number): void {
    this.outStart = data;
    this.outEnd = data;
    if (dataEnd === data) return;
    this.outStart = writeChunkHeader(bytes, data, dataEnd - data);
    bytes[dataEnd] = CR;
    bytes[dataEnd + 1] = LF;
    this.outEnd = dataEnd + 2;
  }

  #last(bytes: Uint8Array, out: number, trailers: number, trailersEnd: number): void {
    let to = copyWithin(bytes, trailers, trailersEnd, put(bytes, out, LAST_CHUNK));
    bytes[to++] = CR;
    bytes[to++] = LF;
    this.outEnd = to;
  }

  /** The last chunk of a body that came with one, and its own trailers. */
  #lastOf(bytes: Uint8Array, out: number): void {
    const { trailers } = this;
    let to = put(bytes, out, LAST_CHUNK);
    if (trailers !== null) to = writeTrailers(bytes, this.trailersBase, trailers, to);
    bytes[to++] = CR;
    bytes[to++] = LF;
    this.outEnd = to;
  }
}
