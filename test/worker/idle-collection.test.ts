/** When a worker collects by itself. */
import * as assert from "uvu/assert";
import { BUSY_TURNS_MIN, IDLE_MS, IdleCollection } from "../../src/worker/idle-collection.ts";
import { suite } from "../support/test.ts";

const test = suite("worker/idle-collection");

test("after much work and then none, once", () => {
  let count = 0;
  const idle = new IdleCollection(() => count++);
  for (let turn = 0; turn < BUSY_TURNS_MIN; turn++) idle.onTurn(turn, true);
  const lastMs = BUSY_TURNS_MIN - 1;
  idle.onTurn(lastMs + IDLE_MS - 1, false);
  assert.is(count, 0, "too early");
  idle.onTurn(lastMs + IDLE_MS, false);
  assert.is(count, 1);
  idle.onTurn(lastMs + 10 * IDLE_MS, false);
  assert.is(count, 1, "again only after work");
});

test("a trickle of requests is not worth it", () => {
  let count = 0;
  const idle = new IdleCollection(() => count++);
  for (let turn = 1; turn < BUSY_TURNS_MIN; turn++) {
    idle.onTurn(turn * 2 * IDLE_MS, true);
    idle.onTurn((turn * 2 + 1) * IDLE_MS, false);
  }
  assert.is(count, 0);
});

test.run();
