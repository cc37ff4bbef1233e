/** The `timeout` parameter of a Keep-Alive field (RFC 2068 §19.7.1.1): `timeout=5, max=100`. */
import { isDigit, TCHAR } from "./chars.ts";
import { bytesOf, equals } from "./field-names.ts";

const TIMEOUT = bytesOf("timeout=");
/** A day; what is longer is not different. */
const SECONDS_MAX = 86_400;

/** Returns the seconds that the value in `bytes[start, end)` names, or -1. */
export function keepAliveSeconds(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at + TIMEOUT.length < end; at++) {
    const isName = at === start || TCHAR[bytes[at - 1] ?? 0] === 0;
    if (!isName || !equals(bytes, at, TIMEOUT)) continue;
    let seconds = -1;
    for (let digit = at + TIMEOUT.length; digit < end && isDigit(bytes[digit] ?? 0); digit++) {
      const value = Math.max(seconds, 0) * 10 + (bytes[digit] ?? 0) - 0x30;
      seconds = Math.min(value, SECONDS_MAX);
    }
    return seconds;
  }
  return -1;
}
