/**
 * One budget for all that makes us work for nothing: rapid reset (CVE-2023-44487), resets that the
 * peer makes us send (CVE-2025-8671), floods of SETTINGS, PING, PRIORITY and empty frames. A bucket:
 * it fills by the second, and by one for each stream that ends well, so that a busy sidecar whose
 * clients cancel a few percent of their requests never runs dry while an attacker does.
 */
import {
  ANSWERS_MAX,
  ANSWERS_PER_DATA,
  GLITCHES_MAX,
  GLITCHES_PER_SECOND,
  Glitch,
} from "./limits.ts";

export class GlitchBudget {
  #left = GLITCHES_MAX;
  #atMs = 0;
  #answers = 0;

  /** Takes `cost` at `nowMs`. False: there is no more, the connection is to end. */
  take(cost: number, nowMs: number): boolean {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1e3;
    this.#atMs = nowMs;
    this.#left = Math.min(GLITCHES_MAX, this.#left + seconds * GLITCHES_PER_SECOND) - cost;
    return this.#left > 0;
  }

  /** PING or a small WINDOW_UPDATE: free as far as DATA that we sent explains it. */
  takeAnswer(nowMs: number): boolean {
    if (this.#answers > 0) {
      this.#answers--;
      return true;
    }
    return this.take(Glitch.control, nowMs);
  }

  /** We sent a DATA frame. */
  sentData(): void {
    this.#answers = Math.min(ANSWERS_MAX, this.#answers + ANSWERS_PER_DATA);
  }

  /** A stream ended as it should. */
  completed(): void {
    if (this.#left < GLITCHES_MAX) this.#left++;
  }
}
