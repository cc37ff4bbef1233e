/**
 * How many retries a service's requests are allowed, so that one which fails under load is not
 * drowned by them: a bucket per service and worker (Finagle's RetryBudget). Each request that might
 * be retried puts a share of a retry in, time puts in a few more, and each retry takes one out.
 */
import { RETRIES_PER_SECOND_MIN, RETRIES_SAVED_MAX, RETRY_RATIO } from "./limits.ts";

/** What a retry costs: in thousandths all that is put in is whole, and a millisecond's share too. */
const RETRY = 1_000;
const SAVED_MAX = RETRIES_SAVED_MAX * RETRY;
const PER_REQUEST = Math.round(RETRY_RATIO * RETRY);
const PER_MS = RETRIES_PER_SECOND_MIN;

export class RetryBudget {
  #saved = SAVED_MAX;
  #stampMs: number;

  constructor(nowMs: number) {
    this.#stampMs = nowMs;
  }

  /** A request was begun that might be retried. */
  deposit(nowMs: number): void {
    this.#refill(nowMs, PER_REQUEST);
  }

  /** Takes one retry. False: there is none. */
  withdraw(nowMs: number): boolean {
    this.#refill(nowMs, 0);
    if (this.#saved < RETRY) return false;
    this.#saved -= RETRY;
    return true;
  }

  #refill(nowMs: number, more: number): void {
    const earned = (nowMs - this.#stampMs) * PER_MS;
    this.#stampMs = nowMs;
    this.#saved = Math.min(this.#saved + earned + more, SAVED_MAX);
  }
}

export class RetryBudgets {
  /** By the service's name: its object is a new one in each snapshot. */
  readonly #budgets = new Map<string, RetryBudget>();

  of(service: string, nowMs: number): RetryBudget {
    let budget = this.#budgets.get(service);
    if (budget === undefined) {
      budget = new RetryBudget(nowMs);
      this.#budgets.set(service, budget);
    }
    return budget;
  }

  /** Forgets services that a new snapshot does not have. */
  keepOnly(isKnown: (service: string) => boolean): void {
    for (const name of this.#budgets.keys()) if (!isKnown(name)) this.#budgets.delete(name);
  }
}
