/**
 * Bytes that were read and must wait for more: at the start of one chunk, which is freed when they are
 * used. With none, what is read goes to INPUT.
 */
import { type Arena, CHUNK_BYTES, INPUT, NONE } from "./arena.ts";

export class KeptBytes {
  readonly #arena: Arena;
  #chunk = NONE;
  #length = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get length(): number {
    return this.#length;
  }

  /** Offset in the arena of the first kept byte, or of the first that is read. */
  get start(): number {
    return this.#length > 0 ? this.#chunk : INPUT;
  }

  /** Where to read on. */
  get end(): number {
    return this.start + this.#length;
  }

  /** Bytes that can be read there. */
  get room(): number {
    return CHUNK_BYTES - this.#length;
  }

  /** Replaces what was kept by `bytes[at, end)`. False: no memory, or more than a chunk. */
  keep(at: number, end: number): boolean {
    if (at === end) {
      this.clear();
      return true;
    }
    if (end - at > CHUNK_BYTES) return false;
    if (this.#chunk === NONE) this.#chunk = this.#arena.allocate();
    if (this.#chunk === NONE) return false;
    if (at !== this.#chunk) this.#arena.bytes.copyWithin(this.#chunk, at, end);
    this.#length = end - at;
    return true;
  }

  clear(): void {
    if (this.#chunk !== NONE) this.#arena.free(this.#chunk);
    this.#chunk = NONE;
    this.#length = 0;
  }
}
