import * as assert from "uvu/assert";
import { BACKOFF_MAX_MS, EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";
import { start } from "../support/threads.ts";
import { type Contender, OWN_BYTES } from "./fixtures/contender-types.ts";

const test = suite("shared/endpoint-rows");
test.timeout(30_000);

const CONTENDERS = new URL("./fixtures/contenders.ts", import.meta.url);
const LAST = ENDPOINTS_MAX - 1;

/** Runs a role in as many threads as there are workers; all begin at once. */
function contend<T>(role: string, memory: SharedArrayBuffer, workers: number, times: number) {
  const own = new SharedArrayBuffer(OWN_BYTES);
  return Promise.all(
    Array.from({ length: workers }, (_, thread) =>
      start<T>(CONTENDERS, role, {
        memory,
        own,
        parties: workers,
        thread,
        times,
      } satisfies Contender),
    ),
  );
}

test("a new row costs nothing, has not failed and is not waited for", () => {
  const rows = new EndpointRows(allocate(2));
  for (const row of [0, 1, LAST]) {
    assert.is(rows.costUs(row), 0);
    assert.is(rows.stampMs(row), 0);
    assert.is(rows.failures(row), 0);
    assert.is(rows.pending(row), 0);
    assert.is(rows.retryInMs(row, 12_345), 0);
  }
});

test("publishCost() wins only against the cost that was seen", () => {
  const memory = allocate(1);
  const rows = new EndpointRows(memory);
  assert.ok(rows.publishCost(LAST, 0, 500, 10));
  assert.not(rows.publishCost(LAST, 0, 900, 20));
  assert.is(rows.costUs(LAST), 500);
  assert.is(rows.stampMs(LAST), 10);
  const others = new EndpointRows(attach(memory.words.buffer));
  assert.ok(others.publishCost(LAST, 500, 700, 2 ** 32 + 3));
  assert.is(rows.costUs(LAST), 700);
  assert.is(rows.stampMs(LAST), 3);
  assert.is(rows.costUs(LAST - 1), 0);
});

test("costs and stamps are unsigned", () => {
  const rows = new EndpointRows(allocate(1));
  assert.ok(rows.publishCost(0, 0, 2 ** 32 - 1, 2 ** 32 - 2));
  assert.is(rows.costUs(0), 2 ** 32 - 1);
  assert.is(rows.stampMs(0), 2 ** 32 - 2);
  assert.ok(rows.publishCost(0, rows.costUs(0), 2 ** 31, 2 ** 31));
  assert.is(rows.costUs(0), 2 ** 31);
});

test("publishCost() of contending threads loses none", async () => {
  const memory = allocate(3);
  await contend("cost", memory.words.buffer, 3, 100_000);
  assert.is(new EndpointRows(memory).costUs(7), 300_000);
});

test("fail() of contending threads loses none", async () => {
  const memory = allocate(2);
  await contend("failures", memory.words.buffer, 2, 100_000);
  assert.is(new EndpointRows(memory).failures(3), 200_000);
});

test("pending is exactly 0 after quiescence, and forget() takes back a dead worker's share", async () => {
  const memory = allocate(3);
  const left = await contend<number>("pending", memory.words.buffer, 3, 200_000);
  assert.equal(left, [9, 9, 9]);
  const rows = new EndpointRows(memory);
  for (let row = 0; row < 4; row++) assert.is(rows.pending(row), 0);
  rows.forget(1);
  assert.is(rows.pending(9), 6);
  rows.forget(1);
  assert.is(rows.pending(9), 6);
  rows.release(9, 0);
  assert.is(rows.pending(9), 5);
  rows.forget(0);
  rows.forget(2);
  assert.is(rows.pending(9), 0);
});

test("forget() reaches the worker's first and last row and no other worker", () => {
  const memory = allocate(3);
  const rows = new EndpointRows(memory);
  for (let worker = 0; worker < 3; worker++) {
    rows.acquire(0, worker);
    rows.acquire(LAST, worker);
  }
  const descriptor = memory.words[memory.layout.descriptors];
  rows.forget(2);
  rows.forget(1);
  assert.is(rows.pending(0), 1);
  assert.is(rows.pending(LAST), 1);
  assert.is(memory.words[memory.layout.descriptors], descriptor);
});

test("fail() is waited for, succeed() forgets it", () => {
  const rows = new EndpointRows(allocate(1));
  rows.fail(4, 1_000, 100);
  assert.is(rows.failures(4), 1);
  assert.is(rows.retryInMs(4, 1_000), 100);
  assert.is(rows.retryInMs(4, 1_099), 1);
  assert.ok(rows.retryInMs(4, 1_100) <= 0);
  assert.ok(rows.retryInMs(4, 9_000) <= 0);
  rows.fail(4, 1_100, 200);
  assert.is(rows.failures(4), 2);
  assert.is(rows.retryInMs(4, 1_100), 200);
  rows.succeed(4);
  assert.is(rows.failures(4), 0);
  assert.is(rows.retryInMs(4, 1_100), 0);
  assert.is(rows.failures(5), 0);
});

test("retryInMs() is right across the wrap of the clock", () => {
  for (const wrap of [2 ** 31, 2 ** 32, 3 * 2 ** 32]) {
    const rows = new EndpointRows(allocate(1));
    rows.fail(0, wrap - 50, 100);
    assert.is(rows.retryInMs(0, wrap - 50), 100);
    assert.is(rows.retryInMs(0, wrap - 1), 51);
    assert.is(rows.retryInMs(0, wrap), 50);
    assert.is(rows.retryInMs(0, wrap + 49), 1);
    assert.ok(rows.retryInMs(0, wrap + 50) <= 0);
    assert.ok(rows.retryInMs(0, wrap + 60_000) <= 0);
  }
});

test("an endpoint that nobody tried for 25 days may be tried", () => {
  const rows = new EndpointRows(allocate(1));
  rows.fail(0, 1_000, 60_000);
  for (const days of [1, 24, 25, 30, 40, 49]) {
    assert.ok(rows.retryInMs(0, 61_000 + days * 86_400_000) <= 0, `${days} days`);
  }
});

test("a backoff is bounded", () => {
  const rows = new EndpointRows(allocate(1));
  rows.fail(0, 5, 1e9);
  assert.is(rows.retryInMs(0, 5), BACKOFF_MAX_MS);
});

test("reset() clears a row and not its neighbours", () => {
  const rows = new EndpointRows(allocate(1));
  for (const row of [4, 5, 6]) {
    rows.publishCost(row, 0, 100, 1);
    rows.fail(row, 0, 100);
  }
  rows.reset(5);
  for (const row of [4, 6]) {
    assert.is(rows.costUs(row), 100);
    assert.is(rows.failures(row), 1);
  }
  assert.is(rows.costUs(5), 0);
  assert.is(rows.stampMs(5), 0);
  assert.is(rows.failures(5), 0);
});

test.run();
