/** Writing to stderr, whatever became of it. */
import { writeSync } from "node:fs";

const STDERR = 2;
const encoder = new TextEncoder();

/**
 * Writes a line at once, so that nothing is lost when the process ends. Returns false when stderr
 * is closed (EPIPE), full (EAGAIN, on a pipe that somebody made non-blocking) or absent (EBADF).
 */
export function writeStderr(line: string): boolean {
  const bytes = encoder.encode(line);
  try {
    let written = 0;
    while (written < bytes.length) {
      const count = writeSync(STDERR, bytes, written);
      if (count <= 0) return false;
      written += count;
    }
    return true;
  } catch {
    return false;
  }
}
