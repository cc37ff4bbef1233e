/** Ratios to the reference, paired by repeat: both sides of one were measured within the same minute. */
import { REFERENCE } from "./contenders.ts";
import type { Sample } from "./interleave.ts";

/** Returns one ratio for each repeat in which both were measured. */
export function ratiosOf(
  samples: readonly Sample[],
  name: string,
  key: string,
  referenceName: string = REFERENCE,
): number[] {
  const ratios: number[] = [];
  for (const sample of samples) {
    const reference = samples.find(
      (other) => other.contender === referenceName && other.repeat === sample.repeat,
    );
    const below = reference?.figures[key];
    const above = sample.figures[key];
    if (sample.contender === name && above !== undefined && below !== undefined && below > 0) {
      ratios.push(above / below);
    }
  }
  return ratios;
}
