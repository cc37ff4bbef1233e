/**
 * Bytes that are copied, compared and hashed four at a time, through a DataView: two to three times
 * as fast on both runtimes as byte by byte, and for the lengths of fields faster than `set` and
 * `copyWithin`, which cost 40 to 60 ns a call. The last four bytes may overlap the four before them,
 * so that nothing outside of a range is touched.
 */

/** An array and its view. One object serves one array after the other. */
export class ViewedBytes {
  array: Uint8Array;
  view: DataView;

  constructor(array: Uint8Array) {
    this.array = array;
    this.view = viewOf(array);
  }

  /** Goes over to `array`, which is mostly the one it has. */
  use(array: Uint8Array): void {
    if (array === this.array) return;
    this.array = array;
    this.view = viewOf(array);
  }
}

const WORD = 4;

/** From here on `set`, with the view that it needs, is faster than words (measured: 300 to 400). */
const WORDS_BYTES_MAX = 384;

/** … and `copyWithin`, which needs none, from here on (measured: 60 on Bun, 250 on Deno). */
const WORDS_WITHIN_BYTES_MAX = 64;

/** Multiplier of the hash: 2^32 over the golden ratio, odd. */
const HASH_FACTOR = 0x9e3779b1;
/** The bit that tells upper-case letters from lower-case ones, in each byte of a word. */
const CASE_BITS = 0x20202020;

/** The array that was copied within last: nearly always the thread's arena. */
const recent = new ViewedBytes(new Uint8Array(0));

/** Copies `bytes[start, end)` to `bytes[at, …)`, which does not overlap it; returns where it ends. */
export function copyWithin(bytes: Uint8Array, start: number, end: number, at: number): number {
  if (end - start > WORDS_WITHIN_BYTES_MAX) {
    bytes.copyWithin(at, start, end);
    return at + (end - start);
  }
  recent.use(bytes);
  return copyBytes(recent, start, end, recent, at);
}

/** Copies `from[start, end)` to `to[at, …)`, which does not overlap it; returns where it ends. */
export function copyBytes(
  from: ViewedBytes,
  start: number,
  end: number,
  to: ViewedBytes,
  at: number,
): number {
  const shift = at - start;
  if (end - start > WORDS_BYTES_MAX) {
    to.array.set(from.array.subarray(start, end), at);
    return at + (end - start);
  }
  if (end - start < WORD) {
    for (let i = start; i < end; i++) to.array[i + shift] = from.array[i] ?? 0;
    return end + shift;
  }
  const source = from.view;
  const target = to.view;
  const last = end - WORD;
  for (let i = start; i < last; i += WORD) {
    target.setInt32(i + shift, source.getInt32(i, true), true);
  }
  target.setInt32(last + shift, source.getInt32(last, true), true);
  return end + shift;
}

/** Whether `left[start, end)` is what `right` holds from `at` on. */
export function isSame(
  left: ViewedBytes,
  start: number,
  end: number,
  right: ViewedBytes,
  at: number,
): boolean {
  const shift = at - start;
  if (end - start < WORD) {
    for (let i = start; i < end; i++) if (left.array[i] !== right.array[i + shift]) return false;
    return true;
  }
  const a = left.view;
  const b = right.view;
  const last = end - WORD;
  for (let i = start; i < last; i += WORD) {
    if (a.getInt32(i, true) !== b.getInt32(i + shift, true)) return false;
  }
  return a.getInt32(last, true) === b.getInt32(last + shift, true);
}

/** Returns a hash of `bytes[start, end)` that goes on from `seed`, 32 bits. */
export function hashBytes(bytes: ViewedBytes, start: number, end: number, seed: number): number {
  let hash = mix(seed, end - start);
  if (end - start < WORD) {
    for (let i = start; i < end; i++) hash = mix(hash, bytes.array[i] ?? 0);
    return hash;
  }
  const view = bytes.view;
  const last = end - WORD;
  for (let i = start; i < last; i += WORD) hash = mix(hash, view.getInt32(i, true));
  return mix(hash, view.getInt32(last, true));
}

/** As `hashBytes`, but the same for upper-case and lower-case letters (and for some other bytes). */
export function hashFolded(bytes: ViewedBytes, start: number, end: number): number {
  let hash = mix(0, end - start);
  if (end - start < WORD) {
    for (let i = start; i < end; i++) hash = mix(hash, (bytes.array[i] ?? 0) | 0x20);
    return hash;
  }
  const view = bytes.view;
  const last = end - WORD;
  for (let i = start; i < last; i += WORD) hash = mix(hash, view.getInt32(i, true) | CASE_BITS);
  return mix(hash, view.getInt32(last, true) | CASE_BITS);
}

function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, HASH_FACTOR);
  return product ^ (product >>> 15);
}

function viewOf(array: Uint8Array): DataView {
  return new DataView(array.buffer, array.byteOffset, array.byteLength);
}
