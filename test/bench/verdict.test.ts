import * as assert from "uvu/assert";
import type { Sample } from "../../bench/interleave.ts";
import type { Figures } from "../../bench/scenario.ts";
import { judge, renderVerdict } from "../../bench/verdict.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/verdict");

const BUDGET = 1.05;

function sample(contender: string, repeat: number, figures: Figures): Sample {
  return { scenario: "keepalive", contender, version: "", repeat, figures, errors: 0 };
}

/** One pair of samples for each pair of figures, as they come: base, head, base, head. */
function pairs(...costs: readonly (readonly [base: number, head: number])[]): Sample[] {
  return costs.flatMap(([base, head], i) => [
    sample("base", i + 1, { cpuUsPerRequest: base }),
    sample("head", i + 1, { cpuUsPerRequest: head }),
  ]);
}

function verdictOn(samples: readonly Sample[], budget = BUDGET): boolean[] {
  return judge(samples, "base", "head", budget).map((verdict) => verdict.isExceeded);
}

test("a head that costs more in every repeat, and over the budget in the median, exceeds it", () => {
  const samples = pairs([20, 22], [20, 21.2], [20, 20.1]);
  const [verdict] = judge(samples, "base", "head", BUDGET);
  assert.ok(verdict);
  assert.is(verdict.isExceeded, true);
  assert.is(verdict.median, 1.06);
  assert.is(verdict.least, 20.1 / 20);
  assert.is(verdict.most, 1.1);
  const line = renderVerdict("head", verdict, BUDGET);
  assert.is(line, "head: CPU per request 1.060 (1.005–1.100) of the base's, budget 1.05: EXCEEDED");
});

test("one repeat in which the head was as cheap tells of the machine's unrest, not of the commit", () => {
  const samples = pairs([20, 30], [20, 30], [20, 20]);
  assert.equal(verdictOn(samples), [false]);
  const [verdict] = judge(samples, "base", "head", BUDGET);
  assert.ok(verdict);
  assert.match(renderVerdict("head", verdict, BUDGET), /over it, but not in every repeat dearer$/);
});

test("what is dearer in every repeat is within the budget up to exactly that", () => {
  assert.equal(verdictOn(pairs([20, 21], [20, 21])), [false]);
  assert.equal(verdictOn(pairs([20, 21.1], [20, 21.1])), [true]);
  assert.equal(verdictOn(pairs([20, 10], [20, 11])), [false]);
});

test("a ratio is of one repeat, not of the medians", () => {
  // The machine was half as fast in the second repeat: both figures doubled.
  assert.equal(verdictOn(pairs([20, 20.4], [40, 40.8], [20, 20.4])), [false]);
});

test("each cost that a scenario has is judged by itself", () => {
  const samples = [
    sample("base", 1, { uploadCpuSecondsPerGiB: 1, downloadCpuSecondsPerGiB: 1 }),
    sample("head", 1, { uploadCpuSecondsPerGiB: 1, downloadCpuSecondsPerGiB: 2 }),
  ];
  assert.equal(verdictOn(samples), [false, true]);
});

test("a repeat in which only one was measured counts for nothing, and without any there is no verdict", () => {
  const alone = sample("head", 3, { cpuUsPerRequest: 1_000 });
  assert.equal(verdictOn([...pairs([20, 20]), alone]), [false]);
  assert.equal(judge([...pairs([20, 20]), alone], "base", "head", BUDGET)[0]?.ratios.length, 1);
  assert.equal(verdictOn([alone]), []);
  assert.equal(judge([sample("base", 1, {}), sample("head", 1, {})], "base", "head", BUDGET), []);
});

test.run();
