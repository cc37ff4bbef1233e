/**
 * Every prefix and every split of an example, for decoders that must not care where the bytes were
 * cut. What fails is told with the place of the cut.
 */

/**
 * Calls `fn` with each proper prefix, the empty one first. A prefix is a copy of its own, so that a
 * decoder which reads past its end gets nothing.
 */
export function forEachPrefix(
  bytes: Uint8Array,
  fn: (prefix: Uint8Array<ArrayBuffer>, length: number) => void,
): void {
  for (let length = 0; length < bytes.length; length += 1) {
    told(`prefix of ${length} of ${bytes.length} bytes`, () => fn(bytes.slice(0, length), length));
  }
}

/** Calls `fn` with the two parts of each cut, from none and all to all and none, in copies. */
export function forEachSplit(
  bytes: Uint8Array,
  fn: (head: Uint8Array<ArrayBuffer>, tail: Uint8Array<ArrayBuffer>) => void,
): void {
  for (let at = 0; at <= bytes.length; at += 1) {
    told(`cut at ${at} of ${bytes.length} bytes`, () => fn(bytes.slice(0, at), bytes.slice(at)));
  }
}

/** Runs `fn` and puts `where` before the message of what it throws. */
function told(where: string, fn: () => void): void {
  try {
    fn();
  } catch (error) {
    if (error instanceof Error) error.message = `${where}: ${error.message}`;
    throw error;
  }
}
