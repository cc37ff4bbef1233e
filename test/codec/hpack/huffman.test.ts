import * as assert from "uvu/assert";
import {
  huffmanDecode,
  huffmanEncode,
  huffmanEncodedLength,
} from "../../../src/codec/hpack/huffman.ts";
import { CODE_BITS, CODES, EOS } from "../../../src/codec/hpack/huffman-table.ts";
import { AS_IT_IS, LOWER_CASE } from "../../../src/codec/hpack/line.ts";
import {
  bytesOfBits,
  EOS_CODE,
  huffmanEncode as referenceCode,
} from "../../support/hpack-huffman.ts";
import { seeded } from "../../support/random.ts";
import { latin1, textOf } from "../../support/read-http1.ts";
import { suite } from "../../support/test.ts";
import { hex } from "./harness.ts";

const test = suite("codec/hpack/huffman");

const EVERY_BYTE = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));

function encoded(text: string, map: Uint8Array = AS_IT_IS): Uint8Array {
  const bytes = latin1(text);
  const out = new Uint8Array(4 * bytes.length + 1);
  const end = huffmanEncode(bytes, 0, bytes.length, map, out, 0);
  assert.is(end, huffmanEncodedLength(bytes, 0, bytes.length, map), "the length is foreseen");
  return out.slice(0, end);
}

/** The text, or null for a malformed code. */
function decoded(bytes: Uint8Array): string | null {
  const out = new Uint8Array(Math.ceil((bytes.length * 8) / 5));
  const end = huffmanDecode(bytes, 0, bytes.length, out, 0);
  if (end === -1) return null;
  assert.ok(end <= out.length, "a text is at most 8/5 of its code");
  return textOf(out, 0, end);
}

/** Bits of a byte's code as text. */
function codeOf(symbol: number): string {
  return (CODES[symbol] ?? 0).toString(2).padStart(CODE_BITS[symbol] ?? 0, "0");
}

test("some codes of Appendix B are what they are there", () => {
  const table: [number, string][] = [
    [0x30, "00000"],
    [0x61, "00011"],
    [0x20, "010100"],
    [0x7e, "1111111111101"],
    [0x00, "1111111111000"],
    [0x0a, "111111111111111111111111111100"],
    [0x16, "111111111111111111111111111110"],
    [0xff, "11111111111111111111101110"],
    [EOS, "111111111111111111111111111111"],
  ];
  for (const [symbol, code] of table) assert.is(codeOf(symbol), code);
  assert.is(codeOf(EOS), EOS_CODE);
});

test("each byte alone, and each behind each, is coded and decoded", () => {
  for (const first of EVERY_BYTE) {
    assert.equal(encoded(first), new Uint8Array(referenceCode(first)));
    for (const second of EVERY_BYTE) {
      const text = first + second;
      assert.is(decoded(encoded(text)), text);
    }
  }
});

test("long random texts are coded as by the reference, and decoded", () => {
  const random = seeded("huffman");
  for (let round = 0; round < 200; round++) {
    const text = textOf(random.bytes(random.below(300)));
    assert.equal(encoded(text), new Uint8Array(referenceCode(text)));
    assert.is(decoded(encoded(text)), text);
  }
  assert.is(decoded(encoded(EVERY_BYTE.repeat(20))), EVERY_BYTE.repeat(20));
});

test("bytes are replaced by the map before they are coded", () => {
  assert.equal(encoded("X-Request-ID", LOWER_CASE), encoded("x-request-id"));
});

test("the empty string is coded by nothing", () => {
  assert.equal(encoded(""), hex(""));
  assert.is(decoded(hex("")), "");
});

test("padding is up to seven ones", () => {
  for (const symbol of [0x30, 0x20, 0x58, 0x26, 0x21, 0x7c, 0x00, 0x5c, 0x82, 0xff]) {
    const code = codeOf(symbol);
    const short = code.padEnd(Math.ceil(code.length / 8) * 8, "1");
    assert.is(decoded(bytesOfBits(short)), String.fromCharCode(symbol));
    assert.is(decoded(bytesOfBits(`${short}11111111`)), null, `${symbol} and 8 to 15 ones`);
    for (let bit = code.length; bit < short.length; bit++) {
      const zeroed = `${short.slice(0, bit)}0${short.slice(bit + 1)}`;
      const result = decoded(bytesOfBits(zeroed));
      assert.ok(result === null || result.length > 1, `${symbol} padded by ${zeroed}`);
    }
  }
  assert.is(decoded(hex("ff")), null, "8 ones and no symbol");
  assert.is(decoded(hex("ffff")), null);
  assert.is(decoded(hex("00")), null, "a symbol and three zeros");
});

test("EOS is refused wherever it is, also where it would be padding", () => {
  for (const before of ["", "00000", codeOf(0xff), codeOf(0x20) + codeOf(0x0a)]) {
    for (const after of ["", "1", "11", "00000", codeOf(0x61)]) {
      assert.is(decoded(bytesOfBits(before + EOS_CODE + after)), null);
    }
  }
});

// Every cut within a code of more than 7 bits leaves too many, or not only ones.
test("a code that is cut is refused unless the rest is padding", () => {
  const random = seeded("cut codes");
  for (let round = 0; round < 300; round++) {
    const text = textOf(random.bytes(random.between(1, 20)));
    const bits = [...text].map((char) => codeOf(char.charCodeAt(0))).join("");
    const bytes = encoded(text);
    for (let count = 0; count < bytes.length; count++) {
      const result = decoded(bytes.slice(0, count));
      const rest = restOf(bits.slice(0, 8 * count), text);
      assert.is(result !== null, /^1{0,7}$/.test(rest.bits), `${rest.bits} left`);
      if (result !== null) assert.is(result, rest.text);
    }
  }
});

/** What the whole codes in the bits stand for, and the bits behind them. */
function restOf(bits: string, text: string): { text: string; bits: string } {
  let rest = bits;
  let count = 0;
  for (const char of text) {
    const code = codeOf(char.charCodeAt(0));
    if (code.length > rest.length) break;
    rest = rest.slice(code.length);
    count++;
  }
  return { text: text.slice(0, count), bits: rest };
}

test("random bytes decode to what codes to them, or not at all", () => {
  const random = seeded("random codes");
  let good = 0;
  for (let round = 0; round < 5_000; round++) {
    const bytes = random.bytes(random.between(1, 12));
    const text = decoded(bytes);
    if (text === null) continue;
    good++;
    assert.equal(encoded(text), bytes);
  }
  assert.ok(good > 100, `${good} were good`);
});

test.run();
