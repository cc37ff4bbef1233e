/**
 * Bytes that wait to be sent on one connection, in chunks of the arena. A class of its own and never
 * inherited from: every frame passes here, and an engine that sees one shape is faster by far than
 * with the shapes of all that have a socket.
 */
import { type Arena, CHUNK_BYTES, NONE, OUTPUT } from "./arena.ts";
import type { Deferred, Loop } from "./loop.ts";

/** Whose bytes they are. */
export interface QueueOwner extends Deferred {
  isBroken: boolean;
  readonly isOpen: boolean;
  flush(): void;
}

export class OutputQueue {
  readonly bytes: Uint8Array;
  queuedBytes = 0;
  owner: QueueOwner;
  /** The owner flushes at the end of a turn in which something was queued. */
  isDeferring: boolean;
  readonly #arena: Arena;
  readonly #loop: Loop;
  /** Chunks with queued bytes, and where in the arena these end in each. */
  readonly #chunks: number[] = [];
  readonly #ends: number[] = [];
  /** Where the first queued byte is. */
  #first = NONE;

  constructor(arena: Arena, loop: Loop, owner: QueueOwner, isDeferring: boolean) {
    this.bytes = arena.bytes;
    this.#arena = arena;
    this.#loop = loop;
    this.owner = owner;
    this.isDeferring = isDeferring;
  }

  /**
   * Returns where `count` bytes, at most a chunk's, can be written that `commit` then queues. Out of
   * memory it breaks the connection, and what is written goes nowhere.
   */
  reserve(count: number): number {
    const last = this.#chunks.length - 1;
    if (last >= 0) {
      const end = this.#ends[last] ?? NONE;
      if (end + count <= (this.#chunks[last] ?? NONE) + CHUNK_BYTES) return end;
    }
    const isUsable = !this.owner.isBroken && this.owner.isOpen;
    const chunk = isUsable ? this.#arena.allocate() : NONE;
    if (chunk === NONE) {
      this.owner.isBroken = true;
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
    // What was written to OUTPUT, for want of a chunk, lies before all chunks.
    if (from === undefined || end < from) return;
    this.#ends[last] = end;
    this.queuedBytes += end - from;
    if (this.isDeferring) this.#loop.defer(this.owner);
  }

  /** Queues a copy of `bytes[at, end)`. */
  append(at: number, end: number): void {
    for (let from = at; from < end; ) {
      const to = this.reserve(1);
      if (this.owner.isBroken) return;
      const last = this.#chunks.length - 1;
      const room = (this.#chunks[last] ?? to) + CHUNK_BYTES - to;
      const count = Math.min(end - from, room);
      this.bytes.copyWithin(to, from, from + count);
      this.commit(to + count);
      from += count;
    }
  }

  /** Has the owner send what it can now. */
  flush(): void {
    this.owner.flush();
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** The first piece that waits: `bytes[first, firstEnd)`. */
  get first(): number {
    return this.#first;
  }

  get firstEnd(): number {
    return this.#ends[0] ?? NONE;
  }

  /** `count` bytes of the first piece were sent. Returns whether that was all of it. */
  sent(count: number): boolean {
    this.#first += count;
    this.queuedBytes -= count;
    if (this.#first < this.firstEnd) return false;
    const chunk = this.#chunks.shift();
    this.#ends.shift();
    if (chunk !== undefined) this.#arena.free(chunk);
    this.#first = this.#chunks[0] ?? NONE;
    return true;
  }

  clear(): void {
    for (const chunk of this.#chunks) this.#arena.free(chunk);
    this.#chunks.length = 0;
    this.#ends.length = 0;
    this.queuedBytes = 0;
  }
}
