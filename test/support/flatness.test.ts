/** What is flat, and what is not. */
import * as assert from "uvu/assert";
import { flatnessOf, medianOf } from "./flatness.ts";
import { suite } from "./test.ts";

const test = suite("support/flatness");

test("a leak rises, and by how much", () => {
  const leak = Array.from({ length: 20 }, (_, step) => 100 + 2 * step);
  const { rise, middle, end } = flatnessOf(leak);
  assert.ok(Math.abs(rise - 18) < 1e-9, String(rise));
  assert.is(middle, 124);
  assert.is(end, 134);
});

test("what grew first and then no more is flat", () => {
  const warm = [70, 90, 100, 105, 107, 107, 107, 107, 107, 107];
  assert.is(flatnessOf(warm).rise, 0);
});

test("a saw is flat, wherever it is cut off", () => {
  for (let cut = 0; cut < 8; cut++) {
    const saw = Array.from({ length: 40 + cut }, (_, step) => 100 + (step % 4));
    const { rise, middle, end } = flatnessOf(saw);
    assert.ok(Math.abs(rise) < 2, String(rise));
    assert.ok(Math.abs(end - middle) <= 1, `${middle} to ${end}`);
  }
});

test("so is a saw of two heights, as it was measured on Bun", () => {
  const saw = [150, 149, 144, 170, 154, 170, 143, 167, 132, 169];
  const { middle, end } = flatnessOf([...saw, ...saw]);
  assert.ok(end < 1.05 * middle, `${middle} to ${end}`);
});

test("the median is of the middle ones", () => {
  assert.is(medianOf([3, 1, 2]), 2);
  assert.is(medianOf([4, 1, 2, 3]), 2.5);
});

test.run();
