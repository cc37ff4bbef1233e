/** Reading frames from a socket: what both ends of HTTP/2 have in common. */
import { INPUT, INPUT_BYTES } from "../net/arena.ts";
import { BROKEN, type Connection, WAIT } from "../net/connection.ts";
import type { KeptBytes } from "../net/kept-bytes.ts";
import type { FrameReader } from "../protocol/http2/frame-reader.ts";
import { READS_PER_TURN } from "./limits.ts";

/** No handler may read from another socket: its bytes would come where these lie. */
function receive(socket: Connection, frames: FrameReader, start: number, end: number): number {
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
 * Reads and uses what the socket has, a part of a frame waiting in `kept`. Returns WAIT, END or
 * BROKEN as `Connection.read` does, or MORE.
 */
export function readFrames(socket: Connection, frames: FrameReader, kept: KeptBytes): number {
  for (let reads = 0; socket.readable && !frames.isOver; reads++) {
    if (reads === READS_PER_TURN) return MORE;
    const isPart = kept.length > 0;
    const at = isPart ? kept.end : INPUT;
    const count = socket.read(at, isPart ? kept.room : INPUT_BYTES);
    if (count <= 0) return count;
    const used = receive(socket, frames, isPart ? kept.start : INPUT, at + count);
    // A handler may have closed the socket, and `kept` with it.
    if (!socket.isOpen) return WAIT;
    if (!kept.keep(used, at + count)) return BROKEN;
  }
  return WAIT;
}
