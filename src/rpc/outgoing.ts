/**
 * The messages that one stream is to send. They wait here as they came, and the connection is given
 * what it can send at once: thousands of streams of slow peers would else share a budget for what is
 * kept, and who finds it spent is reset.
 */
import { CONTENT } from "../net/arena.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";
import type { Http2Stream } from "../protocol/http2/stream.ts";
import { PREFIX_BYTES, writePrefix } from "./message-reader.ts";

/** What waits on several streams, all together. */
export class QueuedBytes {
  total = 0;
  readonly #pressedAt: number;

  constructor(pressedAt: number) {
    this.#pressedAt = pressedAt;
  }

  /** So much that streams whose peer takes nothing must make room soon. */
  get isPressed(): boolean {
    return this.total > this.#pressedAt;
  }
}

/**
 * Given to a stream though its window is full, to be kept: when that has gone, there is room again. The
 * least that the budget gives.
 */
const KEPT_BYTES = 1_024;

export class Outgoing {
  /** Bytes, prefixes too, that were given here and that the connection has not taken. */
  queuedBytes = 0;
  /** … and that it has taken, in all. */
  takenBytes = 0;
  /** The stream is to be ended with the last of these. */
  endsStream = false;
  readonly #all: QueuedBytes;
  readonly #messages: Uint8Array[] = [];
  /** How much of the first one, prefix too, was taken. */
  #offset = 0;

  constructor(all: QueuedBytes) {
    this.#all = all;
  }

  push(message: Uint8Array): void {
    this.#messages.push(message);
    this.#count(PREFIX_BYTES + message.length);
  }

  #count(bytes: number): void {
    this.queuedBytes += bytes;
    this.#all.total += bytes;
  }

  /** A message was begun and is not wholly taken. */
  get isWithin(): boolean {
    return this.#offset > 0;
  }

  clear(): void {
    this.#messages.length = 0;
    this.#count(-this.queuedBytes);
    this.#offset = 0;
  }

  /**
   * Gives the connection what it can take, and nothing while it is blocked as a whole: to be called
   * again when it no longer is. False: it has no memory, the stream must be reset.
   */
  pump(frames: Http2Connection, stream: Http2Stream): boolean {
    while (this.queuedBytes > 0 && stream.isOpen && !stream.weEnded && stream.keptBytes === 0) {
      if (frames.sender.isBlocked) return true;
      const end = this.#fill(frames.bytes, Math.max(frames.sender.room(stream), KEPT_BYTES));
      const isEnd = this.endsStream && this.queuedBytes === 0;
      if (!frames.sender.sendData(stream, CONTENT, end, isEnd)) return false;
    }
    return true;
  }

  /** Puts a piece of at most `bytesMax` together at CONTENT; returns where it ends. */
  #fill(bytes: Uint8Array, bytesMax: number): number {
    const limit = CONTENT + bytesMax;
    let to = CONTENT;
    while (to + PREFIX_BYTES < limit) {
      const message = this.#messages[0];
      if (message === undefined) break;
      if (this.#offset === 0) {
        writePrefix(bytes, to, message.length);
        this.#offset = PREFIX_BYTES;
        to += PREFIX_BYTES;
      }
      const from = this.#offset - PREFIX_BYTES;
      const count = Math.min(message.length - from, limit - to);
      bytes.set(message.subarray(from, from + count), to);
      to += count;
      this.#offset += count;
      if (this.#offset < PREFIX_BYTES + message.length) break;
      this.#messages.shift();
      this.#offset = 0;
    }
    this.#count(CONTENT - to);
    this.takenBytes += to - CONTENT;
    return to;
  }
}
