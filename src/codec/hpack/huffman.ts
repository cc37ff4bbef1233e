/**
 * Huffman coding of strings, RFC 7541 §5.2. Decoding takes four bits at a time through a table of
 * states, which are the inner nodes of the code's tree: no code is shorter than five bits, so four
 * bits end at most one symbol. The table is made at load.
 */
import { CODE_BITS, CODES, EOS } from "./huffman-table.ts";

/** No code is shorter, so a string grows to at most 8/5 of its coded length. */
export const CODE_BITS_MIN = 5;

/** §5.2: padding is shorter than a byte. */
const PADDING_BITS_MAX = 7;

/** A whole byte of a long code and what waits before it must fit 32 bits. */
const HALF_BITS = 16;

const NIBBLES = 16;
/** A transition: the next state in the low byte, then flags, then the symbol that it ended. */
const STATE_MASK = 0xff;
const HAS_SYMBOL = 0x100;
const FAILS = 0x200;
const SYMBOL_SHIFT = 16;

/** Inner nodes of a complete code with 257 leaves. */
const NODES = 256;

/** The tree's edges, two per node: a node, or `~symbol` for a leaf. */
const EDGES: Int16Array = makeTree();

/** One transition for each state and nibble. */
const TRANSITIONS: Uint32Array = makeTransitions();

/** 1 for the states in which a string may end: nothing, or up to seven ones, since a symbol. */
const MAY_END: Uint8Array = makeEnds();

/**
 * Decodes `from[start, end)` to `to[at, …)` and returns where the output ends, at most 8/5 of the
 * input on. Returns -1 for what §5.2 forbids: EOS, and padding that is not its first zero to seven
 * bits. Both may be one array if the ranges do not overlap.
 */
export function huffmanDecode(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  let out = at;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = from[i] ?? 0;
    const high = TRANSITIONS[(state << 4) | (byte >> 4)] ?? FAILS;
    if ((high & HAS_SYMBOL) !== 0) to[out++] = high >>> SYMBOL_SHIFT;
    const low = TRANSITIONS[((high & STATE_MASK) << 4) | (byte & 15)] ?? FAILS;
    if ((low & HAS_SYMBOL) !== 0) to[out++] = low >>> SYMBOL_SHIFT;
    if (((high | low) & FAILS) !== 0) return -1;
    state = low & STATE_MASK;
  }
  return MAY_END[state] === 1 ? out : -1;
}

/** Bytes that `huffmanEncode` makes of `bytes[start, end)`, each byte first replaced by `map`. */
export function huffmanEncodedLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  map: Uint8Array,
): number {
  let bits = 0;
  for (let i = start; i < end; i++) bits += CODE_BITS[map[bytes[i] ?? 0] ?? 0] ?? 0;
  return Math.ceil(bits / 8);
}

/**
 * Encodes `from[start, end)`, each byte first replaced by `map`, to `to[at, …)` and returns where
 * the output ends. Both may be one array if the ranges do not overlap.
 */
export function huffmanEncode(
  from: Uint8Array,
  start: number,
  end: number,
  map: Uint8Array,
  to: Uint8Array,
  at: number,
): number {
  let out = at;
  let bits = 0;
  let count = 0;
  for (let i = start; i < end; i++) {
    const symbol = map[from[i] ?? 0] ?? 0;
    let code = CODES[symbol] ?? 0;
    let length = CODE_BITS[symbol] ?? 0;
    if (length > HALF_BITS) {
      length -= HALF_BITS;
      bits = (bits << length) | (code >>> HALF_BITS);
      count += length;
      while (count >= 8) {
        count -= 8;
        to[out++] = bits >>> count;
      }
      code &= 0xffff;
      length = HALF_BITS;
    }
    bits = (bits << length) | code;
    count += length;
    while (count >= 8) {
      count -= 8;
      to[out++] = bits >>> count;
    }
  }
  if (count > 0) to[out++] = (bits << (8 - count)) | (0xff >>> count);
  return out;
}

function makeTree(): Int16Array {
  const edges = new Int16Array(2 * NODES);
  let nodes = 1;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = (CODE_BITS[symbol] ?? 0) - 1; bit > 0; bit--) {
      const edge = 2 * node + (((CODES[symbol] ?? 0) >>> bit) & 1);
      if (edges[edge] === 0) edges[edge] = nodes++;
      node = edges[edge] ?? 0;
    }
    edges[2 * node + ((CODES[symbol] ?? 0) & 1)] = ~symbol;
  }
  return edges;
}

function makeTransitions(): Uint32Array {
  const transitions = new Uint32Array(NODES * NIBBLES);
  for (let state = 0; state < NODES; state++) {
    for (let nibble = 0; nibble < NIBBLES; nibble++) {
      let node = state;
      let flags = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const edge = EDGES[2 * node + ((nibble >> bit) & 1)] ?? 0;
        node = Math.max(edge, 0);
        if (edge === ~EOS) flags |= FAILS;
        else if (edge < 0) flags |= HAS_SYMBOL | (~edge << SYMBOL_SHIFT);
      }
      transitions[state * NIBBLES + nibble] = flags | node;
    }
  }
  return transitions;
}

function makeEnds(): Uint8Array {
  const ends = new Uint8Array(NODES);
  let node = 0;
  for (let ones = 0; ones <= PADDING_BITS_MAX; ones++) {
    ends[node] = 1;
    node = EDGES[2 * node + 1] ?? 0;
  }
  return ends;
}
