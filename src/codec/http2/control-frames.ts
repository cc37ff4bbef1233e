/** The frames without content: RST_STREAM, PING, GOAWAY, WINDOW_UPDATE, SETTINGS (RFC 9113 §6). */
import { FRAME_HEAD_BYTES, FrameType, writeFrameHead, writeU32 } from "./frame-head.ts";
import { SETTING_BYTES, writeSetting } from "./settings.ts";

export const PING_BYTES = 8;
export const RST_STREAM_BYTES = 4;
export const WINDOW_UPDATE_BYTES = 4;
/** Without debug data. */
export const GO_AWAY_BYTES = 8;
export const PRIORITY_BYTES = 5;

/** Room that any of the `write…` here may need, settings of `count` entries aside. */
export const CONTROL_FRAME_BYTES = FRAME_HEAD_BYTES + 8;

export function writeRstStream(bytes: Uint8Array, at: number, id: number, code: number): number {
  const to = writeFrameHead(bytes, at, RST_STREAM_BYTES, FrameType.rstStream, 0, id);
  return writeU32(bytes, to, code);
}

/** `payload` is the offset of eight bytes in `bytes`. */
export function writePing(bytes: Uint8Array, at: number, flags: number, payload: number): number {
  const to = writeFrameHead(bytes, at, PING_BYTES, FrameType.ping, flags, 0);
  bytes.copyWithin(to, payload, payload + PING_BYTES);
  return to + PING_BYTES;
}

export function writeGoAway(bytes: Uint8Array, at: number, lastId: number, code: number): number {
  const to = writeFrameHead(bytes, at, GO_AWAY_BYTES, FrameType.goAway, 0, 0);
  return writeU32(bytes, writeU32(bytes, to, lastId), code);
}

export function writeWindowUpdate(
  bytes: Uint8Array,
  at: number,
  id: number,
  increment: number,
): number {
  const to = writeFrameHead(bytes, at, WINDOW_UPDATE_BYTES, FrameType.windowUpdate, 0, id);
  return writeU32(bytes, to, increment);
}

export function writeSettings(
  bytes: Uint8Array,
  at: number,
  flags: number,
  entries: readonly (readonly [id: number, value: number])[],
): number {
  const length = entries.length * SETTING_BYTES;
  let to = writeFrameHead(bytes, at, length, FrameType.settings, flags, 0);
  for (const [id, value] of entries) to = writeSetting(bytes, to, id, value);
  return to;
}
