/** Reading frames of HTTP/2 from a socket: what all its ends have in common. */
import { BROKEN, type Connection, WAIT } from "./connection.ts";
import type { KeptBytes } from "./kept-bytes.ts";

/** Who knows what the bytes mean. */
export interface FrameSink {
  /** Nothing more is wanted. */
  readonly isOver: boolean;
  /** Uses whole frames of `bytes[start, end)` of the arena; returns where it stopped. */
  receive(start: number, end: number): number;
}

/** No handler may read from another socket: its bytes would come where these lie. */
function receive(socket: Connection, frames: FrameSink, start: number, end: number): number {
  socket.isInputHeld = true;
  try {
    return frames.receive(start, end);
  } finally {
    socket.isInputHeld = false;
  }
}

/** The turn is used up, but there is more to read. */
export const MORE = 1;

/**
 * Reads and uses what the socket has, `readsMax` times at the most, a part of a frame waiting in `kept`. Returns WAIT, END or
 * BROKEN as `Connection.read` does, or MORE.
 */
export function readFrames(
  socket: Connection,
  frames: FrameSink,
  kept: KeptBytes,
  readsMax: number,
): number {
  for (let reads = 0; socket.readable && !frames.isOver; reads++) {
    if (reads === readsMax) return MORE;
    const at = kept.end;
    const count = socket.read(at, kept.room);
    if (count <= 0) return count;
    const used = receive(socket, frames, kept.start, at + count);
    // A handler may have closed the socket, and `kept` with it.
    if (!socket.isOpen) return WAIT;
    if (!kept.keep(used, at + count)) return BROKEN;
  }
  return WAIT;
}
