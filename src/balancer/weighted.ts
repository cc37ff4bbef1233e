/** A choice by chance, in proportion to weights. */

const UINT32 = 0x1_0000_0000;

/**
 * Returns the place of one of `choices`, each as often as its weight has it; one whose weight is 0
 * or less never. -1 when there is none. `random` returns 32 random bits.
 */
export function weightedIndex(
  choices: readonly { readonly weight: number }[],
  random: () => number,
): number {
  let total = 0;
  let last = -1;
  for (let i = 0; i < choices.length; i++) {
    const weight = choices[i]?.weight ?? 0;
    if (!(weight > 0)) continue;
    total += weight;
    last = i;
  }
  let point = (random() / UINT32) * total;
  for (let i = 0; i < last; i++) {
    const weight = choices[i]?.weight ?? 0;
    if (!(weight > 0)) continue;
    if (point < weight) return i;
    point -= weight;
  }
  return last;
}
