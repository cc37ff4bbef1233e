/**
 * What a service's watchers are told, as changes in the order of their numbers: each address has its
 * latest change and no other, so the log is as long as the list, however often that changed. A watcher
 * is a number, that of the last change it was told. Pure.
 */
import type { Endpoint } from "./endpoint.ts";

/** An endpoint as it is told. */
export type Told = {
  readonly endpoint: Endpoint;
  readonly isOpaque: boolean;
};

type Change = {
  /** From 1. */
  readonly number: number;
  readonly address: string;
  readonly endpoint: Endpoint;
  /** null: it is removed. */
  readonly told: Told | null;
  readonly atMs: number;
  /** A later change of the same address has taken its place. */
  isStale: boolean;
};

/** What comes after a cursor: changes of one kind, and where the cursor is then. */
export type Batch = {
  readonly kind: "add" | "remove";
  readonly changes: readonly Change[];
  readonly cursor: number;
  /** When the oldest of them happened, on the caller's clock. */
  readonly sinceMs: number;
};

/** Endpoints of one message, about 150 bytes each: two of them are less than a window of HTTP/2. */
export const ADDS_PER_UPDATE = 128;
/**
 * Removed addresses that are remembered beyond as many as there are endpoints: twice what one identity
 * can take away at once, so that whoever knows the list is told the difference.
 */
export const REMOVALS_KEPT = 8_192;

export class ServiceLog {
  #changes: Change[] = [];
  readonly #latest = new Map<string, Change>();
  #stale = 0;
  #removals = 0;
  #last = 0;
  /** Removals up to here are forgotten: a watcher that knows less cannot be told the difference. */
  #floor = 0;

  /** The number of the last change. */
  get last(): number {
    return this.#last;
  }

  /** Endpoints that are there. */
  get size(): number {
    return this.#latest.size - this.#removals;
  }

  get endpoints(): readonly Told[] {
    return this.#changes.flatMap(({ told, isStale }) => (told === null || isStale ? [] : [told]));
  }

  get(address: string): Told | null {
    return this.#latest.get(address)?.told ?? null;
  }

  put(address: string, told: Told, nowMs: number): void {
    this.#push(address, told.endpoint, told, nowMs);
  }

  remove(address: string, nowMs: number): void {
    const before = this.#latest.get(address)?.told ?? null;
    if (before === null) return;
    this.#push(address, before.endpoint, null, nowMs);
    this.#removals += 1;
    if (this.#removals > REMOVALS_KEPT + this.size) this.#forgetRemovals();
  }

  /** Says whether a watcher that was told so much can go on; otherwise it has to begin anew. */
  reaches(cursor: number, start: number): boolean {
    return Math.max(cursor, start) >= this.#floor;
  }

  /**
   * Returns what comes next after `cursor`, or null. Of removals those up to `start` are left out:
   * that was when the watcher came, with a cursor of 0.
   */
  after(cursor: number, start: number): Batch | null {
    const batch: Change[] = [];
    let kind: Batch["kind"] | null = null;
    let to = cursor;
    let sinceMs = Number.POSITIVE_INFINITY;
    for (let i = this.#indexAfter(cursor); i < this.#changes.length; i++) {
      const change = this.#changes[i];
      if (change === undefined || batch.length >= ADDS_PER_UPDATE) break;
      const its = change.told === null ? "remove" : "add";
      if (!change.isStale && (its === "add" || change.number > start)) {
        if (kind !== null && its !== kind) break;
        kind = its;
        batch.push(change);
        sinceMs = Math.min(sinceMs, change.atMs);
      }
      to = change.number;
    }
    return kind === null ? null : { kind, changes: batch, cursor: to, sinceMs };
  }

  #push(address: string, endpoint: Endpoint, told: Told | null, atMs: number): void {
    const before = this.#latest.get(address);
    if (before !== undefined) {
      before.isStale = true;
      this.#stale += 1;
      if (before.told === null) this.#removals -= 1;
    }
    this.#last += 1;
    const change = { number: this.#last, address, endpoint, told, atMs, isStale: false };
    this.#latest.set(address, change);
    this.#changes.push(change);
    if (this.#stale > this.#latest.size) this.#compact();
  }

  #compact(): void {
    this.#changes = this.#changes.filter((change) => !change.isStale);
    this.#stale = 0;
  }

  /** All but the latest few. */
  #forgetRemovals(): void {
    let surplus = this.#removals - REMOVALS_KEPT / 2;
    for (const change of this.#changes) {
      if (surplus <= 0) break;
      if (change.isStale || change.told !== null) continue;
      change.isStale = true;
      this.#latest.delete(change.address);
      this.#removals -= 1;
      this.#floor = change.number;
      surplus -= 1;
    }
    this.#compact();
  }

  /** The place of the first change with a higher number. */
  #indexAfter(cursor: number): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#changes[middle]?.number ?? 0) <= cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
