/** Budgets: what something may cost at least and at most. */
import * as assert from "uvu/assert";

/**
 * The bounds of each kind. Less than the least is as wrong as more than the most: either what is
 * counted is not what was meant, or the budget is to be lowered, lest what was gained is lost again.
 */
export type Budget = Readonly<Record<string, readonly [least: number, most: number]>>;

/** What counts together under the name `others`: kinds that the budget has no bounds for. */
export const OTHERS = "others";

/**
 * Throws unless each kind, divided by `units`, is within its bounds. Prints what was measured, so that
 * a budget that is to be changed can be read off.
 */
export function assertWithin(
  budget: Budget,
  counts: ReadonlyMap<string, number>,
  units: number,
  what: string,
): void {
  const sums = new Map(Object.keys(budget).map((kind) => [kind, 0]));
  for (const [kind, count] of counts) {
    const key = kind in budget ? kind : OTHERS;
    sums.set(key, (sums.get(key) ?? 0) + count);
  }
  const wrong: string[] = [];
  const lines: string[] = [];
  for (const [kind, sum] of sums) {
    const each = sum / units;
    const [least, most] = budget[kind] ?? [0, 0];
    const line = `${kind} ${round(each)} (${least} to ${most})`;
    lines.push(line);
    if (each < least || each > most) wrong.push(line);
  }
  const others = [...counts].filter(([kind]) => !(kind in budget));
  const rest = others.map(([kind, count]) => `${kind} ${round(count / units)}`).join(", ");
  console.log(`${what}: ${lines.join(", ")}${rest === "" ? "" : `; others: ${rest}`}`);
  assert.equal(wrong, [], `${what}: ${wrong.join(", ")}; others: ${rest}`);
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toFixed(3)));
}
