/**
 * Deadlines in a wheel: arming, moving and disarming cost a few stores however many there are.
 * A timer that is armed for later than before stays where it is and is moved when its old place
 * comes round, so a deadline that is put off with every request costs one store. Accurate to one
 * tick, never early.
 */

/** Milliseconds between two places of the wheel. */
export const TICK_MS = 16;
const PLACES = 1_024;

/** Something with one deadline. Its fields belong to the wheel. */
export class Timer {
  /** Milliseconds on the wheel's clock; 0 is disarmed. */
  deadlineMs = 0;
  place = -1;
  previous: Timer | null = null;
  next: Timer | null = null;
  readonly expire: () => void;

  constructor(expire: () => void) {
    this.expire = expire;
  }
}

export class TimerWheel {
  readonly #places: (Timer | null)[] = new Array<Timer | null>(PLACES).fill(null);
  #tick: number;
  #count = 0;

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  /** Arms or moves a timer. */
  arm(timer: Timer, deadlineMs: number): void {
    const isPutOff = timer.place !== -1 && timer.deadlineMs !== 0 && deadlineMs >= timer.deadlineMs;
    timer.deadlineMs = deadlineMs;
    if (isPutOff) return;
    this.#unlink(timer);
    this.#link(timer);
  }

  disarm(timer: Timer): void {
    timer.deadlineMs = 0;
    this.#unlink(timer);
  }

  /** Expires what is due at `nowMs`. A timer is disarmed before its `expire` runs. */
  advance(nowMs: number): void {
    const last = Math.floor(nowMs / TICK_MS);
    if (this.#count === 0) {
      this.#tick = last;
      return;
    }
    const from = Math.max(this.#tick, last - PLACES);
    for (let tick = from; tick < last; tick++) {
      this.#tick = tick + 1;
      let timer = this.#places[tick % PLACES] ?? null;
      while (timer !== null) {
        const following: Timer | null = timer.next;
        this.#visit(timer, nowMs);
        // `expire` may have unlinked the one that followed: then start over at this place.
        timer = following !== null && following.place !== tick % PLACES
          ? (this.#places[tick % PLACES] ?? null)
          : following;
      }
    }
  }

  /** Milliseconds until the next place with a timer, at most `limitMs`. */
  nextInMs(nowMs: number, limitMs: number): number {
    if (this.#count === 0) return limitMs;
    const ticks = Math.min(Math.ceil(limitMs / TICK_MS), PLACES);
    for (let ahead = 0; ahead < ticks; ahead++) {
      if (this.#places[(this.#tick + ahead) % PLACES] === null) continue;
      const dueMs = (this.#tick + ahead + 1) * TICK_MS - nowMs;
      return Math.min(Math.max(dueMs, 0), limitMs);
    }
    return limitMs;
  }

  /** Timers in the wheel. */
  get count(): number {
    return this.#count;
  }

  #visit(timer: Timer, nowMs: number): void {
    this.#unlink(timer);
    if (timer.deadlineMs > nowMs) {
      this.#link(timer);
      return;
    }
    timer.deadlineMs = 0;
    timer.expire();
  }

  #link(timer: Timer): void {
    const dueTick = Math.floor(timer.deadlineMs / TICK_MS);
    const tick = Math.min(Math.max(dueTick, this.#tick), this.#tick + PLACES - 1);
    const place = tick % PLACES;
    const first = this.#places[place] ?? null;
    timer.place = place;
    timer.previous = null;
    timer.next = first;
    if (first !== null) first.previous = timer;
    this.#places[place] = timer;
    this.#count++;
  }

  #unlink(timer: Timer): void {
    if (timer.place === -1) return;
    if (timer.previous === null) this.#places[timer.place] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.place = -1;
    timer.previous = null;
    timer.next = null;
    this.#count--;
  }
}
