/**
 * Whether this worker has more to do than it can, and which share of new requests it then refuses. What
 * counts is how long a byte that has arrived waits to be read: twenty times a second at the most, and
 * only while there are requests, the worker wakes itself and sees how long that takes, which is what any
 * other socket of its waits (epoll serves them in turn). A pause of the garbage collector, or of the
 * machine, is one long wait and refuses nothing; only if all waits of two seconds are long is something
 * refused, a little first, and more for as long as it does not help.
 */

/**
 * A wait from which on there is too much to do. A request waits four times on its way through a sidecar and
 * back (it and its response are read twice), and through two of them eight times: at 400 ms each hardly any
 * client gets an answer that it still wants. Far above what a collection of garbage takes (50 ms), or a
 * share of the CPU that is used up (100 ms in a container with a limit).
 */
export const SHED_DELAY_MS = 400;
/** … if all waits were so long for so much time: neither one long pause nor a slow start is load. */
export const SHED_AFTER_MS = 2_000;
/** … and there were so many of them. */
const SHED_SAMPLES_MIN = 4;
/** Below this it is over; in between, the share stays. */
export const SHED_ENDS_MS = SHED_DELAY_MS / 2;
/** Time between two looks. */
export const SAMPLE_EVERY_MS = 50;
/**
 * Steps of the share. Larger ones overshoot, as what they do is seen only after the wait that there is. A
 * worker that is offered twice what it can do refuses 53 % with these (simulated), and its longest wait is
 * 730 ms.
 */
const SHARE_UP = 0.02;
const SHARE_DOWN = 0.01;
/** Some always get through: who measures by them sees when it is over. */
const SHARE_MAX = 0.95;
const UINT32 = 0x1_0000_0000;

export class Shedding {
  /** The share of new requests that is refused, 0 to SHARE_MAX. */
  share = 0;
  #overSinceMs = 0;
  #overSamples = 0;

  /** A byte waited `delayMs` until `nowMs`. */
  sample(delayMs: number, nowMs: number): void {
    if (delayMs < SHED_DELAY_MS) {
      this.#overSamples = 0;
      if (delayMs < SHED_ENDS_MS) this.share = Math.max(0, this.share - SHARE_DOWN);
      return;
    }
    if (this.#overSamples++ === 0) this.#overSinceMs = nowMs;
    const isLong = nowMs - this.#overSinceMs >= SHED_AFTER_MS;
    if (this.share === 0 && (!isLong || this.#overSamples < SHED_SAMPLES_MIN)) return;
    this.share = Math.min(SHARE_MAX, this.share + SHARE_UP);
  }

  /** Whether to refuse one more; `random` returns 32 random bits. To be asked only if `share` > 0. */
  refuses(random: () => number): boolean {
    return random() < this.share * UINT32;
  }
}

type DelayProbeParts = {
  /** A clock that goes on within a turn, milliseconds. */
  readonly now: () => number;
  /** Wakes the worker by itself. */
  readonly wake: () => void;
  readonly shedding: Shedding;
};

/** Measures how long the worker takes to see that it was woken. */
export class DelayProbe {
  readonly #parts: DelayProbeParts;
  /** When the wake-up that is under way was sent; -1: there is none. */
  #sentMs = -1;
  #lastMs = 0;

  constructor(parts: DelayProbeParts) {
    this.#parts = parts;
  }

  /** Once per turn. `nowMs`: of the turn. `isBusy`: there are requests. */
  onTurn(nowMs: number, isBusy: boolean): void {
    if (nowMs - this.#lastMs < SAMPLE_EVERY_MS) return;
    const { now, shedding, wake } = this.#parts;
    this.#lastMs = nowMs;
    if (this.#sentMs !== -1) {
      // It has waited so long already, and turns go on meanwhile: that is seen before it is over.
      const waitedMs = now() - this.#sentMs;
      if (waitedMs >= SHED_DELAY_MS) shedding.sample(waitedMs, nowMs);
      return;
    }
    // Without requests there is nothing to refuse; what was refused lately ends by itself.
    if (!isBusy) return shedding.share > 0 ? shedding.sample(0, nowMs) : undefined;
    this.#sentMs = now();
    wake();
  }

  /** The wake-up was seen. */
  onWoken(nowMs: number): void {
    if (this.#sentMs === -1) return;
    const { now, shedding } = this.#parts;
    shedding.sample(now() - this.#sentMs, nowMs);
    this.#sentMs = -1;
  }
}
