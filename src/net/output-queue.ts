/**
 * Bytes that wait to be sent on one connection, in chunks of the arena. A class of its own and never
 * inherited from: every frame passes here, and an engine that sees one shape is faster by far than
 * with the shapes of all that have a socket.
 */
import { copyWithin } from "../lib/viewed-bytes.ts";
import { type Arena, CHUNK_BYTES, NONE, OUTPUT } from "./arena.ts";
import type { Deferred, Loop } from "./loop.ts";

/** Whose bytes they are. */
export interface QueueOwner extends Deferred {
  isBroken: boolean;
  readonly isOpen: boolean;
  flush(): void;
}

export class OutputQueue {
  queuedBytes = 0;
  owner: QueueOwner;
  /** The owner flushes at the end of a turn in which something was queued. */
  isDeferring: boolean;
  readonly #arena: Arena;
  readonly #loop: Loop;
  /** The last chunk with queued bytes, mostly the only one, and where these end in it. */
  #chunk = NONE;
  #end = NONE;
  /** The chunks before it, the oldest first: each and where its bytes end. */
  readonly #before: number[] = [];
  /** Where the first queued byte is. */
  #first = NONE;

  constructor(arena: Arena, loop: Loop, owner: QueueOwner, isDeferring: boolean) {
    this.#arena = arena;
    this.#loop = loop;
    this.owner = owner;
    this.isDeferring = isDeferring;
  }

  /** The arena's, with the room that `reserve` gave last. */
  get bytes(): Uint8Array {
    return this.#arena.bytes;
  }

  /**
   * Returns where `count` bytes, at most a chunk's, can be written that `commit` then queues. Out of
   * memory it breaks the connection, and what is written goes nowhere.
   */
  reserve(count: number): number {
    const last = this.#chunk;
    if (last !== NONE && this.#end + count <= last + CHUNK_BYTES) return this.#end;
    const isUsable = !this.owner.isBroken && this.owner.isOpen;
    const chunk = isUsable ? this.#arena.allocate() : NONE;
    if (chunk === NONE) {
      this.owner.isBroken = true;
      return OUTPUT;
    }
    if (last === NONE) this.#first = chunk;
    else this.#before.push(last, this.#end);
    this.#chunk = chunk;
    this.#end = chunk;
    return chunk;
  }

  /** Queues what was written to the place that `reserve` gave, up to `end`. */
  commit(end: number): void {
    // What was written to OUTPUT, for want of a chunk, lies before all chunks.
    if (this.#chunk === NONE || end < this.#end) return;
    this.queuedBytes += end - this.#end;
    this.#end = end;
    if (this.isDeferring) this.#loop.defer(this.owner);
  }

  /** Queues a copy of `bytes[at, end)`. */
  append(at: number, end: number): void {
    for (let from = at; from < end; ) {
      const to = this.reserve(1);
      if (this.owner.isBroken) return;
      const room = this.#chunk + CHUNK_BYTES - to;
      const count = Math.min(end - from, room);
      copyWithin(this.bytes, from, from + count, to);
      this.commit(to + count);
      from += count;
    }
  }

  /** Has the owner send what it can now. */
  flush(): void {
    this.owner.flush();
  }

  get isEmpty(): boolean {
    return this.#chunk === NONE;
  }

  /** The first piece that waits: `bytes[first, firstEnd)`. */
  get first(): number {
    return this.#first;
  }

  get firstEnd(): number {
    return this.#before.length === 0 ? this.#end : (this.#before[1] ?? NONE);
  }

  /** `count` bytes of the first piece were sent. Returns whether that was all of it. */
  sent(count: number): boolean {
    this.#first += count;
    this.queuedBytes -= count;
    if (this.#first < this.firstEnd) return false;
    if (this.#before.length === 0) {
      this.#arena.free(this.#chunk);
      this.#chunk = NONE;
      this.#first = NONE;
    } else {
      this.#arena.free(this.#before[0] ?? NONE);
      this.#before.splice(0, 2);
      this.#first = this.#before[0] ?? this.#chunk;
    }
    return true;
  }

  clear(): void {
    for (let i = 0; i < this.#before.length; i += 2) this.#arena.free(this.#before[i] ?? NONE);
    this.#before.length = 0;
    if (this.#chunk !== NONE) this.#arena.free(this.#chunk);
    this.#chunk = NONE;
    this.queuedBytes = 0;
  }
}
