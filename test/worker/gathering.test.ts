/** When a worker waits a moment for more to share a turn. */
import * as assert from "uvu/assert";
import { Gathering } from "../../src/worker/gathering.ts";
import { suite } from "../support/test.ts";

const test = suite("worker/gathering");

type Load = {
  /** Milliseconds from turn to turn, and of work in each. */
  readonly everyMs: number;
  readonly workMs: number;
  readonly events: number;
  /** One turn of so many writes to a shared connection. */
  readonly sharedEvery: number;
};

const BUSY: Load = { everyMs: 0.05, workMs: 0.03, events: 1, sharedEvery: 1 };

/** Whether it pauses after 20 ms of a load. */
function judge(load: Load, gathering = new Gathering(), startMs = 0): boolean {
  let isOn = false;
  // They go on rising.
  let writes = startMs * 1_000;
  for (let turn = 0; turn * load.everyMs < 20; turn++) {
    if (turn % load.sharedEvery === 0) writes++;
    const nowMs = Math.floor(startMs + turn * load.everyMs);
    isOn = gathering.onTurn(nowMs, load.workMs * 1e3, load.events, writes);
  }
  return isOn;
}

test("a worker that is busy with streams, one at a time, waits for more", () => {
  assert.is(judge(BUSY), true);
  assert.is(judge({ ...BUSY, events: 3, sharedEvery: 2 }), true);
});

test("not with little to do, with turns that are full, or with nothing to share", () => {
  assert.is(judge({ ...BUSY, workMs: 0.015 }), false, "little to do");
  assert.is(judge({ ...BUSY, events: 4 }), false, "full turns");
  assert.is(judge({ ...BUSY, sharedEvery: 3 }), false, "little to share");
  assert.is(judge({ ...BUSY, sharedEvery: 1e9 }), false, "HTTP/1");
});

test("what a pause does is no reason to end it", () => {
  const gathering = new Gathering();
  const eased = { everyMs: 0.12, workMs: 0.03, events: 6, sharedEvery: 1 };
  assert.is(judge(eased), false);
  assert.is(judge(BUSY, gathering), true);
  assert.is(judge(eased, gathering, 20), true);
  assert.is(judge({ ...eased, workMs: 0.02 }, gathering, 40), false);
});

test("it judges by the last few milliseconds", () => {
  const gathering = new Gathering();
  assert.is(judge(BUSY, gathering), true);
  assert.is(judge({ ...BUSY, everyMs: 1 }, gathering, 20), false);
});

test.run();
