/** Whether one commit costs more than another beyond a budget and beyond what the machine's unrest can
 * explain. Both were measured in turn, so each repeat has one ratio of its own. */
import type { Sample } from "./interleave.ts";
import { ratiosOf } from "./ratios.ts";
import { median } from "./stats.ts";

/** What is judged, where a scenario has it: CPU time, which a busy machine disturbs less than rates. */
const COSTS = {
  cpuUsPerRequest: "CPU per request",
  uploadCpuSecondsPerGiB: "CPU per GiB up",
  downloadCpuSecondsPerGiB: "CPU per GiB down",
} as const;

export interface Verdict {
  readonly cost: string;
  /** HEAD ÷ BASE, one of each repeat in which both were measured. */
  readonly ratios: readonly number[];
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** The median is over the budget, and in not one repeat was HEAD as cheap as BASE. */
  readonly isExceeded: boolean;
}

/** Judges every cost that both contenders have figures of; `budget` is the ratio that is still allowed. */
export function judge(
  samples: readonly Sample[],
  base: string,
  head: string,
  budget: number,
): Verdict[] {
  return Object.entries(COSTS).flatMap(([key, cost]) => {
    const ratios = ratiosOf(samples, head, key, base);
    return ratios.length === 0 ? [] : [judgeRatios(cost, ratios, budget)];
  });
}

function judgeRatios(cost: string, ratios: readonly number[], budget: number): Verdict {
  const middle = median(ratios);
  const least = Math.min(...ratios);
  const most = Math.max(...ratios);
  const isExceeded = middle > budget && least > 1;
  return { cost, ratios, median: middle, least, most, isExceeded };
}

/** Returns one line: the ratio with its spread, and whether it is within the budget. */
export function renderVerdict(head: string, verdict: Verdict, budget: number): string {
  const { cost, isExceeded } = verdict;
  const [middle, least, most] = [verdict.median, verdict.least, verdict.most].map((ratio) =>
    ratio.toFixed(3),
  );
  const over = verdict.median > budget ? "over it, but not in every repeat dearer" : "within it";
  return (
    `${head}: ${cost} ${middle} (${least}–${most}) of the base's, budget ${budget}: ` +
    (isExceeded ? "EXCEEDED" : over)
  );
}
