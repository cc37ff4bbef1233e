/** `compare BASE HEAD`: outrigger of two commits as contenders, and what is found of the second. */
import { checkOut, contendersOf, nameIn } from "./checkouts.ts";
import type { Contender } from "./contenders.ts";
import type { ScenarioResult } from "./interleave.ts";
import type { CompareOptions } from "./options.ts";
import type { References } from "./report.ts";
import type { Runtime } from "./runtimes.ts";
import { judge, renderVerdict, type Verdict } from "./verdict.ts";

/** Ratios are to the same runtime's base. */
export const TO_BASE: References = {
  title: "base",
  of: (name) => name.replace(/-head$/, "-base"),
};

/** Checks both commits out below `directory` and returns the contenders: A B, for each runtime. */
export async function checkOutBoth(
  { base, head }: CompareOptions,
  runtimes: readonly Runtime[],
  directory: string,
): Promise<readonly Contender[]> {
  const bases = contendersOf(await checkOut(base, `${directory}/base`), "base", runtimes);
  const heads = contendersOf(await checkOut(head, `${directory}/head`), "head", runtimes);
  return bases.flatMap((each, i) => [each, ...heads.slice(i, i + 1)]);
}

export interface NamedVerdict extends Verdict {
  readonly title: string;
}

/** Returns a verdict for each scenario, runtime and cost; none on what measures no CPU. */
export function verdictsOn(
  results: readonly ScenarioResult[],
  { budget }: CompareOptions,
  runtimes: readonly Runtime[],
): readonly NamedVerdict[] {
  return results.flatMap(({ scenario, samples }) =>
    runtimes.flatMap((runtime) =>
      judge(samples, nameIn("base", runtime), nameIn("head", runtime), budget).map((verdict) => ({
        ...{ title: `${scenario.name} on ${runtime}` },
        ...verdict,
      })),
    ),
  );
}

/** Returns one line for each. */
export function renderVerdicts(
  verdicts: readonly NamedVerdict[],
  { base, head, budget }: CompareOptions,
): string {
  const lines = verdicts.map((verdict) => renderVerdict(verdict.title, verdict, budget));
  return [`${head} against ${base}:`, ...lines, ""].join("\n");
}
