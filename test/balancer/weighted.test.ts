import * as assert from "uvu/assert";
import { weightedIndex } from "../../src/balancer/weighted.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/weighted");

function weights(...all: readonly number[]) {
  return all.map((weight) => ({ weight }));
}

test("each is chosen as often as its weight has it, and a weight of 0 never", () => {
  const random = xorshift32(seeded("weights").u32());
  const choices = weights(0, 90, 10, 0, 900, 0);
  const counts = choices.map(() => 0);
  const picks = 100_000;
  for (let i = 0; i < picks; i++) {
    const index = weightedIndex(choices, random);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  for (const [i, { weight }] of choices.entries()) {
    const share = weight / 1_000;
    const deviation = Math.sqrt(picks * share * (1 - share));
    const off = Math.abs((counts[i] ?? 0) - picks * share);
    assert.ok(off <= 5 * deviation, `${i}: ${counts[i]} of ${picks * share}`);
  }
});

test("whatever chance says, it is one that has a weight", () => {
  for (const bits of [0, 1, 0x7fff_ffff, 0xffff_ffff]) {
    assert.is(
      weightedIndex(weights(0, 5, 0), () => bits),
      1,
    );
    assert.is(
      weightedIndex(weights(-1, Number.NaN, 1e-300, -5), () => bits),
      2,
    );
  }
  assert.is(
    weightedIndex(weights(1, 1), () => 0),
    0,
  );
  assert.is(
    weightedIndex(weights(1, 1), () => 0xffff_ffff),
    1,
  );
  assert.is(
    weightedIndex(weights(4_294_967_295, 4_294_967_295), () => 0x8000_0000),
    1,
  );
});

test("none, or none with a weight, is no choice", () => {
  assert.is(
    weightedIndex([], () => 7),
    -1,
  );
  assert.is(
    weightedIndex(weights(0, 0), () => 7),
    -1,
  );
});

test.run();
