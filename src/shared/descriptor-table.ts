/**
 * Who owns each descriptor of the data plane. A descriptor is a number that the kernel gives out
 * again as soon as it is closed, so "close what I think is mine" serves one client's bytes to
 * another. Every descriptor therefore has one word here:
 *
 *     generation (24 bits) | state (8 bits)
 *
 *     free ──claim──▶ owned(t) ──hand──▶ handed(w) ──adopt──▶ owned(w)
 *       ▲                │                                      │
 *       └────release─────┴───────────────release────────────────┘
 *
 * Each arrow is one compare-exchange on the whole word. `release` adds one to the generation and
 * comes before close(2): as long as the kernel has not closed the number it cannot give it out
 * again, so nobody can claim it in between. Whoever loses an exchange does not touch the
 * descriptor. When a worker dies, what it owned is released and closed by the main thread; what
 * was handed to it but not adopted stays in its ring for its successor.
 */
import { DESCRIPTORS_MAX } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

const FREE = 0;
const OWNED = 1;
const HANDED = 64;
const STATE_MASK = 0xff;
const GENERATION_STEP = 0x100;

/** Owner number of the acceptor; workers are 0 to WORKERS_MAX - 1. */
export const ACCEPTOR_OWNER = 32;

export class DescriptorTable {
  readonly #words: Words;
  readonly #base: number;

  constructor(memory: Memory) {
    this.#words = memory.words;
    this.#base = memory.layout.descriptors;
  }

  /** Takes a descriptor that the kernel just gave to `owner`. False: too high, or still owned. */
  claim(fd: number, owner: number): boolean {
    if (fd >= DESCRIPTORS_MAX) return false;
    const word = Atomics.load(this.#words, this.#base + fd);
    if ((word & STATE_MASK) !== FREE) return false;
    return this.#swap(fd, word, (word & ~STATE_MASK) | (OWNED + owner));
  }

  /** Passes `fd` from `owner` to worker `to`. Returns the ticket that `adopt` wants, or -1. */
  hand(fd: number, owner: number, to: number): number {
    const word = Atomics.load(this.#words, this.#base + fd);
    if ((word & STATE_MASK) !== OWNED + owner) return -1;
    const handed = (word & ~STATE_MASK) | (HANDED + to);
    return this.#swap(fd, word, handed) ? handed >>> 0 : -1;
  }

  /** Takes back what `hand` passed on, when it could not be queued. */
  unhand(fd: number, ticket: number, owner: number): boolean {
    return this.#swap(fd, ticket | 0, ((ticket | 0) & ~STATE_MASK) | (OWNED + owner));
  }

  /** Takes over a handed descriptor. False: the ticket is stale and `fd` is someone else's. */
  adopt(fd: number, ticket: number, worker: number): boolean {
    const word = ticket | 0;
    if ((word & STATE_MASK) !== HANDED + worker) return false;
    return this.#swap(fd, word, (word & ~STATE_MASK) | (OWNED + worker));
  }

  /** Gives up `fd`. Only when this returns true may, and must, the caller close it. */
  release(fd: number, owner: number): boolean {
    const word = Atomics.load(this.#words, this.#base + fd);
    if ((word & STATE_MASK) !== OWNED + owner) return false;
    return this.#swap(fd, word, ((word & ~STATE_MASK) + GENERATION_STEP) | FREE);
  }

  /**
   * Releases all that a dead owner owned and returns the descriptors, each to be closed once. Only
   * before its successor starts: the successor has the same number.
   */
  reclaim(owner: number): number[] {
    const reclaimed: number[] = [];
    for (let fd = 0; fd < DESCRIPTORS_MAX; fd++) {
      if (this.release(fd, owner)) reclaimed.push(fd);
    }
    return reclaimed;
  }

  /** Counts the descriptors that are not free. For tests and the admin page. */
  count(): number {
    let count = 0;
    for (let fd = 0; fd < DESCRIPTORS_MAX; fd++) {
      if ((Atomics.load(this.#words, this.#base + fd) & STATE_MASK) !== FREE) count++;
    }
    return count;
  }

  #swap(fd: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, this.#base + fd, from, to) === from;
  }
}
