import * as assert from "uvu/assert";
import { distributionOf, isTold, valueAt } from "../../bench/percentiles.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/percentiles");

test("a percentile needs ten samples above it, the maximum one", () => {
  for (const [percent, samples] of [
    [50, 20],
    [90, 100],
    [99, 1_000],
    [99.9, 10_000],
    [99.99, 100_000],
    [99.999, 1_000_000],
    [100, 1],
  ] as const) {
    assert.ok(isTold(samples, percent), `${samples} for ${percent}`);
    assert.not.ok(isTold(samples - 1, percent), `${samples - 1} for ${percent}`);
  }
});

test("a distribution ends with the last percentile that is told, and the maximum", () => {
  const ascending = Array.from({ length: 1_000 }, (_, at) => at + 1);
  const distribution = distributionOf(ascending);
  assert.equal(distribution.at(-2), [99, 990]);
  assert.equal(distribution.at(-1), [100, 1_000]);
  assert.is(valueAt(distribution, 50), 500);
  assert.is(valueAt(distribution, 99.9), null);
  for (const [at, [percent, ms]] of distribution.entries()) {
    const [percentBefore = -1, msBefore = -1] = distribution[at - 1] ?? [];
    assert.ok(percent > percentBefore && ms >= msBefore, `${percent} after ${percentBefore}`);
  }
});

test("few samples tell little, and none nothing", () => {
  assert.equal(distributionOf([3]), [[100, 3]]);
  assert.equal(distributionOf([]), []);
  assert.equal(distributionOf(new Float64Array(0)), []);
});

test.run();
