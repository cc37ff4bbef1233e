import * as assert from "uvu/assert";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { TAP_ALL } from "../../src/mesh/tap.ts";
import type { Watch } from "../../src/proxy/watch.ts";
import { Watchers } from "../../src/worker/watchers.ts";
import { suite } from "../support/test.ts";

const test = suite("worker/watchers");

function rig(access: ((line: string) => void) | null) {
  const loop = { clock: { nowMs: 0 }, timers: new TimerWheel(0) };
  const context = { io: { loop }, watch: null as Watch | null, count: () => {} };
  return { context, watchers: new Watchers(context, access, () => {}) };
}

test("while nobody taps or logs there is nothing that requests are described for", () => {
  const { context, watchers } = rig(null);
  assert.is(context.watch, null);
  watchers.tap([{ ...TAP_ALL, id: 1 }]);
  assert.not.equal(context.watch, null);
  watchers.tap([]);
  assert.is(context.watch, null);
  watchers.onRead(1);
});

test("the access log stays when a tap goes", () => {
  const { context, watchers } = rig(() => {});
  assert.not.equal(context.watch, null);
  watchers.tap([{ ...TAP_ALL, id: 1 }]);
  watchers.tap([]);
  assert.not.equal(context.watch, null);
});

test.run();
