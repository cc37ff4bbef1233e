/**
 * Targets whose servers were seen to speak first (MySQL, SMTP): a silent client's connection to
 * one is dialled at once instead of after the silence. A hint, never a verdict: both sides still
 * race, so a wrong or colliding entry costs one early dial and nothing else.
 */
import { LEARNED_MAX, LearnedRow } from "./layout.ts";
import type { Memory, Words } from "./memory.ts";

/** A target that was not seen to speak first for this long is forgotten. */
export const LEARNED_MS = 600_000;

export class LearnedTargets {
  readonly #words: Words;
  readonly #base: number;

  constructor(memory: Memory) {
    this.#words = memory.words;
    this.#base = memory.layout.learned;
  }

  /** `ip` is 4 or 16 bytes: an address is only known in the form in which it was remembered. */
  remember(ip: Uint8Array, port: number, nowMs: number): void {
    const key = hashTarget(ip, port);
    const row = this.#row(key);
    Atomics.store(this.#words, row + LearnedRow.stampMs, nowMs | 0);
    Atomics.store(this.#words, row + LearnedRow.key, key);
  }

  /** Returns whether the target was seen to speak first within LEARNED_MS. */
  knows(ip: Uint8Array, port: number, nowMs: number): boolean {
    const key = hashTarget(ip, port);
    const row = this.#row(key);
    if (Atomics.load(this.#words, row + LearnedRow.key) !== key) return false;
    // A stamp may lie ahead of `nowMs`: the threads read their clocks at different moments.
    const agoMs = (nowMs - Atomics.load(this.#words, row + LearnedRow.stampMs)) | 0;
    return Math.abs(agoMs) < LEARNED_MS;
  }

  #row(key: number): number {
    return this.#base + ((key >>> 0) % LEARNED_MAX) * LearnedRow.$stride;
  }
}

/** FNV-1a over the address and the port; never 0, which marks a free row. */
function hashTarget(ip: Uint8Array, port: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < ip.length; i++) hash = Math.imul(hash ^ (ip[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (port & 0xff), 0x01000193);
  hash = Math.imul(hash ^ (port >>> 8), 0x01000193);
  return hash === 0 ? 1 : hash;
}
