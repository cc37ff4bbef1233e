/**
 * A thread's own memory outside the JavaScript heap: one reservation, at one address that never
 * moves, seen as one `Uint8Array`. System calls read and write it, codecs parse it in place, and
 * one `copyWithin` moves bytes between any two buffers without an object per copy. Pages that were
 * never touched cost nothing.
 *
 *   | arguments 4 KiB | epoll events 12 KiB | input 64 KiB | scratch, see below | chunks … |
 *
 * `input` and the scratch areas belong to whoever runs until it returns to the loop. What
 * must outlive the turn lies in chunks of 64 KiB. When all are used, `allocate` returns NONE, and
 * whoever asked gives up its connection.
 */
import { assert } from "../lib/assert.ts";
import { MADV_DONTNEED, MAP_PRIVATE_ANONYMOUS_NORESERVE, PROT_READ_WRITE } from "./constants.ts";
import { libc } from "./libc.ts";
import { runtime } from "./runtime.ts";

/** A chunk: the limit on a message head, and on what is buffered each way per connection. */
export const CHUNK_BYTES = 65_536;
/** Chunks of one thread: 128 MiB of addresses, and so of buffered bytes, at the very most. */
export const CHUNKS_MAX = 2_048;
/**
 * Chunks that are seen at first, 2 MiB; twice as many each time that they are not enough.
 * JavaScriptCore counts what is seen as live heap, and lets as much garbage again pile up before it
 * collects: with all 128 MiB in view from the start a worker grew by 154 MiB, and with 4 by 13.
 */
const SEEN_CHUNKS = 32;
/**
 * Freed chunks that keep their pages, 8 MiB at most. With 32, a turn that queued output on 64
 * connections gave back half of its chunks, and faulted them in again in the next: six of ten
 * requests between two sidecars paid an madvise and a page fault.
 */
const WARM_CHUNKS = 128;

export const ARGUMENTS = 0;
export const EVENTS = 4_096;
export const INPUT = 16_384;
/** One read. Equal to CHUNK_BYTES, so what could not be written on fits the buffer limit. */
export const INPUT_BYTES = CHUNK_BYTES;
/** A message head that is written anew, and somewhat more than a chunk. */
export const OUTPUT = INPUT + INPUT_BYTES;
const SCRATCH_BYTES = CHUNK_BYTES + 16_384;
/** Content whose framing was taken off. */
export const CONTENT = OUTPUT + SCRATCH_BYTES;
/** Content with its new framing. */
export const FRAMED = CONTENT + SCRATCH_BYTES;
/** A block of HPACK, encoded. */
export const ENCODED = FRAMED + SCRATCH_BYTES;
export const ENCODED_BYTES = 2 * CHUNK_BYTES;
/** A block of HPACK, decoded to text. */
export const DECODED = ENCODED + ENCODED_BYTES;
const DECODED_BYTES = 4 * CHUNK_BYTES;
const CHUNKS = DECODED + DECODED_BYTES;

/**
 * A slab: what must be kept of one request. A chunk is cut into as many as it holds; ten thousand
 * requests in flight take 10 MiB.
 */
export const SLAB_BYTES = 1_024;

/** No chunk. */
export const NONE = -1;

/** No address is as high; mmap's failure, -1, is, as runtimes give addresses without a sign. */
const ADDRESS_MAX = 2 ** 57;

export class Arena {
  /**
   * All that was ever allocated, from `address` on. `allocate` may put a longer view of the same
   * memory in its place: who is about to write to a chunk takes it from here after that.
   */
  bytes: Uint8Array;
  /** What lies before the chunks. */
  readonly view: DataView;
  /** Address of `bytes[0]`. */
  readonly address: number;
  /** The bytes at INPUT are being used by somebody up the stack. */
  isInputHeld = false;
  readonly #chunks: number;
  readonly #free: Int32Array;
  readonly #slabs: number[] = [];
  #freeCount = 0;
  #untouched = 0;
  #seen: number;

  constructor(chunks: number = CHUNKS_MAX) {
    const size = CHUNKS + chunks * CHUNK_BYTES;
    const flags = MAP_PRIVATE_ANONYMOUS_NORESERVE;
    this.address = Number(libc.mmap(0, size, PROT_READ_WRITE, flags, -1, 0));
    assert(this.address > 0 && this.address < ADDRESS_MAX, `mmap of ${size} bytes`);
    this.#chunks = chunks;
    this.#seen = Math.min(chunks, SEEN_CHUNKS);
    this.bytes = this.#look();
    this.view = new DataView(this.bytes.buffer, 0, CHUNKS);
    this.#free = new Int32Array(chunks);
  }

  /** Takes a chunk; returns the offset of its first byte in `bytes`, or NONE. */
  allocate(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount] ?? NONE;
    if (this.#untouched === this.#chunks) return NONE;
    if (this.#untouched === this.#seen) {
      this.#seen = Math.min(this.#chunks, 2 * this.#seen);
      this.bytes = this.#look();
    }
    return CHUNKS + this.#untouched++ * CHUNK_BYTES;
  }

  #look(): Uint8Array {
    return new Uint8Array(runtime.viewMemory(this.address, CHUNKS + this.#seen * CHUNK_BYTES));
  }

  /** Gives a chunk back. Beyond a few warm ones its pages go back to the kernel too. */
  free(chunk: number): void {
    if (this.#freeCount >= WARM_CHUNKS) {
      libc.madvise(this.address + chunk, CHUNK_BYTES, MADV_DONTNEED);
    }
    this.#free[this.#freeCount++] = chunk;
  }

  /** Takes a slab; returns the offset of its first byte in `bytes`, or NONE. */
  allocateSlab(): number {
    const freed = this.#slabs.pop();
    if (freed !== undefined) return freed;
    const chunk = this.allocate();
    if (chunk === NONE) return NONE;
    for (let at = chunk + SLAB_BYTES; at < chunk + CHUNK_BYTES; at += SLAB_BYTES) {
      this.#slabs.push(at);
    }
    return chunk;
  }

  /** Gives a slab back. Its chunk stays one of slabs. */
  freeSlab(slab: number): void {
    this.#slabs.push(slab);
  }

  /** What all chunks hold together. */
  get capacityBytes(): number {
    return this.#chunks * CHUNK_BYTES;
  }

  /** Half of it is used: what can be done without is not to be kept any more. */
  get isScarce(): boolean {
    return this.used > this.#chunks / 2;
  }

  /** Chunks in use, those of slabs among them. */
  get used(): number {
    return this.#untouched - this.#freeCount;
  }
}
