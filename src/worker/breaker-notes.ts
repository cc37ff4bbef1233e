/** Counts and logs what the circuit breaker does, no more of it than somebody can read. */
import type { BreakerEvents } from "../balancer/breaker.ts";
import { answersOf, CONSECUTIVE_MAX, failuresOf, streakOf } from "../balancer/health.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { CounterName } from "../metrics/catalog.ts";

/** Lines at once and in NOTES_EVERY_MS; an endpoint that flaps writes two a second at the most. */
const NOTES_MAX = 10;
const NOTES_EVERY_MS = 10_000;

type NotesParts = {
  readonly count: (name: CounterName) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly log: (text: string) => void;
};

export class BreakerNotes implements BreakerEvents {
  readonly #parts: NotesParts;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #written = 0;
  #leftOut = 0;

  constructor(parts: NotesParts) {
    this.#parts = parts;
  }

  ejected({ ip, port }: Endpoint, service: string, health: number, waitMs: number): void {
    this.#parts.count("endpoint_ejected");
    const where = `${formatHostPort(formatIp(ip), port)} of ${service}`;
    this.#note(`ejected: ${where}, ${reasonOf(health)}; tried again in ${waitMs} ms`);
  }

  returned({ ip, port }: Endpoint, service: string): void {
    this.#parts.count("endpoint_returned");
    this.#note(`in use again: ${formatHostPort(formatIp(ip), port)} of ${service}`);
  }

  #note(text: string): void {
    const nowMs = this.#parts.nowMs();
    if (nowMs - this.#sinceMs >= NOTES_EVERY_MS) {
      this.#sinceMs = nowMs;
      this.#written = 0;
    }
    if (this.#written >= NOTES_MAX) {
      this.#leftOut++;
      return;
    }
    this.#written++;
    const more = this.#leftOut > 0 ? ` (${this.#leftOut} more such lines were left out)` : "";
    this.#leftOut = 0;
    this.#parts.log(`circuit breaker: ${text}${more}`);
  }
}

function reasonOf(health: number): string {
  if (health === 0) return "it failed again";
  const streak = streakOf(health);
  if (streak >= CONSECUTIVE_MAX) return `${streak} failures in a row`;
  return `${failuresOf(health)} of ${answersOf(health)} requests failed`;
}
