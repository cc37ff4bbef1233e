import * as assert from "uvu/assert";
import { DECAY_MS } from "../../src/balancer/peak-ewma.ts";
import {
  estimateUs,
  expectedUs,
  loadUs,
  RAMP_MIN,
  rampOf,
  SILENCE_MIN_MS,
} from "../../src/balancer/score.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/score");

test("what is not known, or no longer, is worth the pool's median", () => {
  assert.is(estimateUs(0, 0, 7_000), 7_000);
  assert.is(estimateUs(0, 1e9, 7_000), 7_000);
  assert.is(estimateUs(90_000, 1e9, 7_000), 7_000);
  assert.is(estimateUs(10, 1e9, 7_000), 7_000);
});

test("an estimate leans towards the median from either side, and never passes it", () => {
  assert.is(estimateUs(90_000, 0, 7_000), 90_000);
  // A table of steps, see leftAfter.
  assert.ok(Math.abs(estimateUs(107_000, DECAY_MS, 7_000) - 43_788) < 300);
  assert.ok(Math.abs(estimateUs(1_000, DECAY_MS, 101_000) - 64_212) < 300);
  for (let ms = 0; ms < 100_000; ms += 1_000) {
    assert.ok(estimateUs(90_000, ms, 7_000) >= 7_000);
    assert.ok(estimateUs(10, ms, 7_000) <= 7_000);
  }
});

test("silence is a lower bound, once it is longer than a turn of ours", () => {
  assert.is(expectedUs(1_000, SILENCE_MIN_MS - 1), 1_000);
  assert.is(expectedUs(1_000, SILENCE_MIN_MS), 1_000 * SILENCE_MIN_MS);
  assert.is(expectedUs(900_000, 400), 900_000);
  assert.is(expectedUs(900_000, 4_000), 4_000_000);
});

test("load grows with what is pending per weight; idle endpoints are equal whatever their weight", () => {
  assert.is(loadUs(1_000, 0, 1, 0), loadUs(1_000, 0, 0.1, 0));
  assert.is(loadUs(1_000, 3, 1, 0), 4_000);
  assert.is(loadUs(1_000, 6, 2, 0), 4_000);
  assert.is(loadUs(1_000, 3, 0.5, 0), 7_000);
});

test("load grows with the share of failures", () => {
  assert.is(loadUs(1_000, 1, 1, 0.5), 10_000);
  assert.is(loadUs(1_000, 1, 1, 1), 18_000);
});

test("a ramp grows from its least part to the whole", () => {
  assert.is(rampOf(0, 10_000), RAMP_MIN);
  assert.is(rampOf(5_000, 10_000), RAMP_MIN + (1 - RAMP_MIN) / 2);
  assert.is(rampOf(10_000, 10_000), 1);
  assert.is(rampOf(1e9, 10_000), 1);
  assert.is(rampOf(0, 0), 1, "without a ramp everything is old");
});

test.run();
