/**
 * What the newest snapshot no longer names, but some worker may still use: it waits here until every
 * worker has taken a snapshot without it and nobody uses it. Until then it can be had back.
 */
export class Retired<T> {
  readonly #waiting = new Map<string, { readonly value: T; readonly goneIn: number }>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Retires what snapshot `goneIn` is the first not to name. */
  put(key: string, value: T, goneIn: number): void {
    this.#waiting.set(key, { value, goneIn });
  }

  /** Gives back what was retired under this key, if it still waits. */
  revive(key: string): T | null {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return null;
    this.#waiting.delete(key);
    return waiting.value;
  }

  /** Frees all that nobody can use any more. `taken` is a snapshot that all workers have reached. */
  collect(taken: number, isIdle: (value: T) => boolean, free: (value: T) => void): void {
    for (const [key, { value, goneIn }] of this.#waiting) {
      if (taken < goneIn || !isIdle(value)) continue;
      this.#waiting.delete(key);
      free(value);
    }
  }
}
