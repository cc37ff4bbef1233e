/**
 * After a burst an engine keeps its garbage until there is more of it, which may be never. So a worker
 * that has done much and then has nothing to do collects once; nobody waits for it then.
 */

/** Without a request in flight for so long: a pause between two bursts should not be the worse for it. */
export const IDLE_MS = 2_000;
/** Turns with requests in flight, since the last collection, that make one worth while. */
export const BUSY_TURNS_MIN = 1_000;

export class IdleCollection {
  readonly #collect: () => void;
  #busyTurns = 0;
  #busyMs = 0;

  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** Once per turn of the loop. */
  onTurn(nowMs: number, isBusy: boolean): void {
    if (isBusy) {
      this.#busyTurns++;
      this.#busyMs = nowMs;
    } else if (this.#busyTurns >= BUSY_TURNS_MIN && nowMs - this.#busyMs >= IDLE_MS) {
      this.#busyTurns = 0;
      this.#collect();
    }
  }
}
