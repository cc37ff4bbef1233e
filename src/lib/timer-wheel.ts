/**
 * Deadlines in a wheel: arming, moving and disarming cost a few stores however many there are.
 * A timer that is armed for later than its place comes round stays there and is moved then, so a
 * deadline that is put off with every request costs one store. Accurate to one tick, never early.
 */

/** Milliseconds between two places of the wheel. */
export const TICK_MS = 16;
const PLACES = 1_024;
/**
 * A later deadline waits here and is linked again when it comes round. One place less than the
 * turn, so that nothing is ever linked at the place that `advance` is emptying.
 */
const HORIZON_TICKS = PLACES - 2;

/** Something with one deadline. Its fields belong to the wheel. */
export class Timer {
  /** Milliseconds on the wheel's clock; 0 is disarmed. */
  deadlineMs = 0;
  place = -1;
  /** When that place comes round. */
  tick = 0;
  previous: Timer | null = null;
  next: Timer | null = null;
  /** Must not throw: what else is due at its place would wait for the next turn of the wheel. */
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
    timer.deadlineMs = deadlineMs;
    if (timer.place !== -1 && Math.floor(deadlineMs / TICK_MS) >= timer.tick) return;
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
      const place = tick % PLACES;
      // From the top each time: `expire` may arm and disarm others here, and links none here anew.
      for (let timer = this.#first(place); timer !== null; timer = this.#first(place)) {
        this.#visit(timer, nowMs);
      }
    }
  }

  /** Milliseconds until the next place with a timer, at most `limitMs`. */
  nextInMs(nowMs: number, limitMs: number): number {
    if (this.#count === 0) return limitMs;
    for (let ahead = 0; ahead < PLACES; ahead++) {
      const dueMs = (this.#tick + ahead + 1) * TICK_MS - nowMs;
      if (dueMs >= limitMs) return limitMs;
      if (this.#first((this.#tick + ahead) % PLACES) !== null) return Math.max(dueMs, 0);
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

  #first(place: number): Timer | null {
    return this.#places[place] ?? null;
  }

  #link(timer: Timer): void {
    const dueTick = Math.floor(timer.deadlineMs / TICK_MS);
    const tick = Math.min(Math.max(dueTick, this.#tick), this.#tick + HORIZON_TICKS);
    const place = tick % PLACES;
    const first = this.#first(place);
    timer.place = place;
    timer.tick = tick;
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
