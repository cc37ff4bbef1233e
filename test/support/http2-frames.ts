/**
 * HTTP/2 frames for tests (RFC 9113 §4 and §6), built and read without a line of the program's code.
 * A builder writes what it is told, also what no honest peer would send: wrong lengths, reserved
 * bits, any flag on any type. The reader only cuts the bytes into frames and judges nothing.
 */

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
  none: 0,
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** RFC 9113 §7. */
export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  enhanceYourCalm: 0xb,
} as const;

/** RFC 9113 §6.5.2. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export type Settings = readonly (readonly [id: number, value: number])[];

export type Frame = {
  readonly type: number;
  readonly flags: number;
  /** With the reserved bit, if it was set. */
  readonly stream: number;
  readonly payload: Buffer;
};

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const HEAD_BYTES = 9;
/** What a peer may send that was told nothing else, RFC 9113 §4.2. */
export const FRAME_BYTES_MAX = 16_384;
/** Of a stream and of a connection before any WINDOW_UPDATE or SETTINGS, RFC 9113 §6.9.2. */
export const WINDOW_DEFAULT_BYTES = 65_535;
export const WINDOW_BYTES_MAX = 2 ** 31 - 1;

const EMPTY = Buffer.alloc(0);

/** Any frame. `length` is what the head says, if not the truth. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = EMPTY,
  length: number = payload.length,
): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream >>> 0, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** DATA, §6.1. With `padding`, that many zero bytes follow the data. */
export function data(
  stream: number,
  bytes: Uint8Array | string,
  flags: number = Flag.none,
  padding = -1,
): Buffer {
  const content = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
  return frame(FrameType.data, flags | padFlag(padding), stream, padded(content, padding));
}

/** HEADERS with a whole or a partial block, §6.2. */
export function headers(
  stream: number,
  block: Uint8Array,
  flags: number = Flag.endHeaders,
  padding = -1,
): Buffer {
  return frame(FrameType.headers, flags | padFlag(padding), stream, padded(block, padding));
}

/** PRIORITY, §6.3; weight as on the wire, one less than what it means. */
export function priority(stream: number, dependency: number, weight = 15): Buffer {
  return frame(FrameType.priority, Flag.none, stream, priorityFields(dependency, weight));
}

/** The five bytes that PRIORITY holds and HEADERS may begin with. */
export function priorityFields(dependency: number, weight = 15): Buffer {
  return Buffer.concat([u32(dependency), Buffer.of(weight)]);
}

/** RST_STREAM, §6.4. */
export function rstStream(stream: number, code: number): Buffer {
  return frame(FrameType.rstStream, Flag.none, stream, u32(code));
}

/** SETTINGS, §6.5. */
export function settings(values: Settings = []): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [index, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value >>> 0, index * 6 + 2);
  }
  return frame(FrameType.settings, Flag.none, 0, payload);
}

export const SETTINGS_ACK: Buffer = frame(FrameType.settings, Flag.ack, 0);

/** PUSH_PROMISE, §6.6. */
export function pushPromise(stream: number, promised: number, block: Uint8Array): Buffer {
  const payload = Buffer.concat([u32(promised), block]);
  return frame(FrameType.pushPromise, Flag.endHeaders, stream, payload);
}

/** PING, §6.7. */
export function ping(opaque = "outrider", flags: number = Flag.none): Buffer {
  return frame(FrameType.ping, flags, 0, Buffer.from(opaque, "latin1"));
}

/** GOAWAY, §6.8. */
export function goAway(lastStream: number, code: number, debug = ""): Buffer {
  const payload = Buffer.concat([u32(lastStream), u32(code), Buffer.from(debug, "latin1")]);
  return frame(FrameType.goAway, Flag.none, 0, payload);
}

/** WINDOW_UPDATE, §6.9. */
export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(FrameType.windowUpdate, Flag.none, stream, u32(increment));
}

/** CONTINUATION, §6.10. */
export function continuation(
  stream: number,
  block: Uint8Array,
  flags: number = Flag.endHeaders,
): Buffer {
  return frame(FrameType.continuation, flags, stream, block);
}

/** A frame of a type that no one knows, §4.1; to be ignored. */
export function unknown(stream: number, length = 8): Buffer {
  return frame(0xbe, 0xff, stream, Buffer.alloc(length, 0x5a));
}

/** The same bytes `count` times. */
export function repeated(bytes: Uint8Array, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

/** A 32-bit number as on the wire. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function padFlag(padding: number): number {
  return padding < 0 ? 0 : Flag.padded;
}

function padded(content: Uint8Array, padding: number): Uint8Array {
  if (padding < 0) return content;
  return Buffer.concat([Buffer.of(padding), content, Buffer.alloc(padding)]);
}

/** What a frame carries without its padding and, in HEADERS, its priority; null if they do not fit. */
export function contentOf({ type, flags, payload }: Frame): Buffer | null {
  let start = 0;
  let end = payload.length;
  const mayPad = type === FrameType.data || type === FrameType.headers;
  if (mayPad && (flags & Flag.padded) !== 0) {
    if (payload.length === 0) return null;
    start = 1;
    end -= payload[0] ?? 0;
  }
  if (type === FrameType.headers && (flags & Flag.priority) !== 0) start += 5;
  return end < start ? null : payload.subarray(start, end);
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #rest: Buffer = EMPTY;

  /** Returns the frames that are whole now. */
  push(chunk: Buffer): Frame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      frames.push({
        type: bytes[at + 3] ?? 0,
        flags: bytes[at + 4] ?? 0,
        stream: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + HEAD_BYTES, end),
      });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}
