/**
 * How many retries a service's requests are allowed, so that one which fails under load is not
 * drowned by them: a bucket per service and worker (Finagle's RetryBudget). Each request puts a share
 * of a retry in, and each retry takes one out. Time puts in what requests leave below a least rate.
 *
 * Nothing is shared between workers. Shares add up by themselves, and the least rate is divided by
 * the number of workers, so that over all of them retries are at most RETRY_RATIO of the requests or
 * RETRIES_PER_SECOND_MIN, whichever is more, beside what each worker has saved up (RETRIES_SAVED_MAX).
 */
import { RETRIES_PER_SECOND_MIN, RETRIES_SAVED_MAX, RETRY_RATIO } from "./limits.ts";

/** What a retry costs: in thousandths all that is put in is whole, and a millisecond's share too. */
const RETRY = 1_000;
const SAVED_MAX = RETRIES_SAVED_MAX * RETRY;
const PER_REQUEST = Math.round(RETRY_RATIO * RETRY);
const PER_MS = RETRIES_PER_SECOND_MIN;
/** Requests make up for time that comes, of so many milliseconds at most. */
const AHEAD_MS = 1_000;

export class RetryBudget {
  readonly #perMs: number;
  #saved = SAVED_MAX;
  /** What requests have put in and no time has counted for yet. */
  #ahead = 0;
  #stampMs: number;

  /** `workers` share the least rate. */
  constructor(nowMs: number, workers = 1) {
    this.#stampMs = nowMs;
    this.#perMs = PER_MS / workers;
  }

  /** A request was begun. */
  deposit(nowMs: number): void {
    this.#refill(nowMs);
    this.#ahead = Math.min(this.#ahead + PER_REQUEST, AHEAD_MS * this.#perMs);
    this.#saved = Math.min(this.#saved + PER_REQUEST, SAVED_MAX);
  }

  /** Takes one retry. False: there is none. */
  withdraw(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#saved < RETRY) return false;
    this.#saved -= RETRY;
    return true;
  }

  #refill(nowMs: number): void {
    if (nowMs === this.#stampMs) return;
    const least = (nowMs - this.#stampMs) * this.#perMs;
    const paid = Math.min(this.#ahead, least);
    this.#stampMs = nowMs;
    this.#ahead -= paid;
    this.#saved = Math.min(this.#saved + least - paid, SAVED_MAX);
  }
}

export class RetryBudgets {
  readonly #workers: number;
  /** By the service's name: its object is a new one in each snapshot. */
  readonly #budgets = new Map<string, RetryBudget>();

  constructor(workers: number) {
    this.#workers = workers;
  }

  of(service: string, nowMs: number): RetryBudget {
    let budget = this.#budgets.get(service);
    if (budget === undefined) {
      budget = new RetryBudget(nowMs, this.#workers);
      this.#budgets.set(service, budget);
    }
    return budget;
  }

  /** Forgets services that a new snapshot does not have. */
  keepOnly(isKnown: (service: string) => boolean): void {
    for (const name of this.#budgets.keys()) if (!isKnown(name)) this.#budgets.delete(name);
  }
}
