/** Comparing bytes with texts. */

/** Returns how many bytes `bytes[start, end)` and `text` have in common at their starts. */
export function commonBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  text: Uint8Array,
): number {
  const count = Math.min(end - start, text.length);
  let same = 0;
  while (same < count && bytes[start + same] === text[same]) same += 1;
  return same;
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
