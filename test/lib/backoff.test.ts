import * as assert from "uvu/assert";
import { backoffMs, fullJitterMs } from "../../src/lib/backoff.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/backoff");
const least = () => 0;
const most = () => 0xffff_ffff;

test("doubles with each failure up to where jitter still fits below the maximum", () => {
  const waits = [1, 2, 3, 4, 9, 10, 11, 30].map((n) => backoffMs(n, 100, 60_000, least));
  assert.equal(waits, [100, 200, 400, 800, 25_600, 40_000, 40_000, 40_000]);
});

test("jitter adds up to half, at the maximum too", () => {
  const waits = [1, 2, 3, 4, 9, 10, 11, 30].map((n) => backoffMs(n, 100, 60_000, most));
  assert.equal(waits, [150, 300, 600, 1200, 38_400, 60_000, 60_000, 60_000]);
});

test("is an integer within its bounds for any number of failures", () => {
  const random = seeded("backoff");
  for (const failures of [0, 1, 5, 63, 1_100, 0xffff_ffff]) {
    for (let i = 0; i < 1_000; i++) {
      const waitMs = backoffMs(failures, 100, 60_000, random.u32);
      assert.ok(Number.isInteger(waitMs) && waitMs >= 100 && waitMs <= 60_000, String(waitMs));
    }
  }
});

test("full jitter is from nothing to the doubled minimum, or the maximum", () => {
  const waits = [1, 2, 7, 8, 2_000].map((n) => fullJitterMs(n, 100, 10_000, most));
  assert.equal(waits, [200, 400, 10_000, 10_000, 10_000]);
  assert.is(fullJitterMs(2_000, 100, 10_000, least), 0);
  assert.is(
    fullJitterMs(1, 100, 10_000, () => 0x8000_0000),
    100,
  );
});

test("a maximum too near the minimum for jitter still binds", () => {
  assert.is(backoffMs(1, 100, 100, least), 100);
  assert.is(backoffMs(9, 100, 100, most), 100);
});

test("two that fail together do not wait equally long", () => {
  const random = seeded("apart");
  const waits = new Set(Array.from({ length: 100 }, () => backoffMs(20, 100, 60_000, random.u32)));
  assert.ok(waits.size > 90, `${waits.size} different waits`);
});

test.run();
