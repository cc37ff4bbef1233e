/**
 * How many handshakes go on at once. One costs about a millisecond, a thousand times a request, so a
 * burst of them would make every live connection of this worker wait: each turn takes a few steps,
 * the rest wait their turn, and what would have to wait too long is turned away.
 */
import { HANDSHAKE_STEPS_PER_TURN, HANDSHAKES_MAX } from "./limits.ts";

export class HandshakeGate {
  #underWay = 0;
  #steps = 0;
  #turnMs = -1;

  /** Counts one in. False: there are too many, close it. */
  enter(): boolean {
    if (this.#underWay >= HANDSHAKES_MAX) return false;
    this.#underWay++;
    return true;
  }

  leave(): void {
    this.#underWay--;
  }

  /** Whether one more step fits the turn that began at `turnMs`; otherwise try in the next. */
  mayStep(turnMs: number): boolean {
    if (turnMs !== this.#turnMs) {
      this.#turnMs = turnMs;
      this.#steps = 0;
    }
    return this.#steps++ < HANDSHAKE_STEPS_PER_TURN;
  }
}
