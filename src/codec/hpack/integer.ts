/**
 * Integers with a prefix, RFC 7541 §5.1: the low bits of a byte, and bytes of seven bits each when
 * they are all ones. Values are added up by multiplication, never by a shift, which would wrap at 32
 * bits. The value read is left in the reader, so that reading one makes no object.
 */

/** No length or index comes near it; a larger one is an attack. */
export const INTEGER_MAX = 2 ** 31 - 1;

/** So many carry 35 bits, enough for INTEGER_MAX; more can only be padding with zeros. */
const CONTINUATION_BYTES_MAX = 5;

const MORE = 0x80;
const SEVEN_BITS = 0x7f;

/** The largest prefix of each width in bits, which is also its mask. */
export const Prefix = { bits4: 0x0f, bits5: 0x1f, bits6: 0x3f, bits7: 0x7f } as const;

export class IntegerReader {
  /** What the last successful `read` found, 0 to INTEGER_MAX. */
  value = 0;

  /**
   * Reads the integer that begins at `bytes[at]` and returns the offset behind it. Returns -1 when
   * it does not end before `end`, has more than five further bytes, or is above INTEGER_MAX.
   */
  read(bytes: Uint8Array, at: number, end: number, prefix: number): number {
    if (at >= end) return -1;
    const first = (bytes[at] ?? 0) & prefix;
    this.value = first;
    return first < prefix ? at + 1 : this.#readMore(bytes, at + 1, end);
  }

  #readMore(bytes: Uint8Array, start: number, end: number): number {
    const limit = Math.min(end, start + CONTINUATION_BYTES_MAX);
    let value = this.value;
    let unit = 1;
    for (let at = start; at < limit; at++) {
      const byte = bytes[at] ?? 0;
      value += (byte & SEVEN_BITS) * unit;
      if (byte < MORE) {
        this.value = value;
        return value <= INTEGER_MAX ? at + 1 : -1;
      }
      unit *= MORE;
    }
    return -1;
  }
}

/**
 * Writes `value` (0 to INTEGER_MAX) in a prefix below the bits of `head`, and returns where it ends:
 * at most six bytes on.
 */
export function writeInteger(
  out: Uint8Array,
  at: number,
  head: number,
  prefix: number,
  value: number,
): number {
  if (value < prefix) {
    out[at] = head | value;
    return at + 1;
  }
  out[at] = head | prefix;
  let to = at + 1;
  let rest = value - prefix;
  while (rest >= MORE) {
    out[to++] = MORE | (rest & SEVEN_BITS);
    rest >>>= 7;
  }
  out[to++] = rest;
  return to;
}
