/**
 * The nine bytes before each frame's payload, RFC 9113 §4.1, and the numbers of frame types and
 * flags (§6). The reserved bit of a stream identifier is ignored when read and 0 when written.
 */

export const FRAME_HEAD_BYTES = 9;
/** §4.2: what every endpoint must take, and all that we ask for: a bigger frame only blocks others. */
export const FRAME_BYTES_MAX = 16_384;
/** §5.1.1: 31 bits. */
export const STREAM_ID_MAX = 0x7fff_ffff;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** §3.4: what a client sends first. */
export const PREFACE = Uint8Array.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (char) =>
  char.charCodeAt(0),
);

/** Returns the payload's length in bytes, of the head at `at`. */
export function readLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

/** Returns 31 bits: a stream identifier or a window increment. */
export function readU31(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) & 0x7fff_ffff;
}

/** Returns 32 bits as a number from 0. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** Writes a frame's head and returns where its payload begins. */
export function writeFrameHead(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  return writeU32(bytes, at + 5, streamId);
}
