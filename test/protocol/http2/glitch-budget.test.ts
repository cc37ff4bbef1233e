// The budget for misbehaviour: what it holds, how it fills, what fills it.
import * as assert from "uvu/assert";
import { GlitchBudget } from "../../../src/protocol/http2/glitch-budget.ts";
import {
  ANSWERS_MAX,
  ANSWERS_PER_DATA,
  GLITCHES_MAX,
  GLITCHES_PER_SECOND,
} from "../../../src/protocol/http2/limits.ts";
import { suite } from "../../support/test.ts";

const test = suite("protocol/http2/glitch-budget");

/** How many of `cost` it has at a time before it says no. */
function countUntilEmpty(budget: GlitchBudget, nowMs: number, cost = 1): number {
  for (let count = 0; count < 1_000_000; count++) if (!budget.take(cost, nowMs)) return count;
  throw new Error("it never ends");
}

test("it holds its burst and then says no", () => {
  const budget = new GlitchBudget();
  assert.is(countUntilEmpty(budget, 0), GLITCHES_MAX - 1);
  assert.not(budget.take(1, 0));
});

test("it fills by the second, also in small steps, and not beyond its burst", () => {
  const budget = new GlitchBudget();
  countUntilEmpty(budget, 0);
  for (let nowMs = 10; nowMs <= 10_000; nowMs += 10) budget.take(0, nowMs);
  const count = countUntilEmpty(budget, 10_000);
  assert.ok(Math.abs(count - 10 * GLITCHES_PER_SECOND) <= 2, `${count}`);
  assert.is(countUntilEmpty(budget, 10_000_000), GLITCHES_MAX - 1);
});

test("a clock that goes back gives nothing and takes nothing", () => {
  const budget = new GlitchBudget();
  budget.take(500, 10_000);
  budget.take(0, 9_000);
  assert.is(countUntilEmpty(budget, 9_000), GLITCHES_MAX - 501);
});

test("each stream that ends well gives one back, up to the burst", () => {
  const budget = new GlitchBudget();
  for (let i = 0; i < 2 * GLITCHES_MAX; i++) budget.completed();
  assert.is(countUntilEmpty(budget, 0), GLITCHES_MAX - 1);
  const other = new GlitchBudget();
  for (let i = 0; i < 10 * GLITCHES_MAX; i++) {
    assert.ok(other.take(1, 0));
    other.completed();
  }
});

test("each DATA frame of ours pays for its answers, saved up to a limit", () => {
  const budget = new GlitchBudget();
  countUntilEmpty(budget, 0);
  budget.sentData();
  for (let i = 0; i < ANSWERS_PER_DATA; i++) assert.ok(budget.takeAnswer(0));
  assert.not(budget.takeAnswer(0));
  for (let i = 0; i < ANSWERS_MAX; i++) budget.sentData();
  for (let i = 0; i < ANSWERS_MAX; i++) assert.ok(budget.takeAnswer(0), `answer ${i}`);
  assert.not(budget.takeAnswer(0));
});

test.run();
