/**
 * Whether what was worked out is to be remembered for the next time. Where nothing comes twice that would
 * be work for nothing, so it is tried ever more seldom there.
 */

/** Misses in a row, at the most, between two that are remembered. */
const PAUSE_MAX = 63;

export class MemoPace {
  #pause = 0;
  #left = 0;

  /** What was remembered came again. */
  hit(): void {
    this.#pause = 0;
    this.#left = 0;
  }

  /** Something else came. Returns whether to remember it. */
  miss(): boolean {
    if (this.#left-- > 0) return false;
    this.#left = this.#pause;
    this.#pause = Math.min(2 * this.#pause + 1, PAUSE_MAX);
    return true;
  }
}
