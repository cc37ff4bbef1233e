/** The first bits of the representations of a field, RFC 7541 §6. */

/** Each is the smallest first byte that has the form; from one to the next larger one it lasts. */
export const Form = {
  /** §6.2.2: `0000xxxx`. */
  without: 0x00,
  /** §6.2.3: `0001xxxx`. */
  never: 0x10,
  /** §6.3: `001xxxxx`. */
  sizeUpdate: 0x20,
  /** §6.2.1: `01xxxxxx`. */
  incremental: 0x40,
  /** §6.1: `1xxxxxxx`. */
  indexed: 0x80,
} as const;
