import * as assert from "uvu/assert";
import { below, xorshift32 } from "../../src/lib/random.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/random");

test("equal seeds give equal sequences", () => {
  const [a, b] = [xorshift32(7), xorshift32(7)];
  for (let i = 0; i < 100; i++) assert.is(a(), b());
});

test("no seed is stuck, not even those that mix to 0", () => {
  for (const seed of [0, 1, -1, 0xffff_ffff, 0x9e37_79b9, 2 ** 40, Number.NaN]) {
    const random = xorshift32(seed);
    const drawn = new Set(Array.from({ length: 100 }, random));
    assert.is(drawn.size, 100, `seed ${seed}`);
  }
});

test("numbers are unsigned 32-bit integers and never 0", () => {
  const random = xorshift32(1);
  for (let i = 0; i < 10_000; i++) {
    const drawn = random();
    assert.ok(Number.isInteger(drawn) && drawn > 0 && drawn <= 0xffff_ffff);
  }
});

test("neighbouring seeds do not choose alike", () => {
  const firsts = Array.from({ length: 16 }, (_, worker) => xorshift32(worker)() % 256);
  assert.ok(new Set(firsts).size > 12, firsts.join(" "));
});

test("small remainders are even: each of 3 gets a third", () => {
  const random = xorshift32(42);
  const counts = [0, 0, 0];
  for (let i = 0; i < 300_000; i++) {
    const at = random() % 3;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(Math.abs(count - 100_000) < 1_500, counts.join(" "));
});

test("below is the remainder, at the borders too", () => {
  const random = xorshift32(5);
  for (const count of [1, 2, 3, 7, 4_095, 4_096, 999_983, 2 ** 20]) {
    const last = Math.floor((2 ** 32 - 1) / count) * count;
    for (const bits of [0, 1, count - 1, count, last - 1, last, 2 ** 31, 2 ** 32 - 1]) {
      assert.is(below(bits, count), bits % count, `${bits} % ${count}`);
    }
    for (let i = 0; i < 1_000; i++) {
      const bits = random();
      assert.is(below(bits, count), bits % count, `${bits} % ${count}`);
    }
  }
});

test.run();
