import * as assert from "uvu/assert";
import { BACKOFF_MAX_MS, EndpointRows, HOLD_MAX_MS } from "../../src/shared/endpoint-rows.ts";
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
    rows.acquire(0, worker, 5);
    rows.acquire(LAST, worker, 5);
  }
  const descriptor = memory.words[memory.layout.descriptors];
  rows.forget(2);
  rows.forget(1);
  assert.is(rows.pending(0), 1);
  assert.is(rows.pending(LAST), 1);
  assert.is(memory.words[memory.layout.descriptors], descriptor);
});

test("silence is the age of the oldest unanswered request, of whoever waits longest", () => {
  const rows = new EndpointRows(allocate(2));
  assert.is(rows.silentMs(LAST, 1_000), 0);
  rows.acquire(LAST, 0, 1_000);
  rows.acquire(LAST, 0, 1_400);
  rows.acquire(LAST, 1, 1_600);
  assert.is(rows.silentMs(LAST, 2_000), 1_000);
  rows.answered(LAST, 0);
  assert.is(
    rows.silentMs(LAST, 2_000),
    600,
    "which one was answered is not known: the younger counts",
  );
  rows.answered(LAST, 0);
  assert.is(rows.silentMs(LAST, 2_000), 400);
  rows.answered(LAST, 1);
  assert.is(rows.silentMs(LAST, 2_000), 0);
  rows.acquire(LAST, 0, 1_700);
  assert.is(rows.silentMs(LAST, 2_000), 300);
  assert.is(rows.silentMs(LAST - 1, 2_000), 0);
});

test("what was answered and goes on, as a stream or a tunnel, is not silent", () => {
  const rows = new EndpointRows(allocate(1));
  rows.acquireAnswered(3, 0);
  rows.acquire(3, 0, 1_000);
  rows.answered(3, 0);
  assert.is(rows.silentMs(3, 5_000), 0);
  assert.is(rows.pending(3), 2);
  rows.release(3, 0);
  rows.release(3, 0);
  assert.is(rows.pending(3), 0);
});

test("silence is right across the wrap, and 0 for a worker whose turn began later than ours", () => {
  const rows = new EndpointRows(allocate(1));
  rows.acquire(0, 0, 2 ** 32);
  assert.is(rows.silentMs(0, 2 ** 32 + 700), 700);
  assert.is(rows.silentMs(0, 2 ** 32 - 5), 0);
});

test("a hold lasts until its time, the last word counts, and a foolish one is none", () => {
  for (const nowMs of [10_000, 2 ** 31 - 50, 2 ** 32 - 50]) {
    const rows = new EndpointRows(allocate(1));
    assert.is(rows.heldMs(6, nowMs), 0);
    rows.hold(6, nowMs + 100);
    assert.is(rows.heldMs(6, nowMs + 30), 70);
    assert.ok(rows.heldMs(6, nowMs + 101) <= 0);
    rows.hold(6, nowMs + 40);
    assert.ok(rows.heldMs(6, nowMs + 41) <= 0);
    rows.hold(6, nowMs + HOLD_MAX_MS + 1);
    assert.is(rows.heldMs(6, nowMs), 0);
    assert.is(rows.heldMs(5, nowMs), 0);
  }
});

test("a trial is won by one, and says when it was", () => {
  const rows = new EndpointRows(allocate(1));
  assert.equal([rows.trialAtMs(1), rows.trials(1)], [0, 0]);
  assert.ok(rows.moveTrial(1, 0, 2 ** 32 - 1));
  assert.is(rows.trialAtMs(1), 2 ** 32 - 1);
  assert.not(rows.moveTrial(1, 0, 7));
  assert.ok(rows.moveTrial(1, 2 ** 32 - 1, 2 ** 32), "0 means that there is none");
  assert.is(rows.trialAtMs(1), 1);
  rows.noteTrial(1, 3, 2 ** 32 + 9);
  assert.equal([rows.trials(1), rows.asideMs(1)], [3, 9]);
  assert.ok(rows.moveTrial(1, 1, null));
  assert.equal([rows.trialAtMs(1), rows.trialAtMs(0)], [0, 0]);
});

