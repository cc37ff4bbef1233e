import * as assert from "uvu/assert";
import {
  ANSWERS_MIN,
  afterFailure,
  afterSuccess,
  answersOf,
  CONSECUTIVE_MAX,
  failuresOf,
  isAiling,
  isBad,
  streakOf,
} from "../../src/balancer/health.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/health");

/** The word after answers, `x` for a failure. */
function after(answers: string, word = 0): number {
  return [...answers].reduce(
    (seen, each) => (each === "x" ? afterFailure(seen, false) : afterSuccess(seen, false)),
    word,
  );
}

test("good answers leave no trace while nothing fails", () => {
  assert.is(after("..........."), 0);
});

test("the failure that opens a window is not counted in it", () => {
  const word = after("x..");
  assert.is(failuresOf(word), 0);
  assert.is(answersOf(word), 2);
  assert.is(streakOf(after("x")), 1);
});

test("so many failures in a row are bad, one fewer are not, and a success ends them", () => {
  assert.not(isBad(after("x".repeat(CONSECUTIVE_MAX - 1))));
  assert.ok(isBad(after("x".repeat(CONSECUTIVE_MAX))));
  assert.not(isBad(after(`${"x".repeat(CONSECUTIVE_MAX - 1)}.x`)));
});

test("a rate below the least is bad, once there were answers enough", () => {
  const aQuarter = "x...".repeat(ANSWERS_MIN);
  const few = aQuarter.slice(0, ANSWERS_MIN);
  assert.not(isBad(after(few)), "the first is not counted");
  assert.ok(isBad(after(aQuarter.slice(0, ANSWERS_MIN + 1))));
  assert.not(isBad(after("x....".repeat(100))), "exactly 80 % are well");
  assert.ok(isBad(after("xx....".repeat(100))));
});

test("when the window is over a success forgets all, a failure the window only", () => {
  const word = after("xx..x");
  assert.is(afterSuccess(word, true), 0);
  const next = afterFailure(word, true);
  assert.is(streakOf(next), 2);
  assert.is(answersOf(next), 0);
});

test("failures in a row count however long they take: a starved endpoint has one in a window", () => {
  let word = 0;
  for (let i = 0; i < CONSECUTIVE_MAX; i++) word = afterFailure(word, true);
  assert.ok(isBad(word));
});

test("counts that are full are halved, so that the rate stays", () => {
  let word = after("x");
  for (let i = 0; i < 5_000; i++) word = after("x.", word);
  assert.ok(answersOf(word) > 1_000 && answersOf(word) < 4_096);
  assert.ok(Math.abs(failuresOf(word) / answersOf(word) - 0.5) < 0.01);
  assert.ok(isBad(word));
  const full = "x".repeat(300);
  assert.is(streakOf(after(full)), 255);
});

test("what is bad is ailing, and what is ailing has failed", () => {
  const { unit } = seeded("answers");
  for (let round = 0; round < 500; round++) {
    const rate = unit();
    let word = 0;
    for (let i = 0; i < 60; i++) {
      word = unit() < rate ? afterFailure(word, unit() < 0.01) : afterSuccess(word, unit() < 0.01);
      if (isBad(word)) assert.ok(isAiling(word));
      if (isAiling(word)) assert.is.not(word, 0);
    }
  }
});

test.run();
