/** Strings, RFC 7541 §5.2: a length and so many bytes, raw or in Huffman's code. */

import { copyBytes, type ViewedBytes } from "../../lib/viewed-bytes.ts";
import { huffmanDecode, huffmanEncode, huffmanEncodedLength } from "./huffman.ts";
import { IntegerReader, Prefix, writeInteger } from "./integer.ts";
import { AS_IT_IS, copyMapped } from "./line.ts";

/** Set in the first byte of a string in Huffman's code. */
const HUFFMAN = 0x80;

export class StringReader {
  /** Where the output of the last successful `read` ends. */
  outEnd = 0;
  readonly #integer = new IntegerReader();

  /**
   * Decodes the string at `bytes[at]` to `out[to, …)` and returns the offset behind it. Returns -1
   * when it does not end at `end` or before, or when its code is malformed.
   */
  read(bytes: ViewedBytes, at: number, end: number, out: ViewedBytes, to: number): number {
    const start = this.#integer.read(bytes.array, at, end, Prefix.bits7);
    const length = this.#integer.value;
    if (start === -1 || length > end - start) return -1;
    const next = start + length;
    if ((bytes.array[at] ?? 0) < HUFFMAN) {
      this.outEnd = copyBytes(bytes, start, next, out, to);
      return next;
    }
    this.outEnd = huffmanDecode(bytes.array, start, next, out.array, to);
    return this.outEnd === -1 ? -1 : next;
  }
}

/**
 * Writes `bytes[start, end)`, each byte replaced by `map`, as a string to `out[at, …)` and returns
 * where it ends. `mayShorten` takes Huffman's code when that is not longer.
 */
export function writeString(
  out: ViewedBytes,
  at: number,
  bytes: ViewedBytes,
  start: number,
  end: number,
  map: Uint8Array,
  mayShorten: boolean,
): number {
  const length = end - start;
  if (mayShorten && length > 0) {
    const coded = huffmanEncodedLength(bytes.array, start, end, map);
    if (coded <= length) {
      const to = writeInteger(out.array, at, HUFFMAN, Prefix.bits7, coded);
      return huffmanEncode(bytes.array, start, end, map, out.array, to);
    }
  }
  const to = writeInteger(out.array, at, 0, Prefix.bits7, length);
  if (map === AS_IT_IS) return copyBytes(bytes, start, end, out, to);
  return copyMapped(bytes.array, start, end, map, out.array, to);
}