test("a share of failures is written over what was seen only", () => {
  const rows = new EndpointRows(allocate(1));
  rows.moveFailing(1, 0, 500);
  rows.moveFailing(1, 0, 900);
  assert.is(rows.failing(1), 500);
  rows.join(1, 2 ** 32);
  assert.is(rows.joinedMs(1), 1, "0 means never");
});

test("a circuit and a health move only from what was seen, all 32 bits of it", () => {
  const rows = new EndpointRows(allocate(1));
  for (const [read, move] of [
    [rows.circuit.bind(rows), rows.moveCircuit.bind(rows)],
    [rows.health.bind(rows), rows.moveHealth.bind(rows)],
  ] as const) {
    assert.is(read(2), 0);
    assert.not(move(2, 1, 5));
    assert.ok(move(2, 0, 0xffff_fff1));
    assert.is(read(2), 0xffff_fff1);
    assert.not(move(2, 0, 1));
    assert.ok(move(2, 0xffff_fff1, 7));
    assert.is(read(2), 7);
    assert.is(read(3), 0);
  }
});

test("a retry is taken by one when its time has come, and again when its lease is over", () => {
  const rows = new EndpointRows(allocate(1));
  rows.fail(4, 1_000, 100);
  assert.not(rows.takeRetry(4, 1_099, 500));
  assert.ok(rows.takeRetry(4, 1_100, 500));
  assert.ok(rows.isRetried(4));
  assert.not(rows.takeRetry(4, 1_100, 500));
  assert.not(rows.takeRetry(4, 1_599, 500));
  assert.ok(rows.takeRetry(4, 1_600, 500));
  rows.fail(4, 1_700, 60_000);
  assert.not(rows.isRetried(4));
  assert.not(rows.takeRetry(4, 2_199, 500, 500));
  assert.not(rows.mayRetryEarly(4, 2_199, 500));
  assert.ok(rows.mayRetryEarly(4, 2_200, 500));
  assert.ok(rows.takeRetry(4, 2_200, 500, 500));
  assert.not(rows.mayRetryEarly(4, 2_600, 100), "one is under way");
  assert.not(rows.takeRetry(4, 2_600, 500, 100));
  rows.succeed(4);
  assert.not(rows.isRetried(4));
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

test("answers are noted of endpoints that are set aside", () => {
  const rows = new EndpointRows(allocate(1));
  rows.noteAnswer(3, 7);
  assert.is(rows.answeredMs(3), 0);
  rows.moveTrial(3, 0, 50);
  rows.noteAnswer(3, 2 ** 32 + 8);
  assert.is(rows.answeredMs(3), 8);
  rows.noteAnswer(3, 2 ** 32);
  assert.is(rows.answeredMs(3), 1, "0 means never");
  assert.equal([rows.answeredMs(2), rows.answeredMs(4)], [0, 0]);
});

test("what a worker waits for, and since when, is its own", () => {
  const rows = new EndpointRows(allocate(2));
  rows.acquire(3, 1, 2 ** 32 - 5);
  assert.is(rows.unanswered(3, 1), 1);
  assert.is(rows.sentMs(3, 1), 2 ** 32 - 5);
  rows.answered(3, 1);
  rows.release(3, 1);
  assert.is(rows.unanswered(3, 1), 0);
  assert.is(rows.sentMs(3, 1), 2 ** 32 - 5, "it was sent all the same");
  assert.equal([rows.unanswered(3, 0), rows.sentMs(3, 0)], [0, 0]);
});

test("reset() clears a row and not its neighbours", () => {
  const rows = new EndpointRows(allocate(1));
  for (const row of [4, 5, 6]) {
    rows.moveTrial(row, 0, 50);
    rows.noteAnswer(row, 60);
    rows.publishCost(row, 0, 100, 1);
    rows.fail(row, 0, 100);
  }
  rows.reset(5);
  for (const row of [4, 6]) {
    assert.is(rows.costUs(row), 100);
    assert.is(rows.failures(row), 1);
    assert.is(rows.answeredMs(row), 60);
  }
  assert.is(rows.answeredMs(5), 0);
  assert.is(rows.costUs(5), 0);
  assert.is(rows.stampMs(5), 0);
  assert.is(rows.failures(5), 0);
});

test.run();
