/**
 * A TCP connection on a thread's loop. Readiness comes from epoll's edges and is kept in
 * `readable`; writing tries the socket first and queues the rest in chunks, whose limit is kept by
 * the reader of the other side: it stops reading while anything is queued here.
 *
 *   read():  > 0 bytes read · END the peer's FIN · WAIT nothing now · BROKEN reset or failed
 */
import { assert } from "../lib/assert.ts";
import type { Arena } from "./arena.ts";
import { CHUNK_BYTES, INPUT, NONE, OUTPUT } from "./arena.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  Errno,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SHUT_WR,
} from "./constants.ts";
import type { Descriptors } from "./descriptors.ts";
import { errno, libc } from "./libc.ts";
import type { Deferred, Loop } from "./loop.ts";

export const END = 0;
export const WAIT = -1;
export const BROKEN = -2;

/** What every connection of a thread stands on. */
export type Io = { readonly loop: Loop; readonly arena: Arena; readonly descriptors: Descriptors };

/** Bytes that are copied to go out in one write with others; beyond it, a copy costs more. */
const JOINED_BYTES_MAX = 16_384;
const EPIPE = 32;
const ENOTCONN = 107;
const FATAL: ReadonlySet<number> = new Set([
  EPIPE,
  ENOTCONN,
  Errno.ECONNRESET,
  Errno.ECONNREFUSED,
  Errno.ETIMEDOUT,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
]);

export abstract class Connection implements Deferred {
  fd: number;
  isDeferred = false;
  /** There may be bytes, or an end, to read. */
  readable = false;
  /** The connection failed; nothing can be read or written any more. */
  isBroken = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** Bytes waiting for the socket to take them. */
  queuedBytes = 0;
  protected readonly io: Io;
  #place = NONE;
  #hangup = false;
  #hasError = false;
  #endAfterFlush = false;
  /** Chunks with queued bytes, and where in the arena these end in each. */
  #chunks: number[] = [];
  #ends: number[] = [];
  /** Where the first queued byte is. */
  #first = 0;

  constructor(io: Io, fd: number) {
    this.io = io;
    this.fd = fd;
  }

  /** Readiness changed; `drained`: the queue was emptied just now. */
  protected abstract onReady(drained: boolean): void;
  abstract onDeferred(): void;
  /** Closes this connection, and what depends on it, after a bug or a reset. */
  abstract onFault(): void;

  get isOpen(): boolean {
    return this.fd !== NONE;
  }

