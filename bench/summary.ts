/** What a whole run comes to, on one page: each scenario's headline figures as ratios to the reference. */
import { REFERENCE } from "./contenders.ts";
import type { ScenarioResult } from "./interleave.ts";
import { ratiosOf } from "./ratios.ts";
import { NOTHING } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import { median } from "./stats.ts";
import { renderTable, type TableStyle } from "./table.ts";

/** Returns the table, a line for each headline, or null if the reference was measured in none of them. */
export function renderSummary(
  results: readonly ScenarioResult[],
  contenders: readonly string[],
  style: TableStyle,
): string | null {
  const others = contenders.filter((name) => name !== REFERENCE);
  const rows = results.flatMap((result) =>
    headlinesOf(result.scenario)
      .filter(({ key }) => ratiosOf(result.samples, REFERENCE, key).length > 0)
      .map(({ key, title }) => [
        `${result.scenario.name}, ${title}`,
        ...others.map((name) => cell(ratiosOf(result.samples, name, key))),
      ]),
  );
  if (rows.length === 0 || others.length === 0) return null;
  const title = `÷ ${REFERENCE}, median of the repeats; less is better`;
  const heading = style === "markdown" ? `### ${title}\n` : title;
  return `${heading}\n${renderTable(["", ...others], rows, style)}\n`;
}

interface Headline {
  readonly key: string;
  readonly title: string;
}

function headlinesOf({ columns, headlines }: Scenario): readonly Headline[] {
  if (headlines === undefined) return columns.filter(({ hasRatio }) => hasRatio).slice(0, 1);
  return columns.filter(({ key }) => headlines.includes(key));
}

function cell(ratios: readonly number[]): string {
  return ratios.length === 0 ? NOTHING : median(ratios).toFixed(2);
}
