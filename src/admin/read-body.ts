/** Reading a body that must be small and come soon. */

/** A body of a few bytes comes in one segment with its head, or somebody is playing. */
const BODY_TIMEOUT_MS = 5_000;

/** Returns the body as text; null when it has more than `bytesMax` bytes, is late or no UTF-8. */
export async function readSmallBody(request: Request, bytesMax: number): Promise<string | null> {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) return null;
  if (request.body === null) return "";
  const reader = request.body.getReader();
  // Cancelling ends a read that is under way as if the body had ended.
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, BODY_TIMEOUT_MS);
  try {
    const bytes = await readUpTo(reader, bytesMax);
    if (bytes === null || isLate) return null;
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Cut off by the client, or not UTF-8.
    return null;
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

async function readUpTo(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(bytesMax);
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, length);
    if (length + value.length > bytesMax) return null;
    bytes.set(value, length);
    length += value.length;
  }
}
