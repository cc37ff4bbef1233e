/**
 * A TCP connection on a thread's loop, perhaps with TLS in it: then what is read and written here is
 * the plaintext. Readiness comes from epoll's edges and is kept in `readable`; writing tries the
 * socket first and queues the rest in chunks, whose limit is kept by the reader of the other side: it
 * stops reading while anything is queued here.
 *
 *   read():  > 0 bytes read · END the peer's FIN · WAIT nothing now · BROKEN reset or failed
 */
import { assert } from "../lib/assert.ts";
import type { Arena } from "./arena.ts";
import { CHUNK_BYTES, INPUT, NONE } from "./arena.ts";
import {
  EPOLL_ENDS,
  EPOLL_WRITES,
  EPOLLERR,
  EPOLLIN,
  EPOLLPRI,
  Errno,
  FATAL_ERRNOS,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  SHUT_WR,
} from "./constants.ts";
import type { Descriptors } from "./descriptors.ts";
import { errno, libc } from "./libc.ts";
import type { Deferred, Loop } from "./loop.ts";
import { OutputQueue } from "./output-queue.ts";
import type { TlsContext } from "./tls-context.ts";
import { type Handshake, TlsSession } from "./tls-session.ts";

export const END = 0;
export const WAIT = -1;
export const BROKEN = -2;

/** What every connection of a thread stands on. */
export type Io = { readonly loop: Loop; readonly arena: Arena; readonly descriptors: Descriptors };

export abstract class Connection implements Deferred {
  fd: number;
  isDeferred = false;
  /** There may be bytes, or an end, to read. */
  readable = false;
  /** The connection failed: nothing can be written any more, and read only what has come before. */
  isBroken = false;
  /** A write met a reset, which no read tells of then: it sees an end. */
  #isCut = false;
  bytesRead = 0;
  bytesWritten = 0;
  output: OutputQueue;
  tls: TlsSession | null = null;
  protected readonly io: Io;
  #place = NONE;
  /** What epoll has told of, of EPOLL_ENDS and EPOLLPRI: a read stops at an urgent byte (tcp(7)). */
  #marks = 0;
  /** A FIN is to be sent behind what waits. */
  #isEnding = false;

  constructor(io: Io, fd: number) {
    this.io = io;
    this.fd = fd;
    this.output = new OutputQueue(io.arena, io.loop, this, this.defersFlush);
  }

  /** Whether `onDeferred` flushes what was queued in a turn. */
  protected get defersFlush(): boolean {
    return false;
  }

  /** Bytes waiting for the socket to take them. */
  get queuedBytes(): number {
    return this.output.queuedBytes;
  }

  /** The socket has taken everything, a FIN that was asked for too. */
  get isFlushed(): boolean {
    return this.output.queuedBytes === 0 && !this.#isEnding;
  }

  /** Readiness changed; `drained`: the queue was emptied just now. */
  protected abstract onReady(drained: boolean): void;
  abstract onDeferred(): void;
  /** Closes this connection, and what depends on it, after a bug or a reset. */
  abstract onFault(): void;

  /** Until when the peer's proof of who it is holds, milliseconds since 1970; for ever without TLS. */
  get provenUntilMs(): number {
    return this.tls?.peerNotAfterMs ?? Number.POSITIVE_INFINITY;
  }

  get isOpen(): boolean {
    return this.fd !== NONE;
  }

