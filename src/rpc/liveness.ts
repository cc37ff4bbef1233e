/**
 * Whether a peer is still there while it has nothing to say: after a silence it is asked by a PING
 * (RFC 9113 §6.7), and gone if nothing comes then. Without it, streams to a machine that lost its
 * power would be open for ever. Milliseconds of any clock that does not go back. Pure.
 */

/** As much of the silence again it has to answer. */
const ANSWER_SHARE = 0.5;

export class Liveness {
  readonly #silenceMs: number;
  #bytesRead = 0;
  #heardMs: number;
  #askedMs = 0;
  #isAsked = false;

  constructor(silenceMs: number, nowMs: number) {
    this.#silenceMs = silenceMs;
    this.#heardMs = nowMs;
  }

  /** To be called about once a second. `bytesRead`: all that ever came of the peer. */
  look(bytesRead: number, nowMs: number): "fine" | "ask" | "gone" {
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.#heardMs = nowMs;
      this.#isAsked = false;
    }
    if (this.#isAsked)
      return nowMs - this.#askedMs > this.#silenceMs * ANSWER_SHARE ? "gone" : "fine";
    if (nowMs - this.#heardMs <= this.#silenceMs) return "fine";
    this.#isAsked = true;
    this.#askedMs = nowMs;
    return "ask";
  }
}
