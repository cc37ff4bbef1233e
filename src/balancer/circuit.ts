/**
 * The circuit breaker of one endpoint as one word of shared memory, so that a single compare-exchange
 * decides for all workers. Pure: each function takes the word as it was seen and returns the next.
 *
 *   closed ──eject──▶ ejected ──(its time is over)──▶ due ──probe──▶ probing
 *     ▲                  ▲                             ▲               │ │ │
 *     └────── close ─────┼─────────────────────────────┼───────────────┘ │ │
 *                        └──── eject, for longer ──────┼─────────────────┘ │
 *                                                      └── giveBack, or its lease is over
 *
 * `due` is not written: it is what `ejected` is when its time has come, so that nobody has to be there
 * to write it, and a probe that nobody ends (its worker died, its response never comes) lapses alike.
 *
 *   bits 0..1 phase | 2..5 level: ejections in a row | 6..9 the probe's worker | 10..31 time
 *
 * Time is in units of TIME_UNIT_MS modulo 2^22 (18.6 h): the end of an ejection or of a probe's lease, or
 * since when it is closed again. Zero is an endpoint of which nothing bad is known.
 */
import { backoffMs } from "../lib/backoff.ts";
import { CIRCUIT_PHASE } from "../shared/layout.ts";

/** Linkerd's and Envoy's first ejection is 1 s and 30 s: a restarted process is back within seconds. */
export const EJECTED_MIN_MS = 1_000;
/** Linkerd's: an endpoint that is bad for hours costs one request a minute. */
export const EJECTED_MAX_MS = 60_000;
/**
 * A probe that has come to nothing by then is thought to be lost, and another may be sent. Longer than
 * a request that is worth waiting for; a probe that is only slow still counts when it ends before the
 * next one.
 */
export const PROBE_LEASE_MS = 10_000;
/** Ejected again so soon after its return, an endpoint is ejected for twice as long as before. */
export const RELAPSE_MS = 60_000;

const TIME_UNIT_MS = 16;
const TIME_SHIFT = 10;
const TIME_MASK = 0x3f_ffff;
const LEVEL_SHIFT = 2;
const LEVEL_MAX = 15;
const WORKER_SHIFT = 6;
const WORKER_MASK = 15;
const Phase = { closed: 0, ejected: 1, probing: 2 } as const;
/** No time that is waited for is further ahead; one that seems to be is long over, see TIME_MASK. */
const AHEAD_MAX_MS = 2 * EJECTED_MAX_MS;

/** Nothing speaks against the endpoint. */
export function isClosed(word: number): boolean {
  return (word & CIRCUIT_PHASE) === Phase.closed;
}

/** One request may be sent, to see whether the endpoint is well again: whoever wins `probe`. */
export function isDue(word: number, nowMs: number): boolean {
  return !isClosed(word) && leftMs(word, nowMs) <= 0;
}

/** A probe is under way. */
export function isProbing(word: number, nowMs: number): boolean {
  return (word & CIRCUIT_PHASE) === Phase.probing && leftMs(word, nowMs) > 0;
}

/** Milliseconds until an ejection or a probe's lease ends; 0 or less: it has. */
export function leftMs(word: number, nowMs: number): number {
  if (isClosed(word)) return 0;
  const units = ((word >>> TIME_SHIFT) - Math.floor(nowMs / TIME_UNIT_MS)) & TIME_MASK;
  const left = units * TIME_UNIT_MS;
  return left > AHEAD_MAX_MS ? 0 : left;
}

/** How often it was ejected in a row. */
export function levelOf(word: number): number {
  return (word >>> LEVEL_SHIFT) & LEVEL_MAX;
}

/** The worker whose probe is under way, lease or no lease; -1: there is none. */
export function proberOf(word: number): number {
  const isProbe = (word & CIRCUIT_PHASE) === Phase.probing;
  return isProbe ? (word >>> WORKER_SHIFT) & WORKER_MASK : -1;
}

/** The endpoint is ejected: for the first time, or for longer than before. */
export function eject(word: number, nowMs: number, random: () => number): number {
  const level = Math.min(isRelapse(word, nowMs) ? levelOf(word) + 1 : 1, LEVEL_MAX);
  const waitMs = backoffMs(level, EJECTED_MIN_MS, EJECTED_MAX_MS, random);
  return pack(Phase.ejected, level, 0, Math.ceil((nowMs + waitMs) / TIME_UNIT_MS));
}

/** `worker` sends the one request. */
export function probe(word: number, nowMs: number, worker: number): number {
  const untilUnits = Math.ceil((nowMs + PROBE_LEASE_MS) / TIME_UNIT_MS);
  return pack(Phase.probing, levelOf(word), worker, untilUnits);
}

/** The probe was answered well. How often it was ejected is remembered for a while. */
export function close(word: number, nowMs: number): number {
  return pack(Phase.closed, levelOf(word), 0, Math.floor(nowMs / TIME_UNIT_MS));
}

/** The probe told nothing: another may be sent at once. */
export function giveBack(word: number, nowMs: number): number {
  return pack(Phase.ejected, levelOf(word), 0, Math.floor(nowMs / TIME_UNIT_MS));
}

function isRelapse(word: number, nowMs: number): boolean {
  if (!isClosed(word)) return true;
  const units = (Math.floor(nowMs / TIME_UNIT_MS) - (word >>> TIME_SHIFT)) & TIME_MASK;
  return levelOf(word) > 0 && units * TIME_UNIT_MS <= RELAPSE_MS;
}

function pack(phase: number, level: number, worker: number, units: number): number {
  const time = units & TIME_MASK;
  return ((time << TIME_SHIFT) | (worker << WORKER_SHIFT) | (level << LEVEL_SHIFT) | phase) >>> 0;
}
