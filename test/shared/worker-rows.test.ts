import * as assert from "uvu/assert";
import { WorkerState } from "../../src/shared/layout.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { HEARTBEAT_MISSED_MS, type WorkerField, WorkerRows } from "../../src/shared/worker-rows.ts";
import { suite } from "../support/test.ts";

const test = suite("shared/worker-rows");

const FIELDS: readonly WorkerField[] = [
  "state",
  "beatMs",
  "connections",
  "turnUs",
  "sleeping",
  "wakeFd",
  "pollFd",
  "snapshot",
  "fault",
  "pooled",
  "inFlight",
  "threadId",
];

test("new rows are empty and own no descriptor", () => {
  const rows = new WorkerRows(allocate(3));
  assert.is(rows.count, 3);
  for (let worker = 0; worker < 3; worker++) {
    assert.is(rows.get(worker, "state"), WorkerState.empty);
    assert.is(rows.fd(worker, "wakeFd"), -1);
    assert.is(rows.fd(worker, "pollFd"), -1);
    assert.not(rows.isServing(worker, 0));
  }
});

test("every field of every worker is a word of its own, seen by all who attach", () => {
  const memory = allocate(16);
  const rows = new WorkerRows(memory);
  const value = (worker: number, index: number): number => 1 + worker * 100 + index;
  for (let worker = 0; worker < 16; worker++) {
    for (const [index, field] of FIELDS.entries()) rows.set(worker, field, value(worker, index));
  }
  const others = new WorkerRows(attach(memory.words.buffer));
  for (let worker = 0; worker < 16; worker++) {
    for (const [index, field] of FIELDS.entries()) {
      assert.is(others.get(worker, field), value(worker, index));
    }
  }
});

test("values are unsigned, descriptors are signed", () => {
  const rows = new WorkerRows(allocate(1));
  rows.set(0, "beatMs", 2 ** 32 - 1);
  assert.is(rows.get(0, "beatMs"), 2 ** 32 - 1);
  rows.set(0, "beatMs", 2 ** 32 + 5);
  assert.is(rows.get(0, "beatMs"), 5);
  rows.set(0, "pollFd", -1);
  assert.is(rows.fd(0, "pollFd"), -1);
});

test("take() returns the value once", () => {
  const rows = new WorkerRows(allocate(1));
  rows.set(0, "fault", 7);
  assert.is(rows.take(0, "fault"), 7);
  assert.is(rows.take(0, "fault"), 0);
});

test("add() moves a gauge up and down", () => {
  const rows = new WorkerRows(allocate(2));
  rows.add(1, "connections", 3);
  rows.add(1, "connections", -2);
  assert.is(rows.get(1, "connections"), 1);
  assert.is(rows.get(0, "connections"), 0);
});

test("isServing() wants a ready worker whose heart beats", () => {
  const rows = new WorkerRows(allocate(1));
  rows.set(0, "beatMs", 5_000);
  for (const state of [WorkerState.empty, WorkerState.starting, WorkerState.stopped]) {
    rows.set(0, "state", state);
    assert.not(rows.isServing(0, 5_000));
  }
  rows.set(0, "state", WorkerState.ready);
  assert.ok(rows.isServing(0, 5_000));
  assert.ok(rows.isServing(0, 5_000 + HEARTBEAT_MISSED_MS - 1));
  assert.not(rows.isServing(0, 5_000 + HEARTBEAT_MISSED_MS));
});

test("isServing() holds across the wrap of the clock and for a beat just ahead of the reader", () => {
  const rows = new WorkerRows(allocate(1));
  rows.set(0, "state", WorkerState.ready);
  rows.set(0, "beatMs", 2 ** 32 - 10);
  assert.ok(rows.isServing(0, 2 ** 32 + 10));
  assert.ok(rows.isServing(0, 2 ** 32 - 20));
  assert.not(rows.isServing(0, 2 ** 32 + 2_000));
});

test("a worker that has been silent for 25 days is not serving", () => {
  const rows = new WorkerRows(allocate(1));
  rows.set(0, "state", WorkerState.ready);
  rows.set(0, "beatMs", 1_000);
  assert.not(rows.isServing(0, 1_000 + 25 * 86_400_000));
});

test("clear() keeps the wake descriptor and the neighbours, and forgets the rest", () => {
  const rows = new WorkerRows(allocate(3));
  for (let worker = 0; worker < 3; worker++) {
    for (const field of FIELDS) rows.set(worker, field, 40 + worker);
  }
  rows.clear(1);
  for (const field of FIELDS) {
    assert.is(rows.get(0, field), 40);
    assert.is(rows.get(2, field), 42);
    if (field === "wakeFd") assert.is(rows.fd(1, field), 41);
    else if (field === "pollFd") assert.is(rows.fd(1, field), -1);
    else assert.is(rows.get(1, field), 0);
  }
});

test.run();
