import * as assert from "uvu/assert";
import {
  DECAY_MS,
  DEFAULT_RTT_US,
  decayedUs,
  elapsedMs,
  observedUs,
  SAMPLE_MS,
} from "../../src/balancer/peak-ewma.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/peak-ewma");
const UINT32_MAX = 0xffff_ffff;

test("a larger round trip replaces the estimate at once", () => {
  assert.is(observedUs(1_000, 0, 50_000), 50_000);
  assert.is(observedUs(1_000, 5_000, 1_001), 1_001);
});

test("… or as far as it may rise by one answer", () => {
  assert.is(observedUs(1_000, 0, 50_000, 2), 2_000);
  assert.is(observedUs(1_000, 0, 1_500, 2), 1_500);
  assert.is(observedUs(0, 0, 50_000, 2), 50_000);
});

test("a smaller one is averaged in by the time since the last", () => {
  assert.is(observedUs(100_000, DECAY_MS, 10_000), 43_109); // 1/e of the way is left
  assert.is(observedUs(100_000, 10 * DECAY_MS, 10_000), 10_004);
  assert.is(observedUs(100_000, UINT32_MAX, 10_000), 10_000);
});

test("a smaller one within the sample time changes nothing", () => {
  assert.is(observedUs(100_000, 0, 10), 100_000);
  assert.is(observedUs(100_000, SAMPLE_MS - 1, 10), 100_000);
  assert.ok(observedUs(100_000, SAMPLE_MS, 10) < 100_000);
});

test("small differences are not lost in rounding: the estimate arrives", () => {
  let costUs = 150;
  for (let i = 0; i < 1_000; i++) costUs = observedUs(costUs, SAMPLE_MS, 100);
  assert.is(costUs, 100);
});

test("nothing measured counts as the default, and the first answer replaces it", () => {
  assert.is(decayedUs(0, 0), DEFAULT_RTT_US);
  assert.is(decayedUs(0, DECAY_MS), 11_036);
  assert.is(observedUs(0, 0, 700), 700);
  assert.is(observedUs(0, UINT32_MAX, 90_000), 90_000);
});

test("an estimate is forgotten exponentially and never below 1", () => {
  assert.is(decayedUs(100_000, 0), 100_000);
  assert.is(decayedUs(100_000, DECAY_MS), 36_788);
  assert.is(decayedUs(100_000, UINT32_MAX), 1);
});

test("costs stay within 1 and 2^32 - 1 whatever was measured", () => {
  assert.is(observedUs(0, 0, 0), 1);
  assert.is(observedUs(0, 0, -5), 1);
  assert.is(observedUs(5, 0, 1e12), UINT32_MAX);
  assert.is(observedUs(UINT32_MAX, 0, UINT32_MAX), UINT32_MAX);
  assert.is(observedUs(3, 0, 3.7), 4);
});

test("elapsed time is right across the wrap, and of clocks beyond it", () => {
  assert.is(elapsedMs(5, UINT32_MAX - 4), 10);
  assert.is(elapsedMs(2 ** 32 + 5, UINT32_MAX - 4), 10);
  assert.is(elapsedMs(3 * 2 ** 32 + 1_000, 0), 1_000);
});

test("a stamp of another worker's later turn is now, not 49 days ago", () => {
  assert.is(elapsedMs(1_000, 1_001), 0);
  assert.is(elapsedMs(2 ** 32 - 1, 3), 0);
  assert.is(decayedUs(8_000, elapsedMs(1_000, 1_001)), 8_000);
});

test.run();
