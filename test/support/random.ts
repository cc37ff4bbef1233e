/**
 * Random numbers that can be had again. Every generator of a run starts from SEED (and a salt), so
 * one test alone draws what it drew among the others. Xorshift32 (Marsaglia 2003, triple 13, 17, 5):
 * good enough to choose inputs, never for secrets.
 */

/** The seed of this run: `SEED=` from the environment, else a fresh one. Never 0. */
export const SEED: number = seedFromEnvironment();

export interface Random {
  /** Returns 32 random bits, 1 to 2^32 - 1. */
  u32(): number;
  /** Returns an integer from 0 to `limit - 1`. */
  below(limit: number): number;
  /** Returns an integer from `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** Returns a number from 0 up to but not including 1. */
  unit(): number;
  /** Returns true with the given probability. */
  chance(probability: number): boolean;
  /** Returns `length` random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** Returns one of the items, which must not be empty. */
  pick<T>(items: readonly T[]): T;
}

let isUsed = false;

/** Returns SEED if any generator was made in this process: only then does it help to print it. */
export function seedInUse(): number | null {
  return isUsed ? SEED : null;
}

/** Makes a generator that depends on SEED and the salt only. */
export function seeded(salt: string | number = ""): Random {
  isUsed = true;
  let state = mix(SEED, String(salt));
  const u32 = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const unit = (): number => (u32() - 1) / 0xffff_ffff;
  const below = (limit: number): number => Math.floor(unit() * limit);
  return {
    u32,
    unit,
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: (probability) => unit() < probability,
    bytes: (length) => Uint8Array.from({ length }, () => u32() >>> 24),
    pick: (items) => {
      const [item] = items.slice(below(items.length));
      if (item === undefined) throw new RangeError("pick() of an empty list");
      return item;
    },
  };
}

/** FNV-1a over the salt, so that two salts give unrelated sequences. Never 0, which xorshift keeps. */
function mix(seed: number, salt: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const char of salt) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash === 0 ? 1 : hash;
}

function seedFromEnvironment(): number {
  const text = process.env["SEED"];
  if (text === undefined) return 1 + Math.floor(Math.random() * 0xffff_fffe);
  const seed = Number(text);
  if (!/^[0-9]+$/.test(text) || seed < 1 || seed > 0xffff_ffff) {
    throw new RangeError(`SEED=${text}: expected an integer from 1 to 4294967295`);
  }
  return seed;
}
