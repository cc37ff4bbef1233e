/** Bytes that were read and must wait: at the start of one chunk, which is freed when they are used. */
import { type Arena, CHUNK_BYTES, NONE } from "./arena.ts";

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

  /** Offset of the first kept byte in the arena; only while there are any. */
  get start(): number {
    return this.#chunk;
  }

  get end(): number {
    return this.#chunk + this.#length;
  }

  /** Bytes that can be read behind the kept ones. */
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
