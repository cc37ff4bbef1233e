/**
 * Whether an endpoint that is set aside hangs: takes requests and answers nobody, while others of its
 * pool answer. It is looked at a few times a second, and each look knows what the shared rows say.
 *
 *   aside ──HASTEN_MS before the wait is over: nobody has tried it──▶ its trial is made due at once
 *     │
 *     └─ a request that was sent since it was set aside is unanswered, and in TRIED_LOOKS looks after that
 *        others of the pool had answered; all the time, for as long as was to be waited, it said nothing ──▶ hangs
 *
 * Anything that it says to anybody, of any worker, begins it anew. So an endpoint that has a slow report
 * to make, or a long poll, does not hang: its trial is answered. In a pool in which all are slow nobody
 * does: nobody else has answered. Milliseconds are monotonic and modulo 2^32.
 */
import type { Endpoint } from "../mesh/snapshot.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { FAILING_ONE } from "./failing.ts";
import { elapsedMs } from "./peak-ewma.ts";

/** So long before the wait is over an endpoint that nobody has tried gets its trial. */
export const HASTEN_MS = 1_000;
/** With looks four times a second, others go on answering for a second after the trial was sent. */
export const TRIED_LOOKS = 4;

/** Workers' clocks, and what they see of each other, differ by less. */
const SETTLED_MS = 50;

/** What is known of the endpoint at one look. */
export type Look = {
  readonly nowMs: number;
  /** When it was set aside, or its last trial began; and trials since, see EndpointRow. */
  readonly asideMs: number;
  readonly trials: number;
  /** When it said something for the last time while it was set aside; 0: never. */
  readonly answeredMs: number;
  /** When it was last sent a request; 0: never. */
  readonly sentMs: number;
  /** The age of the oldest request that it has not answered, or less. */
  readonly waitedMs: number;
  /** Another one of the pool has answered since the look before. */
  readonly othersAnswered: boolean;
};

/** `untried`: its trial is due, whatever the balancer's time for it is. */
export type Verdict = "unknown" | "untried" | "hangs";

export class Silence {
  /** When it was looked at last. */
  lookedMs: number;
  #sinceMs: number;
  #asideMs: number;
  #trials: number;
  /** Trials when the silence began. */
  #trialsBefore: number;
  #answeredMs: number;
  /** Looks by which others had answered, and it had not answered a request that was sent before. */
  #looks = 0;

  constructor({ nowMs, asideMs, trials, answeredMs }: Look) {
    this.lookedMs = nowMs;
    this.#sinceMs = nowMs;
    this.#asideMs = asideMs;
    this.#trials = trials;
    this.#trialsBefore = trials;
    this.#answeredMs = answeredMs;
  }

  /** Looks once more. `leastMs`: so long a request waits before its endpoint may hang. */
  look(look: Look, leastMs: number): Verdict {
    const { nowMs, asideMs, trials, answeredMs } = look;
    const beforeMs = this.lookedMs;
    const isAsideAnew = asideMs !== this.#asideMs && trials <= this.#trials;
    if (isAsideAnew || answeredMs !== this.#answeredMs) {
      this.#sinceMs = nowMs;
      this.#trialsBefore = trials;
      this.#looks = 0;
    }
    this.lookedMs = nowMs;
    this.#asideMs = asideMs;
    this.#trials = trials;
    this.#answeredMs = answeredMs;
    const isTried = this.#isTried(look);
    const silentMs = (nowMs - this.#sinceMs) | 0;
    if (this.#looks < TRIED_LOOKS) {
      if (isTried && look.othersAnswered && !isBefore(beforeMs, look.sentMs)) this.#looks++;
      const isDue = Math.min(silentMs, look.waitedMs) >= leastMs - HASTEN_MS;
      if (!isTried && isDue) return "untried";
    }
    return this.#looks >= TRIED_LOOKS && silentMs >= leastMs ? "hangs" : "unknown";
  }

  /**
   * It was sent a request in its silence that it has not answered: its trial, or one that was sent so long
   * after it was set aside that an answer would have been noted.
   */
  #isTried({ asideMs, trials, answeredMs, sentMs }: Look): boolean {
    if (sentMs === 0 || (answeredMs !== 0 && !isBefore(answeredMs, sentMs))) return false;
    if (trials > this.#trialsBefore) return !isBefore(sentMs, asideMs);
    return ((sentMs - asideMs) | 0) >= SETTLED_MS;
  }
}

/**
 * Whether one of a pool has answered in the last `sinceMs`, of which the latest requests went well, more
 * or less: what is given up counts like an answer in the stamp, and who fails is no help. One that is
 * itself set aside, for being slow, serves a pool of which the rest hangs.
 */
export function hasAnswered(
  rows: EndpointRows,
  pool: readonly Endpoint[],
  sinceMs: number,
  nowMs: number,
): boolean {
  for (const { row } of pool) {
    if (rows.failing(row) > FAILING_ONE / 4) continue;
    const lastMs = rows.trialAtMs(row) === 0 ? rows.stampMs(row) : rows.answeredMs(row);
    if (lastMs !== 0 && elapsedMs(nowMs, lastMs) <= sinceMs) return true;
  }
  return false;
}

/** The next request that may have the trial of an endpoint which is set aside gets it. */
export function hastenTrial(rows: EndpointRows, row: number, nowMs: number): void {
  const trialAtMs = rows.trialAtMs(row);
  const isLater = trialAtMs !== 0 && !isBefore(trialAtMs, nowMs);
  if (isLater) rows.moveTrial(row, trialAtMs, nowMs);
}

function isBefore(ms: number, otherMs: number): boolean {
  return ((ms - otherMs) | 0) < 0;
}
