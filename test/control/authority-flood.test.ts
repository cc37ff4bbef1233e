import * as assert from "uvu/assert";
import {
  BURST,
  IDENTITIES_MAX,
  INTERVAL_MAX_MS,
  RateLimit,
} from "../../src/control/authority/rate-limit.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { suite } from "../support/test.ts";
import { DAY_MS, Rig, START_MS, workload } from "./authority-rig.ts";

const test = suite("control/authority-flood");

/** How many of `count` requests, spread over `overMs`, are let through. */
function admitted(limit: RateLimit, count: number, overMs: number, startMs = START_MS): number {
  let taken = 0;
  for (let index = 0; index < count; index += 1) {
    if (limit.take("web", startMs + (index * overMs) / count)) taken += 1;
  }
  return taken;
}

test("a flood of 1,000 requests a second gets the burst and one each 2 s", () => {
  const limit = new RateLimit(DAY_MS);
  const seconds = 60;
  const taken = admitted(limit, seconds * 1_000, seconds * 1_000);
  const expected = BURST + (seconds * 1_000) / INTERVAL_MAX_MS;
  assert.ok(Math.abs(taken - expected) <= 1, `${taken}`);
});

test("50 replicas with certificates of 5 s, 10 s and a day renew without a refusal", () => {
  for (const lifetimeMs of [5_000, 10_000, 60_000, DAY_MS]) {
    const limit = new RateLimit(lifetimeMs);
    const everyMs = lifetimeMs * 0.7;
    for (let round = 0; round < 20; round += 1) {
      const startMs = START_MS + round * everyMs;
      // All at once, and again when all hear of a new anchor.
      assert.is(admitted(limit, BURST, 1, startMs), BURST, `${lifetimeMs} ms, round ${round}`);
    }
  }
});

test("a clock that jumps neither locks an identity out nor gives more than the burst", () => {
  const limit = new RateLimit(DAY_MS);
  assert.is(admitted(limit, 1_000, 1), BURST);
  const backMs = START_MS - 3_600_000;
  assert.is(admitted(limit, 1_000, 1, backMs), 0);
  assert.is(admitted(limit, 10, 20_000, backMs + 2_000), 10);
  assert.is(admitted(limit, 1_000, 1, START_MS + 3_650 * DAY_MS), BURST);
});

test("identities are bounded, those that asked nothing for long make room", () => {
  const limit = new RateLimit(DAY_MS);
  for (let index = 0; index < IDENTITIES_MAX; index += 1) limit.take(`w${index}`, START_MS);
  assert.not.ok(limit.take("one too many", START_MS));
  assert.is(limit.size, IDENTITIES_MAX);
  assert.ok(limit.take("w1", START_MS), "who is known goes on");
  assert.ok(limit.take("one too many", START_MS + INTERVAL_MAX_MS), "a bucket is full again");
  assert.ok(limit.size < IDENTITIES_MAX);
});

test("a flood of one identity does not cost another its certificate", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const flood = await rig.request();
  const answers = [];
  for (let count = 0; count < 200; count += 1) answers.push(await authority.issue(flood));
  const refused = answers.filter((answer) => answer instanceof Refusal);
  assert.is(refused.length, 200 - BURST);
  for (const answer of refused) {
    assert.is(answer.kind, "rate-limited");
    assert.is(answer.status, 8);
  }
  const other = await authority.issue(await rig.request({ identity: workload("other") }));
  assert.not.instance(other, Refusal);
  const later = await authority.issue({ ...flood, nowMs: START_MS + INTERVAL_MAX_MS });
  assert.not.instance(later, Refusal);
});

test("requests for another's name do not use up its share", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const wrong = await rig.request({ requested: workload("other").dns });
  for (let count = 0; count < 2 * BURST; count += 1) await authority.issue(wrong);
  assert.not.instance(await authority.issue(await rig.request()), Refusal);
});

test.run();
