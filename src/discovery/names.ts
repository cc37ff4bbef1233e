/**
 * The names that workers asked for and that are no static upstreams. Clients choose these names, so
 * all of it is bounded: how many there are, how long they stay, and how many refusals are shown.
 */

/** A host name (RFC 1035) and a port. What is longer never was a valid authority. */
export const NAME_CHARS_MAX = 253 + ":65535".length;
/** Names found by DNS or by address. An application talks to tens of services, not to thousands. */
export const NAMES_MAX = 1_024;
/** A name is kept for so long after a worker asked for it or used it. */
export const NAME_KEEP_MS = 600_000;
/** A name that never had an address makes room sooner, as it may be anything. */
export const FAILED_NAME_KEEP_MS = 60_000;
/** Refused names that the snapshot shows at a time; a new one takes the oldest one's place. */
export const REFUSED_MAX = 64;
/** Long enough for the workers to see it; then the name may be asked for again. */
export const REFUSED_KEEP_MS = 5_000;

export type Refusal = "too-many-names" | "dns-failed";

export class Names<T> {
  readonly #admitted = new Map<string, { readonly value: T; wantedMs: number }>();
  readonly #refused = new Map<string, { readonly why: Refusal; readonly untilMs: number }>();

  get isFull(): boolean {
    return this.#admitted.size >= NAMES_MAX;
  }

  values(): T[] {
    return [...this.#admitted.values()].map(({ value }) => value);
  }

  /** The refused names and why, the oldest first. */
  refusals(): [name: string, why: Refusal][] {
    return [...this.#refused].map(([name, { why }]) => [name, why]);
  }

  admit(name: string, value: T, nowMs: number): void {
    this.#refused.delete(name);
    this.#admitted.set(name, { value, wantedMs: nowMs });
  }

  /** Notes that an admitted name was wanted again. False: it is not admitted. */
  touch(name: string, nowMs: number): boolean {
    const entry = this.#admitted.get(name);
    if (entry === undefined) return false;
    entry.wantedMs = nowMs;
    return true;
  }

  refuse(name: string, why: Refusal, nowMs: number): void {
    const [oldest] = this.#refused.keys();
    if (this.#refused.size >= REFUSED_MAX && oldest !== undefined && !this.#refused.has(name)) {
      this.#refused.delete(oldest);
    }
    this.#refused.set(name, { why, untilMs: nowMs + REFUSED_KEEP_MS });
  }

  /** Drops what was not wanted for long enough; returns what was admitted of it. */
  expire(nowMs: number, hasFailed: (value: T) => boolean): readonly T[] {
    for (const [name, { untilMs }] of this.#refused) {
      if (nowMs >= untilMs) this.#refused.delete(name);
    }
    const dropped: T[] = [];
    for (const [name, { value, wantedMs }] of this.#admitted) {
      const keepMs = hasFailed(value) ? FAILED_NAME_KEEP_MS : NAME_KEEP_MS;
      if (nowMs - wantedMs < keepMs) continue;
      this.#admitted.delete(name);
      dropped.push(value);
    }
    return dropped;
  }
}
