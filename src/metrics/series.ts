/**
 * Which labels a series' number stands for. Numbers are few and shared with all threads, which
 * count under them without knowing the labels; so there is never more than SERIES_MAX label sets,
 * whatever clients ask for, and what does not fit counts as "other". Main thread only.
 */
import { assert } from "../lib/assert.ts";
import { type Counters, sumSeries } from "../shared/counters.ts";
import { SERIES_MAX, SeriesField } from "../shared/layout.ts";
import { cleanLabel } from "./text.ts";

export type SeriesLabels = {
  readonly direction: "inbound" | "outbound";
  /** The service's name; empty where there is none. */
  readonly authority: string;
  /** `ip:port` or `[ip]:port`; empty where no endpoint is meant. */
  readonly target: string;
  /**
   * Who the other end has proved to be by TLS, a server for outbound and a client for inbound; empty
   * where that is not told apart, absent without TLS.
   */
  readonly peer?: string;
};

/** What comes from local clients (tcp, peer="src") and what has no service. */
export const OUTBOUND_SERIES = 0;
/** The same of what comes from elsewhere to our application. */
export const INBOUND_SERIES = 1;
/** The same of what came by TLS, while or because its clients are not told apart. */
export const INBOUND_TLS_SERIES = 2;
/** All that came when no number was left; authority="other". */
export const OVERFLOW_SERIES = SERIES_MAX - 1;

/** A freed series keeps its figures for so long; Linkerd's idle time. */
export const SERIES_IDLE_MS = 600_000;
/**
 * A freed series with connections still open waits for them, else their end would be counted under
 * other labels; but not longer than this: a dead worker's connections are never counted closed.
 */
export const SERIES_BUSY_MS = 86_400_000;
/** The longest host name. */
export const LABEL_CHARS_MAX = 253;

type Entry = {
  readonly labels: SeriesLabels;
  readonly key: string;
  users: number;
  freedAtMs: number;
};

const FIXED: readonly (readonly [number, SeriesLabels])[] = [
  [OUTBOUND_SERIES, { direction: "outbound", authority: "", target: "" }],
  [INBOUND_SERIES, { direction: "inbound", authority: "", target: "" }],
  [INBOUND_TLS_SERIES, { direction: "inbound", authority: "", target: "", peer: "" }],
  [OVERFLOW_SERIES, { direction: "outbound", authority: "other", target: "" }],
];

export class SeriesRegistry {
  readonly #threads: readonly Counters[];
  readonly #nowMs: () => number;
  readonly #numbers = new Map<string, number>();
  readonly #entries = new Map<number, Entry>();
  /** Numbers that have no labels, the next one last. */
  readonly #vacant: number[] = [];

  /** `threads` are all threads' counters, to be cleared; `nowMs` is a monotonic clock. */
  constructor(threads: readonly Counters[], nowMs: () => number) {
    this.#threads = threads;
    this.#nowMs = nowMs;
    // A user that never leaves.
    for (const [series, labels] of FIXED) this.#enter(series, labels);
    for (let series = OVERFLOW_SERIES - 1; series > INBOUND_TLS_SERIES; series--) {
      this.#vacant.push(series);
    }
  }

  /**
   * Returns the number for these labels, OVERFLOW_SERIES when there is none left. Users are
   * counted: each call is undone by one call of `free`.
   */
  allocate(labels: SeriesLabels): number {
    const bounded: SeriesLabels = {
      direction: labels.direction,
      authority: bound(labels.authority),
      target: bound(labels.target),
      ...(labels.peer === undefined ? {} : { peer: bound(labels.peer) }),
    };
    const known = this.#numbers.get(keyOf(bounded));
    const entry = known === undefined ? undefined : this.#entries.get(known);
    if (known !== undefined && entry !== undefined) {
      entry.users += 1;
      return known;
    }
    if (this.#vacant.length === 0) this.#expire();
    const series = this.#vacant.pop();
    if (series === undefined) return OVERFLOW_SERIES;
    for (const thread of this.#threads) thread.clearSeries(series);
    this.#enter(series, bounded);
    return series;
  }

  /** Takes back one `allocate`. The fixed numbers and the overflow may be freed too, to no effect. */
  free(series: number): void {
    if (FIXED.some(([fixed]) => fixed === series)) return;
    const entry = this.#entries.get(series);
    assert(entry !== undefined && entry.users > 0, `series ${series} is freed but not in use`);
    entry.users -= 1;
    if (entry.users === 0) entry.freedAtMs = this.#nowMs();
  }

  /** The series in use and those freed a short time ago, by number. */
  entries(): [series: number, labels: SeriesLabels][] {
    this.#expire();
    const live = [...this.#entries].map(([series, { labels }]): [number, SeriesLabels] => [
      series,
      labels,
    ]);
    return live.sort(([a], [b]) => a - b);
  }

  /** Takes the numbers of series that were freed long enough ago. */
  #expire(): void {
    const nowMs = this.#nowMs();
    for (const [series, entry] of this.#entries) {
      if (entry.users > 0) continue;
      const idleMs = nowMs - entry.freedAtMs;
      if (idleMs < SERIES_IDLE_MS) continue;
      if (idleMs < SERIES_BUSY_MS && this.#hasOpen(series)) continue;
      this.#entries.delete(series);
      this.#numbers.delete(entry.key);
      // First in, last out: the number rests for as long as there are others.
      this.#vacant.unshift(series);
    }
  }

  #hasOpen(series: number): boolean {
    const opened = sumSeries(this.#threads, series, SeriesField.tcpOpen);
    return opened > sumSeries(this.#threads, series, SeriesField.tcpClose);
  }

  #enter(series: number, labels: SeriesLabels): void {
    const key = keyOf(labels);
    this.#entries.set(series, { labels, key, users: 1, freedAtMs: 0 });
    this.#numbers.set(key, series);
  }
}

/** Not joined by a character: a name could hold any. */
function keyOf({ direction, authority, target, peer }: SeriesLabels): string {
  return JSON.stringify([direction, authority, target, peer]);
}

/** As it will be shown: labels that look the same must have the same number. */
function bound(value: string): string {
  return cleanLabel(value.slice(0, LABEL_CHARS_MAX));
}
