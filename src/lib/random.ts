/**
 * Random numbers for balancing and jitter. Never for secrets: one output tells all that follow.
 */

/**
 * Returns `bits % count`, for 32 random bits and a count from 1 to 2^20: in so small numbers the quotient's
 * rounding never reaches the next integer. Deno makes a remainder of numbers above 2^31 by fmod, 18 ns more.
 */
export function below(bits: number, count: number): number {
  return (bits - Math.floor(bits / count) * count) | 0;
}

/**
 * Returns a generator of 32 random bits (1 to 2^32 - 1; all of them once, then again): Marsaglia's
 * xorshift, "Xorshift RNGs" 2003, triple 13, 17, 5. Equal seeds give equal sequences.
 */
export function xorshift32(seed: number): () => number {
  // Neighbouring seeds (worker numbers) must not begin alike; 0 is the one state that never leaves.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
