/**
 * The Huffman code of RFC 7541, Appendix B, given by the lengths of its codes alone. The code is
 * canonical: sorted by length and then by symbol, each code is the one before it plus one, extended
 * with zeros. So the codes follow from the lengths, and lengths that do not add up are found at load.
 */
import { assert } from "../../lib/assert.ts";

/** The symbol that must not occur; a prefix of its code, all ones, pads the last byte. */
export const EOS = 256;

const SYMBOLS = 257;
const LENGTH_BITS_MAX = 30;

/** Length in bits of the code of each byte, sixteen to a line, and of EOS. */
// biome-ignore format: a table by rows of sixteen.
export const CODE_BITS: Uint8Array = Uint8Array.of(
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
);

/** The code of each symbol, in the low bits. */
export const CODES: Uint32Array = canonicalCodes();

function canonicalCodes(): Uint32Array {
  assert(CODE_BITS.length === SYMBOLS, "Huffman: a length for each symbol");
  const codes = new Uint32Array(SYMBOLS);
  let next = 0;
  for (let bits = 1; bits <= LENGTH_BITS_MAX; bits++) {
    next *= 2;
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      if (CODE_BITS[symbol] === bits) codes[symbol] = next++;
    }
  }
  // Kraft's sum is 1: every string of bits is the beginning of codes.
  assert(next === 2 ** LENGTH_BITS_MAX, "Huffman: the code is complete");
  return codes;
}
