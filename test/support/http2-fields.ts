/**
 * Field blocks for tests: a plain HPACK encoder (RFC 7541 §6) that writes literals with new names,
 * in the form that the test asks for, and checks nothing. Text is one byte per character, so that
 * any byte can stand in a name or a value.
 */
import { huffmanEncode } from "./hpack-huffman.ts";

/** How a literal is written: not indexed, added to the table, or never to be indexed (§6.2). */
export type Form = "plain" | "indexed" | "never";

export type Field = readonly [name: string, value: string, form?: Form];

const FORM_BITS: Readonly<Record<Form, { first: number; prefixBits: number }>> = {
  plain: { first: 0x00, prefixBits: 4 },
  indexed: { first: 0x40, prefixBits: 6 },
  never: { first: 0x10, prefixBits: 4 },
};

/** First entry of the dynamic table: the static one has 61 (RFC 7541 §2.3.3). */
export const DYNAMIC_INDEX = 62;

/** A block of literals, all in one form unless a field says its own. */
export function encodeFields(fields: readonly Field[], form: Form = "plain"): Buffer {
  return Buffer.concat(fields.map(([name, value, own]) => literal(name, value, own ?? form)));
}

/** One literal with a new name. */
export function literal(name: string, value: string, form: Form = "plain"): Buffer {
  return Buffer.concat([Buffer.of(FORM_BITS[form].first), text(name), text(value)]);
}

/** One literal whose name and value are Huffman-coded. */
export function huffmanLiteral(name: string, value: string, form: Form = "plain"): Buffer {
  return Buffer.concat([Buffer.of(FORM_BITS[form].first), huffman(name), huffman(value)]);
}

/** An entry of the tables (§6.1). */
export function indexed(index: number): Buffer {
  return integer(index, 7, 0x80);
}

/** A literal whose name is an entry of the tables (§6.2). */
export function literalOf(index: number, value: string, form: Form = "plain"): Buffer {
  const { first, prefixBits } = FORM_BITS[form];
  return Buffer.concat([integer(index, prefixBits, first), text(value)]);
}

/** A change of the dynamic table's size (§6.3). */
export function tableSize(bytes: number): Buffer {
  return integer(bytes, 5, 0x20);
}

/** A string literal without Huffman coding (§5.2). */
export function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7, 0x00), Buffer.from(value, "latin1")]);
}

/** An integer with a prefix of so many bits, in a first byte with other bits set (§5.1). */
export function integer(value: number, prefixBits: number, first: number): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.of(first | value);
  const bytes = [first | limit];
  let rest = value - limit;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function huffman(value: string): Buffer {
  const bytes = huffmanEncode(value);
  return Buffer.concat([integer(bytes.length, 7, 0x80), bytes]);
}

/** The pseudo-header fields of a request to the service `web`, and more fields behind them. */
export function requestFields(path: string, more: readonly Field[] = [], method = "GET"): Field[] {
  return [
    [":method", method],
    [":scheme", "http"],
    [":authority", "web"],
    [":path", path],
    ...more,
  ];
}
