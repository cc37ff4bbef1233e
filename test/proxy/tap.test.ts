import { unpack } from "msgpackr";
import * as assert from "uvu/assert";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import {
  TAP_ALL,
  TAP_BATCH_CHARS_MAX,
  TAP_BATCH_MS,
  TAP_BATCHES_UNREAD_MAX,
  TAP_EVENTS_PER_SECOND,
  type TapEvent,
  type TapOrder,
} from "../../src/mesh/tap.ts";
import { Tap } from "../../src/proxy/tap.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/tap");

const EVENT: TapEvent = {
  time_ms: 1,
  direction: "outbound",
  protocol: "http1",
  client: "127.0.0.1:1",
  client_id: null,
  method: "GET",
  authority: "web",
  path: "/",
  status: 200,
  latency_us: 5,
  endpoint: null,
  server_id: null,
  mtls: false,
  sends: 1,
  read_bytes: null,
  written_bytes: null,
};

function rig(order: Partial<TapOrder> = {}) {
  const timers = new TimerWheel(0);
  const state = { nowMs: 0, dropped: 0 };
  const batches: { events: TapEvent[]; dropped: number }[] = [];
  const tap = new Tap(
    { ...TAP_ALL, id: 1, ...order },
    {
      nowMs: () => state.nowMs,
      timers,
      send: (events, dropped) =>
        void batches.push({ events: unpack(new Uint8Array(events)) as TapEvent[], dropped }),
      dropped: () => {
        state.dropped++;
      },
    },
  );
  const pass = (ms: number): void => {
    state.nowMs += ms;
    timers.advance(state.nowMs);
  };
  return { tap, state, batches, timers, pass };
}

test("events travel together, and nothing is armed when there are none", () => {
  const { tap, batches, pass, timers } = rig();
  assert.is(timers.count, 0);
  tap.tell(EVENT);
  tap.tell({ ...EVENT, path: "/2" });
  assert.equal(batches, []);
  pass(TAP_BATCH_MS + 32);
  assert.equal(batches, [{ events: [EVENT, { ...EVENT, path: "/2" }], dropped: 0 }]);
  assert.is(timers.count, 0);
});

test("a second has so many events, and what is more is counted and told", () => {
  const { tap, batches, pass, state } = rig();
  let told = 0;
  for (let turn = 0; turn < 10; turn++) {
    for (let i = 0; i < 300; i++) if (!tap.isFull()) tap.tell(EVENT);
    pass(80);
    tap.onRead();
  }
  for (const { events } of batches) told += events.length;
  assert.is(told, TAP_EVENTS_PER_SECOND);
  assert.is(state.dropped, 3_000 - TAP_EVENTS_PER_SECOND);
  assert.is(
    batches.reduce((sum, { dropped }) => sum + dropped, 0),
    state.dropped,
  );
  pass(1_000);
  assert.not(tap.isFull());
});

test("a batch has so many characters", () => {
  const { tap, batches, pass, state } = rig();
  const long = { ...EVENT, path: "/".repeat(TAP_BATCH_CHARS_MAX / 4) };
  for (let i = 0; i < 10; i++) tap.tell(long);
  pass(TAP_BATCH_MS + 32);
  assert.is(batches[0]?.events.length, 4);
  assert.is(state.dropped, 6);
  tap.tell(EVENT);
  pass(TAP_BATCH_MS + 32);
  assert.is(batches[1]?.events.length, 1);
});

test("unread batches stop it; one that is read lets it go on", () => {
  const { tap, batches, pass, state, timers } = rig();
  const long = { ...EVENT, path: "/".repeat(TAP_BATCH_CHARS_MAX) };
  for (let turn = 0; turn < 20; turn++) {
    tap.tell(long);
    pass(TAP_BATCH_MS + 32);
  }
  assert.is(batches.length, TAP_BATCHES_UNREAD_MAX);
  assert.is(timers.count, 0);
  // One waits, the others were dropped.
  assert.is(state.dropped, 20 - TAP_BATCHES_UNREAD_MAX - 1);
  tap.onRead();
  pass(TAP_BATCH_MS + 32);
  assert.is(batches.length, TAP_BATCHES_UNREAD_MAX + 1);
  assert.equal(batches.at(-1), { events: [long], dropped: state.dropped });
  // Too many answers, as of a predecessor's batches, grant nothing.
  for (let i = 0; i < 100; i++) tap.onRead();
  for (let turn = 0; turn < 20; turn++) {
    tap.tell(long);
    pass(TAP_BATCH_MS + 32);
  }
  assert.is(batches.length, 2 * TAP_BATCHES_UNREAD_MAX + 1);
});

test("after its end nothing is told, of what began before either", () => {
  const { tap, batches, pass, timers } = rig();
  tap.tell(EVENT);
  tap.end();
  tap.tell(EVENT);
  assert.is(timers.count, 0);
  pass(1_000);
  assert.equal(batches, []);
});

test("while one status is looked for, what is dropped is not counted before it is known", () => {
  const { tap, state, pass } = rig({ statusMin: 500, statusMax: 599 });
  for (let i = 0; i < TAP_EVENTS_PER_SECOND + 5; i++) {
    tap.tell(EVENT);
    if (i % 500 === 0) pass(TAP_BATCH_MS + 32);
  }
  assert.is(state.dropped, 5);
  assert.not(tap.isFull());
  assert.is(state.dropped, 5);
  assert.equal(
    [499, 500, 599, 600, 0].map((status) => tap.hasStatus(status)),
    [false, true, true, false, false],
  );
});

test.run();
