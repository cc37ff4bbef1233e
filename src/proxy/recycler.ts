/**
 * Objects that serve one request after another, so that HTTP/2 makes no garbage per stream. What is
 * over is used again only after the turn in which it ended: until then somebody up the stack may
 * still hold it.
 */

/** Enough for the streams of ten busy connections; more are left to the collector. */
const SPARE_MAX = 1_024;

export class Recycler<T> {
  readonly #spare: T[] = [];
  readonly #retired: T[] = [];

  /** Returns one that was over, or null: make a new one. */
  take(): T | null {
    return this.#spare.pop() ?? null;
  }

  /** It is over. To be called once. */
  retire(object: T): void {
    this.#retired.push(object);
  }

  /** The turn is over. */
  turn(): void {
    if (this.#retired.length === 0) return;
    for (const object of this.#retired) {
      if (this.#spare.length < SPARE_MAX) this.#spare.push(object);
    }
    this.#retired.length = 0;
  }
}
