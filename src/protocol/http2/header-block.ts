/**
 * A header block in more than one frame, RFC 9113 §4.3 and §6.10: nothing else may come on the
 * connection until it is whole, and it is bounded in frames and in bytes (CVE-2024-27316 and kin).
 */
import { BLOCK_BYTES_MAX, CONTINUATIONS_MAX } from "./limits.ts";

const BYTES_MIN = 16_384;

export class HeaderBlock {
  /** The stream whose block is being read; 0: none. */
  streamId = 0;
  /** Of its HEADERS frame: END_STREAM. */
  isEnd = false;
  isSelfDependent = false;
  /** When it began, monotonic milliseconds. */
  beganMs = 0;
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  #continuations = 0;

  /** Starts with the fragment in `bytes[start, end)`. */
  begin(
    streamId: number,
    isEnd: boolean,
    isSelfDependent: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    this.streamId = streamId;
    this.isEnd = isEnd;
    this.isSelfDependent = isSelfDependent;
    this.length = 0;
    this.#continuations = 0;
    return this.#append(bytes, start, end);
  }

  /** Adds a CONTINUATION's fragment. False: it is too much. */
  continue(bytes: Uint8Array, start: number, end: number): boolean {
    this.#continuations++;
    return this.#continuations <= CONTINUATIONS_MAX && this.#append(bytes, start, end);
  }

  /** It is whole, and the bytes are whoever's who took them. */
  end(): void {
    this.streamId = 0;
    this.bytes = new Uint8Array(0);
  }

  #append(bytes: Uint8Array, start: number, end: number): boolean {
    const wanted = this.length + end - start;
    if (wanted > BLOCK_BYTES_MAX) return false;
    if (wanted > this.bytes.length) {
      const grown = new Uint8Array(Math.min(BLOCK_BYTES_MAX, Math.max(BYTES_MIN, 2 * wanted)));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(bytes.subarray(start, end), this.length);
    this.length = wanted;
    return true;
  }
}
