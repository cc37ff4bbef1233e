/** Retry-After, RFC 9110 §10.2.3: seconds, or a date. */
import { isDigit } from "./chars.ts";
import { parseHttpDate } from "./http-date.ts";

/** The longest date, `Wednesday, …`, has 33. */
const TEXT_BYTES_MAX = 40;
/** More digits are more than 30 years. */
const DIGITS_MAX = 9;

/**
 * Returns the milliseconds to wait that the value in `bytes[start, end)` asks for, 0 for a date that
 * is past; null for what is neither. `nowMs`: milliseconds since 1970.
 */
export function retryAfterMs(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): number | null {
  if (end <= start || end - start > TEXT_BYTES_MAX) return null;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  if (!isDigit(bytes[start] ?? 0)) {
    const atMs = parseHttpDate(text, nowMs);
    return atMs === null ? null : Math.max(0, atMs - nowMs);
  }
  if (!/^[0-9]+$/.test(text)) return null;
  const digits = text.replace(/^0+(?=.)/, "");
  return digits.length > DIGITS_MAX ? Number.MAX_SAFE_INTEGER : Number(digits) * 1_000;
}
