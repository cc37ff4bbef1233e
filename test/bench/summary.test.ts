import * as assert from "uvu/assert";
import { ratiosOf } from "../../bench/ratios.ts";
import { renderSummary } from "../../bench/summary.ts";
import { suite } from "../support/test.ts";
import { resultOf, sampleOf, scenarioOf } from "./samples.ts";

const test = suite("bench/summary");
const NAMES = ["direct", "ours", "haproxy"];

test("ratios are paired by repeat, and nothing is divided by what is not there or is 0", () => {
  const samples = [
    ...[sampleOf("ours", 1, { cpu: 10 }), sampleOf("haproxy", 1, { cpu: 20 })],
    ...[sampleOf("ours", 2, { cpu: 90 }), sampleOf("haproxy", 2, { cpu: 30 })],
    ...[sampleOf("ours", 3, { cpu: 1 }), sampleOf("haproxy", 3, { cpu: 0 })],
    ...[sampleOf("ours", 4, { cpu: 1 }), sampleOf("haproxy", 4, {}), sampleOf("ours", 5, {})],
  ];
  assert.equal(ratiosOf(samples, "ours", "cpu"), [0.5, 3]);
  assert.equal(ratiosOf(samples, "direct", "cpu"), []);
});

test("a line for the first ratio of a scenario, or for each of its headlines", () => {
  const figures = { requests: 5, cpu: 10, p99Ms: 3 };
  const samples = [
    sampleOf("direct", 1, { p99Ms: 1.5 }),
    sampleOf("ours", 1, { requests: 5, cpu: 9, p99Ms: 6 }),
    sampleOf("haproxy", 1, figures),
  ];
  const results = [
    resultOf(scenarioOf("keepalive"), samples),
    resultOf(scenarioOf("bodies", ["p99Ms", "cpu"]), samples),
    resultOf(scenarioOf("lost"), [sampleOf("ours", 1, figures)]),
    resultOf(scenarioOf("empty"), []),
  ];
  assert.is(
    renderSummary(results, NAMES, "markdown"),
    [
      "### ÷ haproxy, median of the repeats; less is better\n",
      "|                   | direct | ours |",
      "|-------------------|-------:|-----:|",
      "| keepalive, CPU µs |      – | 0.90 |",
      "| bodies, CPU µs    |      – | 0.90 |",
      "| bodies, p99 ms    |   0.50 | 2.00 |",
      "",
    ].join("\n"),
  );
});

test("without the reference, or with nothing else, there is no summary", () => {
  const ours = sampleOf("ours", 1, { cpu: 1 });
  const theirs = sampleOf("haproxy", 1, { cpu: 1 });
  assert.is(renderSummary([], NAMES, "plain"), null);
  assert.is(renderSummary([resultOf(scenarioOf("a"), [ours])], ["ours"], "plain"), null);
  assert.is(renderSummary([resultOf(scenarioOf("a"), [theirs])], ["haproxy"], "plain"), null);
});

test.run();
