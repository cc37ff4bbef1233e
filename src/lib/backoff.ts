/** How long to leave something alone that keeps failing. */

/** Jitter adds up to this share, so that proxies that failed together do not return together. */
const JITTER = 0.5;
/** … and up to this one where many requests of one moment wait: Linkerd's for retries. */
export const FULL_JITTER = 1;
const UINT32 = 0x1_0000_0000;

/**
 * Returns milliseconds to wait after `failures` failures in a row (1 is the first): `minMs` doubled
 * with each further one, and up to `jitter` (half) of that again by chance. Always an integer within
 * `minMs..maxMs`, and spread at the upper end too. `random` returns 32 random bits.
 */
export function backoffMs(
  failures: number,
  minMs: number,
  maxMs: number,
  random: () => number,
  jitter: number = JITTER,
): number {
  const doublings = Math.max(0, failures - 1);
  const baseMs = Math.min(minMs * 2 ** doublings, maxMs / (1 + jitter));
  const waitMs = Math.round(baseMs * (1 + (jitter * random()) / UINT32));
  return Math.min(Math.max(waitMs, minMs), maxMs);
}

/**
 * The same with full jitter, for what thousands do at once when one server goes: any time from 0 to
 * `minMs` doubled with each failure, or `maxMs`.
 */
export function fullJitterMs(
  failures: number,
  minMs: number,
  maxMs: number,
  random: () => number,
): number {
  return Math.round((Math.min(minMs * 2 ** failures, maxMs) * random()) / UINT32);
}
