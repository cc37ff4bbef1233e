import * as assert from "uvu/assert";
import { RETRIES_PER_SECOND_MIN, RETRIES_SAVED_MAX, RETRY_RATIO } from "../../src/proxy/limits.ts";
import { RetryBudget, RetryBudgets } from "../../src/proxy/retry-budget.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/retry-budget");

function drain(budget: RetryBudget, nowMs: number): number {
  let taken = 0;
  while (budget.withdraw(nowMs)) taken++;
  return taken;
}

test("a new one has its savings, and no more", () => {
  const budget = new RetryBudget(1_000);
  assert.is(drain(budget, 1_000), RETRIES_SAVED_MAX);
  assert.is(drain(budget, 1_000), 0);
});

test("time and requests earn retries, each at its rate", () => {
  const budget = new RetryBudget(0);
  drain(budget, 0);
  assert.is(drain(budget, 1_000), RETRIES_PER_SECOND_MIN);
  for (let i = 0; i < 100; i++) budget.deposit(1_000);
  assert.is(drain(budget, 1_000), 100 * RETRY_RATIO);
  assert.is(drain(budget, 1_000 + 3_600_000), RETRIES_SAVED_MAX, "what is saved is bounded");
});

test("requests that are more than the least rate leave nothing for time to add", () => {
  const budget = new RetryBudget(0);
  drain(budget, 0);
  // 500 a second for a minute.
  let taken = 0;
  for (let ms = 0; ms < 60_000; ms += 2) {
    budget.deposit(ms);
    taken += drain(budget, ms);
  }
  assert.ok(taken <= 30_000 * RETRY_RATIO + 1, `${taken}`);
  assert.ok(taken >= 30_000 * RETRY_RATIO - 1, `${taken}`);
});

test("workers share the least rate", () => {
  const [one, other] = [new RetryBudget(0, 2), new RetryBudget(0, 2)];
  drain(one, 0);
  drain(other, 0);
  assert.is(drain(one, 1_000) + drain(other, 1_000), RETRIES_PER_SECOND_MIN);
});

test("a service keeps its budget across snapshots, and one that is gone begins anew", () => {
  const budgets = new RetryBudgets(1);
  const web = budgets.of("web", 0);
  assert.is.not(budgets.of("other", 0), web);
  budgets.keepOnly((service) => service === "web");
  assert.is(budgets.of("web", 0), web);
  budgets.keepOnly(() => false);
  assert.is.not(budgets.of("web", 0), web);
});

test.run();
