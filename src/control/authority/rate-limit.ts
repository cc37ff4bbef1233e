/**
 * How many certificates one identity may ask for: a token bucket each, so that a sidecar that runs
 * wild, or a stolen token, neither keeps the authority busy nor hides among the others. All replicas
 * of a workload are one identity and share its bucket, so its size is that of a large workload that
 * starts, or renews, all at once.
 */

/** Replicas of one identity that may ask at the same moment. */
export const BURST = 50;

/** With lifetimes of hours: 50 more replicas wait 100 s at the most, and a flood gets one in 2 s. */
export const INTERVAL_MAX_MS = 2_000;

/**
 * Each replica renews at 70 % of the lifetime. With short lifetimes the bucket fills twice as fast as
 * BURST replicas empty it: every 70 ms when certificates live for 10 s.
 */
const RENEWAL_SHARE = 0.7;
const HEADROOM = 2;

/** Of about 100 bytes each. A bucket that is full again is forgotten first. */
export const IDENTITIES_MAX = 10_000;

type Bucket = { left: number; atMs: number };

export class RateLimit {
  readonly #intervalMs: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `lifetimeMs` is that of the certificates. */
  constructor(lifetimeMs: number) {
    const neededMs = (lifetimeMs * RENEWAL_SHARE) / (BURST * HEADROOM);
    this.#intervalMs = Math.min(INTERVAL_MAX_MS, neededMs);
  }

  /** Identities that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one request of an identity; false when it has had its share. `nowMs` may jump. */
  take(identity: string, nowMs: number): boolean {
    let bucket = this.#buckets.get(identity);
    if (bucket === undefined) {
      if (this.#buckets.size >= IDENTITIES_MAX) this.#forgetFull(nowMs);
      if (this.#buckets.size >= IDENTITIES_MAX) return false;
      bucket = { left: BURST, atMs: nowMs };
      this.#buckets.set(identity, bucket);
    }
    this.#fill(bucket, nowMs);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** A clock that was set back fills nothing, and from then on fills as before. */
  #fill(bucket: Bucket, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.left = Math.min(BURST, bucket.left + elapsedMs / this.#intervalMs);
    bucket.atMs = nowMs;
  }

  #forgetFull(nowMs: number): void {
    for (const [identity, bucket] of this.#buckets) {
      this.#fill(bucket, nowMs);
      if (bucket.left >= BURST) this.#buckets.delete(identity);
    }
  }
}