  /** Registers with the loop. Returns false, and closes, when that fails. */
  register(): boolean {
    this.#place = this.io.loop.poller.add(this.fd, this);
    if (this.#place === NONE) this.close();
    return this.isOpen;
  }

  /** Becomes the owner of what `other` was: descriptor, registration, queue and readiness. */
  takeOver(other: Connection): void {
    this.fd = other.fd;
    this.#place = other.#place;
    this.#marks = other.#marks;
    this.readable = other.readable;
    this.isBroken = other.isBroken;
    this.bytesRead = other.bytesRead;
    this.bytesWritten = other.bytesWritten;
    this.tls = other.tls;
    this.#isEnding = other.#isEnding;
    other.tls = null;
    // Without queued bytes each keeps its own: somebody may hold it already.
    if (other.queuedBytes > 0) {
      const { output } = this;
      this.output = other.output;
      this.output.owner = this;
      this.output.isDeferring = this.defersFlush;
      other.output = output;
    }
    this.io.loop.poller.replace(this.#place, this);
    other.fd = NONE;
    other.#place = NONE;
  }

  onEvents(events: number): void {
    this.#marks |= events & (EPOLL_ENDS | EPOLLPRI);
    if ((events & (EPOLLIN | EPOLL_ENDS)) !== 0) this.readable = true;
    const hadQueue = !this.isFlushed;
    if (hadQueue && (events & EPOLL_WRITES) !== 0) this.flush();
    this.onReady(hadQueue && this.isFlushed);
  }

  /** The peer reset the connection, or it failed. A mere FIN does not count. */
  get hasError(): boolean {
    return (this.#marks & EPOLLERR) !== 0 || this.isBroken;
  }

  /** The peer sends no more: what `peek` shows is all that there will be. */
  protected get hasEnded(): boolean {
    return this.tls?.isOver ?? (this.#marks & EPOLL_ENDS) !== 0;
  }

  /** Somebody is using bytes at INPUT, and must be let finish before anything is read there. */
  set isInputHeld(isHeld: boolean) {
    this.io.arena.isInputHeld = isHeld;
  }

  /**
   * Begins TLS, in the context's role; `serverName` is what a client asks for. Nothing may have been
   * read or written before. `handshake` follows upon each readiness.
   */
  startTls(context: TlsContext, serverName: string | null): void {
    this.tls = new TlsSession(this.io.arena, context, this.fd, serverName);
  }

  /** Gives TLS up: from now on it is a mere descriptor, fit to be closed. */
  dropTls(): void {
    this.tls?.free();
    this.tls = null;
  }

  /** Goes on with the handshake; `tls.failure` says why it failed. */
  handshake(): Handshake {
    return this.tls?.handshake() ?? "failed";
  }

  /** Reads up to `max` bytes to `arena.bytes[at, …)`. */
  read(at: number, max: number): number {
    const { arena } = this.io;
    assert(at !== INPUT || !arena.isInputHeld, "bytes at INPUT are in use");
    if (this.tls !== null) return this.#readTls(this.tls, at, max);
    const count = libc.recv(this.fd, arena.address + at, max, MSG_DONTWAIT);
    if (count > 0) {
      this.bytesRead += count;
      // A short read emptied the stream (epoll(7)), but for its end and what an urgent byte hides.
      if (count < max && this.#marks === 0) this.readable = false;
      return count;
    }
    this.readable = false;
    if (count === 0) return this.#isCut ? BROKEN : END;
    if (!this.hasError && !FATAL_ERRNOS.has(errno())) return WAIT;
    this.isBroken = true;
    return BROKEN;
  }

  #readTls(tls: TlsSession, at: number, max: number): number {
    const count = tls.read(at, max, this.#marks !== 0);
    this.readable = tls.hasMore && count !== END && count !== BROKEN;
    // Nothing yet, but the socket was not empty: no edge will tell of what is left in it.
    if (count === WAIT && this.readable) this.io.loop.defer(this);
    if (count > 0) this.bytesRead += count;
    else if (count === BROKEN) this.isBroken = true;
    return count;
  }

  /**
   * Shows at `at` what the next `read` will return, a chunk at the most, without using it up. Returns
   * the bytes shown, or END, WAIT or BROKEN.
   */
  peek(at: number): number {
    const { arena } = this.io;
    const { tls } = this;
    const flags = MSG_PEEK | MSG_DONTWAIT;
    if (tls === null)
      return Math.max(libc.recv(this.fd, arena.address + at, CHUNK_BYTES, flags), WAIT);
    const count = tls.peek(at);
    if (count === WAIT && tls.hasMore) this.io.loop.defer(this);
    return count;
  }

  /** Writes `arena.bytes[at, end)`; what the socket does not take now is queued. */
  write(at: number, end: number): void {
    if (end <= at || this.isBroken || this.fd === NONE) return;
    const from = this.queuedBytes === 0 ? at + this.#send(at, end, 0) : at;
    if (from < end && !this.isBroken) this.append(from, end);
  }

  /** Sends a FIN once all that was written is on its way. */
  end(): void {
    if (this.fd === NONE) return;
    this.#isEnding = true;
    if (this.queuedBytes === 0) this.#sendEnd();
  }

  #sendEnd(): void {
    if (this.tls?.end() === false) return;
    this.#isEnding = false;
    libc.shutdown(this.fd, SHUT_WR);
  }

  /** Closes at once; what is queued is lost. */
  close(): void {
    if (this.fd === NONE) return;
    if (!this.isBroken && this.queuedBytes === 0) this.tls?.end();
    this.io.descriptors.close(this.#release());
  }

  /** Closes with a reset. */
  reset(): void {
    if (this.fd === NONE) return;
    this.io.descriptors.reset(this.#release());
  }

  #release(): number {
    const fd = this.fd;
    if (this.#place !== NONE) this.io.loop.poller.forget(this.#place);
    this.#place = NONE;
    this.fd = NONE;
    this.readable = false;
    this.output.clear();
    this.dropTls();
    return fd;
  }

  #send(at: number, end: number, more: number): number {
    if (this.tls !== null) return this.#sendTls(this.tls, at, end);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL | more;
    const count = libc.send(this.fd, this.io.arena.address + at, end - at, flags);
    if (count >= 0) {
      this.bytesWritten += count;
      return count;
    }
    const error = errno();
    if (this.hasError || FATAL_ERRNOS.has(error)) this.isBroken = true;
    if (error === Errno.ECONNRESET) this.#isCut = true;
    return 0;
  }

  /** A record at a time: as many as the socket takes. */
  #sendTls(tls: TlsSession, at: number, end: number): number {
    const { address } = this.io.arena;
    let from = at;
    while (from < end) {
      const count = tls.write(address + from, end - from);
      if (count === BROKEN) this.isBroken = true;
      if (count <= 0) break;
      from += count;
    }
    this.bytesWritten += from - at;
    return from - at;
  }

  /** Queues `arena.bytes[at, end)`, to be sent by the next `flush` together with what follows. */
  append(at: number, end: number): void {
    this.output.append(at, end);
  }

  /** Sends of the queue what the socket takes. `more`: MSG_MORE when a FIN follows at once. */
  flush(more = 0): void {
    const { output } = this;
    while (!output.isEmpty && !this.isBroken) {
      const { first, firstEnd } = output;
      const sent = firstEnd > first ? this.#send(first, firstEnd, more) : 0;
      if (!output.sent(sent)) return;
    }
    if (!this.isBroken && this.#isEnding) this.#sendEnd();
  }
}
