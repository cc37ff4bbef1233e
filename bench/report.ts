/** Results as tables (plain or Markdown): the median of each figure with its spread, and the ratio to
 * the reference. */
import { REFERENCE } from "./contenders.ts";
import type { Environment } from "./environment.ts";
import type { Sample, ScenarioResult } from "./interleave.ts";
import { ratiosOf } from "./ratios.ts";
import type { Column } from "./scenario.ts";
import { median } from "./stats.ts";
import { renderTable, type TableStyle } from "./table.ts";

export const NOTHING = "–";
const FOREIGN_PERCENT_MAX = 5;

/** Whom a contender's ratios are to, and what that is called. */
export interface References {
  readonly title: string;
  of(contender: string): string;
}

const TO_REFERENCE: References = { title: REFERENCE, of: () => REFERENCE };

/** Returns the section of one scenario: title, table, and what went wrong. */
export function renderScenario(
  result: ScenarioResult,
  style: TableStyle,
  references: References = TO_REFERENCE,
): string {
  const { scenario, samples, failures } = result;
  const names = [...new Set(samples.map((sample) => sample.contender))];
  const titles = scenario.columns.flatMap((column) =>
    column.hasRatio ? [column.title, `÷ ${references.title}`] : [column.title],
  );
  const rows = names.map((name) => [
    name,
    ...scenario.columns.flatMap((each) => cells(samples, name, each, references.of(name))),
  ]);
  for (const failure of failures.filter((each) => !names.includes(each.contender))) {
    rows.push([failure.contender, failure.reason.split(":")[0] ?? "failed"]);
  }
  const heading = style === "markdown" ? `### ${scenario.title}\n` : `${scenario.title}`;
  const notes = [
    ...failures.map((failure) => `${failure.contender}: ${failure.reason}`),
    ...samples.filter((sample) => sample.errors > 0).map(describeErrors),
    ...describeDisturbance(samples),
  ];
  const bullets = notes.map((note) => `- ${note.replaceAll("\n", " ")}`);
  const table = renderTable(["", ...titles], rows, style);
  return [heading, table, ...(bullets.length > 0 ? ["", ...bullets] : []), ""].join("\n");
}

export function renderEnvironment(environment: Environment): string {
  const versions = Object.entries(environment.versions).map((pair) => pair.join(" "));
  return [
    `${environment.cores} × ${environment.cpu}, ${environment.kernel}, commit ${environment.gitSha}.`,
    `${versions.join(", ")}.`,
    "",
  ].join("\n");
}

function cells(
  samples: readonly Sample[],
  name: string,
  column: Column,
  reference: string,
): string[] {
  const values = valuesOf(samples, name, column.key);
  return column.hasRatio
    ? [withSpread(values, column.digits), ratio(samples, name, column.key, reference)]
    : [withSpread(values, column.digits)];
}

function withSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) {
    return NOTHING;
  }
  const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)].map(
    (value) => value.toFixed(digits),
  );
  return least === most ? `${middle}` : `${middle} (${least}–${most})`;
}

function ratio(samples: readonly Sample[], name: string, key: string, reference: string): string {
  const ratios = ratiosOf(samples, name, key, reference);
  return name === reference && ratios.length > 0 ? "1" : withSpread(ratios, 2);
}

function valuesOf(samples: readonly Sample[], name: string, key: string): number[] {
  return samples
    .filter((sample) => sample.contender === name)
    .map((sample) => sample.figures[key])
    .filter((value) => value !== undefined);
}

function describeErrors(sample: Sample): string {
  return `${sample.contender}, repeat ${sample.repeat}: ${sample.errors} errors, not to be believed`;
}

/** Something else on the proxy's core makes a sample worthless, so it is said and not averaged away. */
function describeDisturbance(samples: readonly Sample[]): string[] {
  const disturbed = samples.filter(
    (sample) => (sample.figures["foreignPercent"] ?? 0) > FOREIGN_PERCENT_MAX,
  );
  return disturbed.length === 0
    ? []
    : [
        `${disturbed.length} of ${samples.length} samples were disturbed: over ${FOREIGN_PERCENT_MAX} % ` +
          "of the proxy's core went to something else",
      ];
}