  /** Registers with the loop. Returns false, and closes, when that fails. */
  register(): boolean {
    this.#place = this.io.loop.poller.add(this.fd, this);
    if (this.#place !== NONE) return true;
    this.close();
    return false;
  }

  /** Becomes the owner of what `other` was: descriptor, registration, queue and readiness. */
  takeOver(other: Connection): void {
    this.fd = other.fd;
    this.#place = other.#place;
    this.#hangup = other.#hangup;
    this.#hasError = other.#hasError;
    this.readable = other.readable;
    this.isBroken = other.isBroken;
    this.bytesRead = other.bytesRead;
    this.bytesWritten = other.bytesWritten;
    this.queuedBytes = other.queuedBytes;
    this.#chunks = other.#chunks;
    this.#ends = other.#ends;
    this.#first = other.#first;
    this.io.loop.poller.replace(this.#place, this);
    other.fd = NONE;
    other.#place = NONE;
    other.queuedBytes = 0;
    other.#chunks = [];
    other.#ends = [];
  }

  onEvents(events: number): void {
    if ((events & EPOLLERR) !== 0) this.#hasError = true;
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0) this.#hangup = true;
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0) this.readable = true;
    const hadQueue = this.queuedBytes > 0;
    if (hadQueue && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.flush();
    this.onReady(hadQueue && this.queuedBytes === 0);
  }

  /** The peer reset the connection, or it failed. A mere FIN does not count. */
  get hasError(): boolean {
    return this.#hasError || this.isBroken;
  }

  /** Somebody is using bytes at INPUT, and must be let finish before anything is read there. */
  set isInputHeld(isHeld: boolean) {
    this.io.arena.isInputHeld = isHeld;
  }

  /** Reads up to `max` bytes to `arena.bytes[at, …)`. */
  read(at: number, max: number): number {
    const { arena } = this.io;
    assert(at !== INPUT || !arena.isInputHeld, "bytes at INPUT are in use");
    const count = libc.recv(this.fd, arena.address + at, max, MSG_DONTWAIT);
    if (count > 0) {
      this.bytesRead += count;
      // A short read of a stream has emptied it (epoll(7)), unless an end is still to be read.
      if (count < max && !this.#hangup) this.readable = false;
      return count;
    }
    this.readable = false;
    if (count === 0) return END;
    if (!this.#hasError && !FATAL.has(errno())) return WAIT;
    this.isBroken = true;
    return BROKEN;
  }

  /** Writes `arena.bytes[at, end)`; what the socket does not take now is queued. */
  write(at: number, end: number): void {
    if (end <= at || this.isBroken || this.fd === NONE) return;
    let from = at;
    if (this.queuedBytes === 0) {
      from += this.#send(at, end);
      if (from === end || this.isBroken) return;
    }
    this.append(from, end);
  }

  /** Sends a FIN once all that was written is on its way. */
  end(): void {
    if (this.queuedBytes > 0) this.#endAfterFlush = true;
    else if (this.fd !== NONE) libc.shutdown(this.fd, SHUT_WR);
  }

  /** Closes at once; what is queued is lost. */
  close(): void {
    if (this.fd === NONE) return;
    const fd = this.#release();
    this.io.descriptors.close(fd);
  }

  /** Closes with a reset. */
  reset(): void {
    if (this.fd === NONE) return;
    const fd = this.#release();
    this.io.descriptors.reset(fd);
  }

  #release(): number {
    const fd = this.fd;
    if (this.#place !== NONE) this.io.loop.poller.forget(this.#place);
    this.#place = NONE;
    this.fd = NONE;
    this.readable = false;
    this.queuedBytes = 0;
    for (const chunk of this.#chunks) this.io.arena.free(chunk);
    this.#chunks = [];
    this.#ends = [];
    return fd;
  }

  #send(at: number, end: number): number {
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const count = libc.send(this.fd, this.io.arena.address + at, end - at, flags);
    if (count >= 0) {
      this.bytesWritten += count;
      return count;
    }
    if (this.#hasError || FATAL.has(errno())) this.isBroken = true;
    return 0;
  }

  /** Queues `arena.bytes[at, end)`, to be sent by the next `flush` together with what follows. */
  append(at: number, end: number): void {
    const { arena } = this.io;
    for (let from = at; from < end && !this.isBroken && this.fd !== NONE; ) {
      const to = this.reserve(1);
      const last = this.#chunks.length - 1;
      const room = (this.#chunks[last] ?? to) + CHUNK_BYTES - to;
      const count = Math.min(end - from, room);
      if (this.isBroken) return;
      arena.bytes.copyWithin(to, from, from + count);
      this.commit(to + count);
      from += count;
    }
  }

  /** Joins little with what is queued; sends much from where it is, behind what is queued. */
  appendOrWrite(at: number, end: number): void {
    if (end - at <= JOINED_BYTES_MAX) return this.append(at, end);
    this.flush();
    this.write(at, end);
  }

  /**
   * Returns where `count` bytes, at most a chunk's, can be written that `commit` then queues. Out of
   * memory it breaks the connection, and what is written goes nowhere.
   */
  reserve(count: number): number {
    const last = this.#chunks.length - 1;
    const tail = this.#chunks[last];
    const end = this.#ends[last];
    if (tail !== undefined && end !== undefined && end + count <= tail + CHUNK_BYTES) return end;
    const chunk = this.isBroken || this.fd === NONE ? NONE : this.io.arena.allocate();
    if (chunk === NONE) {
      this.isBroken = true;
      return OUTPUT;
    }
    if (last === -1) this.#first = chunk;
    this.#chunks.push(chunk);
    this.#ends.push(chunk);
    return chunk;
  }

  /** Queues what was written to the place that `reserve` gave, up to `end`. */
  commit(end: number): void {
    const last = this.#chunks.length - 1;
    const from = this.#ends[last];
    if (this.isBroken || from === undefined) return;
    this.#ends[last] = end;
    this.queuedBytes += end - from;
  }

  /** Sends of the queue what the socket takes. */
  flush(): void {
    while (this.#chunks.length > 0 && !this.isBroken) {
      const chunk = this.#chunks[0] ?? NONE;
      const end = this.#ends[0] ?? chunk;
      const sent = end > this.#first ? this.#send(this.#first, end) : 0;
      this.#first += sent;
      this.queuedBytes -= sent;
      if (this.#first < end) return;
      this.io.arena.free(chunk);
      this.#chunks.shift();
      this.#ends.shift();
      this.#first = this.#chunks[0] ?? NONE;
    }
    if (!this.isBroken && this.#endAfterFlush) libc.shutdown(this.fd, SHUT_WR);
  }
}
