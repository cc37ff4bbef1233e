/**
 * HPACK's Huffman code (RFC 7541 Appendix B) for tests, by way of text made of zeros and ones: slow,
 * short, and sharing nothing with the program's. The code is canonical, so that the lengths tell all:
 * codes of one length count up by symbol, and a longer one begins where the shorter ones ended.
 */

/** Bits of each symbol from 0 to 255 and of EOS; `n*count` stands for a run. */
const LENGTHS = (
  "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 " +
  "13 6 7*22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 " +
  "20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 " +
  "23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 " +
  "26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 " +
  "27 26*2 27*5 28 27*5 26 30"
)
  .split(" ")
  .flatMap((run) => {
    const [bits = "", count = "1"] = run.split("*");
    return Array.from({ length: Number(count) }, () => Number(bits));
  });

const EOS = 256;
const CODES: readonly string[] = codesOf(LENGTHS);
const SYMBOLS: ReadonlyMap<string, number> = new Map(
  CODES.map((code, symbol): [string, number] => [code, symbol]),
);

/** The code of EOS, which must not be in a string (§5.2). */
export const EOS_CODE: string = CODES[EOS] ?? "";

/** Codes a text of one byte per character; the last byte is filled up with ones. */
export function huffmanEncode(text: string): Buffer {
  return bytesOfBits(Array.from(text, (char) => CODES[char.charCodeAt(0)] ?? "").join(""));
}

/** Bytes of a text of zeros and ones, filled up with ones. */
export function bytesOfBits(bits: string): Buffer {
  const full = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((full.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** The text that the bytes stand for; throws on EOS and on padding that is too long or not ones. */
export function huffmanDecode(bytes: Uint8Array): string {
  let text = "";
  let code = "";
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code += (byte >> bit) & 1;
      const symbol = SYMBOLS.get(code);
      if (symbol === undefined) continue;
      if (symbol === EOS) throw new Error("HPACK: EOS in a string");
      text += String.fromCharCode(symbol);
      code = "";
    }
  }
  if (!/^1{0,7}$/.test(code)) throw new Error(`HPACK: padding ${code}`);
  return text;
}

function codesOf(lengths: readonly number[]): string[] {
  const codes: string[] = [];
  let next = 0;
  let last = 0;
  const order = lengths.map((length, symbol) => ({ length, symbol }));
  order.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  for (const { length, symbol } of order) {
    next *= 2 ** (length - last);
    last = length;
    codes[symbol] = next.toString(2).padStart(length, "0");
    next++;
  }
  return codes;
}
