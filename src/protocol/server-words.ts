/**
 * Whether a server that speaks before its client speaks HTTP. One of HTTP/2 sends SETTINGS as soon as it
 * has accepted (RFC 9113 §3.4), one of HTTP/1 a response, most often 408, when it has waited for too long
 * (RFC 9110 §15.5.9). What either is sent must be looked at, though its client was silent at first.
 */
import { FRAME_BYTES_MAX, FrameType, readLength } from "../codec/http2/frame-head.ts";
import { SETTING_BYTES } from "../codec/http2/settings.ts";
import { ascii, commonBytes } from "./bytes.ts";

/** `unsure`: the bytes are the beginning of what a server of HTTP says first, and may not be. */
export type ServerWords = "http" | "other" | "unsure";

/** RFC 9112 §4: any response of HTTP/1 begins so. */
const STATUS_LINE = ascii("HTTP/1.");

const LENGTH_BYTES = 3;
/** Of a frame's head (RFC 9113 §4.1) behind its length: the type, no flags, stream 0. */
const SETTINGS = Uint8Array.of(FrameType.settings, 0, 0, 0, 0, 0);

/** Tells by the server's first bytes, `bytes[start, end)`. */
export function wordsOf(bytes: Uint8Array, start: number, end: number): ServerWords {
  const count = end - start;
  const same = commonBytes(bytes, start, end, STATUS_LINE);
  if (same > 0) {
    if (same === STATUS_LINE.length) return "http";
    return same === count ? "unsure" : "other";
  }
  if (count < LENGTH_BYTES) return (bytes[start] ?? 0) === 0 ? "unsure" : "other";
  const length = readLength(bytes, start);
  if (length > FRAME_BYTES_MAX || length % SETTING_BYTES !== 0) return "other";
  const rest = commonBytes(bytes, start + LENGTH_BYTES, end, SETTINGS);
  if (rest === SETTINGS.length) return "http";
  return LENGTH_BYTES + rest === count ? "unsure" : "other";
}
