/**
 * When a certificate is asked for again. All is scaled by what is left of its validity, so that one
 * of ten seconds is treated as one of a day is. Pure: time in, milliseconds out; `random` returns 32
 * random bits.
 */
import { backoffMs } from "../lib/backoff.ts";

/** Linkerd's: late enough to be rare, early enough to outlast a day's outage of the control plane. */
const REFRESH_SHARE = 0.7;
/** Sidecars that started together do not renew together. */
const REFRESH_JITTER = 0.1;
/** Linkerd's: a certificate of a year is renewed every day all the same. */
const REFRESH_MAX_MS = 86_400_000;
/** Whatever a control plane issues, it is not asked more often for what it says is good. */
export const REFRESH_FLOOR_MS = 100;

export const RETRY_MIN_MS = 100;
/** ztunnel's longest backoff for certificates. */
export const RETRY_MAX_MS = 150_000;
/** Ten attempts at least before the certificate expires, however long they were put off. */
const RETRY_SHARE = 0.1;
/**
 * Without a certificate nothing is served, and each attempt costs the control plane one handshake:
 * Linkerd's least interval.
 */
export const RETRY_WITHOUT_MAX_MS = 10_000;
/** More doublings than any of the bounds has room for. */
const FAILURES_LONGEST = 64;

/** Trust anchors are replaced over minutes at least; 1,000 sidecars in 5 s are 200 a second. */
const SOON_MAX_MS = 5_000;
const SOON_MIN_SHARE = 0.2;
const SOON_LEFT_SHARE = 0.25;

/** A request takes milliseconds; no longer than this is waited where there is time. */
const ASK_MAX_MS = 10_000;
/** Three may hang before the certificate expires. */
const ASK_SHARE = 0.25;
/** Below this a slow machine's handshake would be taken for a hanging one. */
const ASK_MIN_MS = 1_000;

const UINT32 = 0x1_0000_0000;

/**
 * Returns how long after a success the next certificate is asked for: 70 % of the `leftMs` that the
 * new one is valid, a day at most, 10 % of that more or less. Always before it expires, unless it
 * lives less than REFRESH_FLOOR_MS, and never in the first half of its life, which keeps Linkerd's
 * least interval of 10 s wherever there is room for one.
 */
export function refreshDelayMs(leftMs: number, random: () => number): number {
  const jitter = 1 + REFRESH_JITTER * ((2 * random()) / UINT32 - 1);
  const delayMs = Math.min(leftMs * REFRESH_SHARE, REFRESH_MAX_MS) * jitter;
  return Math.max(Math.floor(delayMs), REFRESH_FLOOR_MS);
}

/**
 * Returns when a certificate that a run before was issued is renewed: when that run would have, so
 * that restarts put nothing off; soon when that has gone by. `lifeMs` is its whole life.
 */
export function resumeDelayMs(lifeMs: number, leftMs: number, random: () => number): number {
  const delayMs = refreshDelayMs(lifeMs, random) - (lifeMs - leftMs);
  return Math.max(delayMs, soonDelayMs(leftMs, random));
}

export type Failure = {
  /** In a row; 1 is the first. */
  readonly failures: number;
  /** Of the certificate that is had; null without one, 0 or less when it has expired. */
  readonly leftMs: number | null;
  /** Asking again will not help until somebody does something. */
  readonly isRefused: boolean;
};

/** Returns how long to wait after a failure, RETRY_MIN_MS to RETRY_MAX_MS. */
export function retryDelayMs(failure: Failure, random: () => number): number {
  const { failures, leftMs, isRefused } = failure;
  const hasCertificate = leftMs !== null && leftMs > 0;
  const withoutMs = isRefused ? RETRY_MAX_MS : RETRY_WITHOUT_MAX_MS;
  const wantedMs = hasCertificate ? Math.floor(leftMs * RETRY_SHARE) : withoutMs;
  const maxMs = Math.min(Math.max(wantedMs, RETRY_MIN_MS), RETRY_MAX_MS);
  return backoffMs(isRefused ? FAILURES_LONGEST : failures, RETRY_MIN_MS, maxMs, random);
}

/**
 * Returns when to ask for a certificate that is not due, because the mesh's trust anchors have
 * changed: within 5 s or a quarter of what is left, spread, and not at once.
 */
export function soonDelayMs(leftMs: number, random: () => number): number {
  const maxMs = Math.min(SOON_MAX_MS, leftMs * SOON_LEFT_SHARE);
  const share = SOON_MIN_SHARE + ((1 - SOON_MIN_SHARE) * random()) / UINT32;
  return Math.max(Math.floor(maxMs * share), REFRESH_FLOOR_MS);
}

/** Returns how long one attempt may take. `leftMs` as in Failure. */
export function askTimeoutMs(leftMs: number | null): number {
  if (leftMs === null || leftMs <= 0) return ASK_MAX_MS;
  return Math.floor(Math.min(ASK_MAX_MS, Math.max(ASK_MIN_MS, leftMs * ASK_SHARE)));
}
