import * as assert from "uvu/assert";
import { seeded } from "./random.ts";
import { suite } from "./test.ts";

const test = suite("support/random");

test("seeded() draws the same numbers for the same salt, others for another", () => {
  const draw = (salt: string): number[] => {
    const random = seeded(salt);
    return Array.from({ length: 4 }, () => random.u32());
  };
  assert.equal(draw("a"), draw("a"));
  assert.not.equal(draw("a"), draw("b"));
});

test("seeded() stays within its bounds and reaches both ends", () => {
  const random = seeded();
  const seen = new Set(Array.from({ length: 1000 }, () => random.between(3, 5)));
  assert.equal([...seen].sort(), [3, 4, 5]);
  assert.is(random.bytes(9).length, 9);
  assert.ok(["x", "y"].includes(random.pick(["x", "y"])));
  assert.throws(() => random.pick([]), "empty list");
});

test.run();
