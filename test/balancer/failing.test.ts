import * as assert from "uvu/assert";
import { afterFailure, afterSuccess, afterTrial, FAILING_ONE } from "../../src/balancer/failing.ts";
import { TUNINGS } from "../../src/balancer/tuning.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/failing");

function times(count: number, step: (failing: number) => number, from: number): number {
  let failing = from;
  for (let i = 0; i < count; i++) failing = step(failing);
  return failing;
}

test("one failure does not set an endpoint aside, two in a row do", () => {
  const margin = TUNINGS.ewma.failingMargin;
  assert.ok(times(1, afterFailure, 0) <= margin);
  assert.ok(times(2, afterFailure, 0) > margin);
  assert.ok(times(1, afterFailure, times(6, afterSuccess, afterFailure(0))) <= margin);
});

test("it stays within its bounds, and successes bring it to 0", () => {
  const worst = times(100, afterFailure, 0);
  assert.ok(worst <= FAILING_ONE && worst > 0.99 * FAILING_ONE);
  assert.is(times(50, afterSuccess, worst), 0);
  for (let failing = 0; failing <= FAILING_ONE; failing++) {
    const less = afterSuccess(failing);
    assert.ok(less >= 0 && (failing === 0 ? less === 0 : less < failing));
    assert.ok(afterFailure(failing) <= FAILING_ONE);
  }
});

test("after a trial that went well one more failure is borne, and two are not", () => {
  const margin = TUNINGS.ewma.failingMargin;
  const trusted = afterTrial(FAILING_ONE);
  assert.ok(trusted <= margin);
  assert.ok(afterFailure(trusted) > margin);
  assert.is(afterTrial(0), 0);
});

test.run();
