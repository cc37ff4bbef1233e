/** SETTINGS, RFC 9113 §6.5: what the peer may say, and what we say. */
import { ErrorCode } from "./error-code.ts";
import { FRAME_BYTES_MAX, readU32, writeU32 } from "./frame-head.ts";

export const SETTING_BYTES = 6;
/** §6.9.2: before anything is said. */
export const INITIAL_WINDOW_BYTES = 65_535;
/** §6.9.1: a window above it is FLOW_CONTROL_ERROR. */
export const WINDOW_BYTES_MAX = 0x7fff_ffff;
const FRAME_SIZE_MAX = 0xff_ffff;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** The peer's values, with the RFC's defaults until it says something. */
export class PeerSettings {
  headerTableBytes = 4_096;
  /** Until the peer says it, as many as RFC 9113 §6.5.2 recommends at the least. */
  maxConcurrentStreams = 100;
  initialWindowBytes = INITIAL_WINDOW_BYTES;
  readonly #isServer: boolean;

  /** `isServer`: the peer is the server, which may not allow push: that is for us to do. */
  constructor(isServer: boolean) {
    this.#isServer = isServer;
  }

  /** Takes the entries in `bytes[start, end)`, a multiple of six; returns an ErrorCode, 0 if right. */
  read(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at += SETTING_BYTES) {
      const value = readU32(bytes, at + 2);
      const error = this.#take(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0), value);
      if (error !== ErrorCode.noError) return error;
    }
    return ErrorCode.noError;
  }

  #take(id: number, value: number): number {
    switch (id) {
      case Setting.headerTableSize:
        this.headerTableBytes = value;
        break;
      case Setting.enablePush:
        if (value > (this.#isServer ? 0 : 1)) return ErrorCode.protocolError;
        break;
      case Setting.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        break;
      case Setting.initialWindowSize:
        if (value > WINDOW_BYTES_MAX) return ErrorCode.flowControlError;
        this.initialWindowBytes = value;
        break;
      case Setting.maxFrameSize:
        if (value < FRAME_BYTES_MAX || value > FRAME_SIZE_MAX) return ErrorCode.protocolError;
        // We never send larger ones than everybody takes.
        break;
      default:
        // §6.5.2: unknown ones are ignored. We never look at how long a head the peer wants.
        break;
    }
    return ErrorCode.noError;
  }
}

/** Writes one entry and returns where it ends. */
export function writeSetting(bytes: Uint8Array, at: number, id: number, value: number): number {
  bytes[at] = 0;
  bytes[at + 1] = id;
  return writeU32(bytes, at + 2, value);
}
