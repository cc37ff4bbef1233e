import * as assert from "uvu/assert";
import { Counters, sumCounter, sumSeries } from "../../src/shared/counters.ts";
import { COUNTERS_MAX, SERIES_COUNTERS, SERIES_MAX, SeriesField } from "../../src/shared/layout.ts";
import { allocate } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { start } from "../support/threads.ts";
import { AMOUNT, type Contender, OWN_BYTES } from "./fixtures/contender-types.ts";

const test = suite("shared/counters");
test.timeout(30_000);

const CONTENDERS = new URL("./fixtures/contenders.ts", import.meta.url);
const AMOUNT_MAX = 2 ** 32 - 1;

test("add() carries at every boundary", () => {
  for (const near of [2 ** 31, 2 ** 32, 3 * 2 ** 31, 2 ** 33, 2 ** 40]) {
    for (let under = 0; under <= 2; under++) {
      for (const amount of [0, 1, 2, 3, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, AMOUNT_MAX]) {
        const counters = new Counters(allocate(1), 0);
        for (let left = near - under; left > 0; left -= AMOUNT_MAX) {
          counters.add(0, Math.min(left, AMOUNT_MAX));
        }
        assert.is(counters.get(0), near - under);
        counters.add(0, amount);
        assert.is(counters.get(0), near - under + amount, `${near} - ${under} + ${amount}`);
        assert.is(counters.get(1), 0);
      }
    }
  }
});

test("add() of random amounts sums up exactly beyond 2^50", () => {
  const random = seeded("counters");
  const counters = new Counters(allocate(1), 1);
  let sum = 0;
  while (sum < 2 ** 50) {
    const amount = random.chance(0.1) ? random.below(1_000) : random.u32();
    counters.add(COUNTERS_MAX - 1, amount);
    sum += amount;
    if (counters.get(COUNTERS_MAX - 1) !== sum) assert.is(counters.get(COUNTERS_MAX - 1), sum);
  }
});

test("counters and series of all threads are words of their own", () => {
  const memory = allocate(2);
  const threads = [0, 1, 2].map((thread) => new Counters(memory, thread));
  for (const [thread, counters] of threads.entries()) {
    for (let i = 0; i < COUNTERS_MAX; i++) counters.add(i, 1_000 * (thread + 1) + i);
    for (const series of [0, 1, SERIES_MAX - 1]) {
      for (let i = 0; i < SERIES_COUNTERS; i++) {
        counters.addTo(series, i, 10_000 * (thread + 1) + 1_000 * (series % 7) + i);
      }
    }
  }
  for (const [thread, counters] of threads.entries()) {
    for (let i = 0; i < COUNTERS_MAX; i++) assert.is(counters.get(i), 1_000 * (thread + 1) + i);
    for (const series of [0, 1, SERIES_MAX - 1]) {
      for (let i = 0; i < SERIES_COUNTERS; i++) {
        const want = 10_000 * (thread + 1) + 1_000 * (series % 7) + i;
        assert.is(counters.getFrom(series, i), want);
      }
    }
  }
  assert.is(sumCounter(threads, 4), 6_012);
  assert.is(sumSeries(threads, 1, 4), 63_012);
});

test("clearSeries() clears one series of one thread", () => {
  const memory = allocate(1);
  const threads = [new Counters(memory, 0), new Counters(memory, 1)];
  for (const counters of threads) {
    for (const series of [3, 4, 5]) counters.addTo(series, SeriesField.requests, AMOUNT_MAX);
    for (const series of [3, 4, 5]) counters.addTo(series, SERIES_COUNTERS - 1, 5);
  }
  threads[0]?.clearSeries(4);
  assert.is(sumSeries(threads, 3, SeriesField.requests), 2 * AMOUNT_MAX);
  assert.is(sumSeries(threads, 4, SeriesField.requests), AMOUNT_MAX);
  assert.is(sumSeries(threads, 4, SERIES_COUNTERS - 1), 5);
  assert.is(sumSeries(threads, 5, SERIES_COUNTERS - 1), 10);
});

test("a writer that dies between the two stores of a carry leaves a count that is right", () => {
  const memory = allocate(1);
  const counters = new Counters(memory, 0);
  counters.add(0, AMOUNT_MAX);
  const high = memory.layout.counters + 1;
  const highBefore = memory.words[high] ?? 0;
  counters.add(0, 3);
  // The high word as if the last store had never been.
  memory.words[high] = highBefore;
  assert.is(counters.get(0), 2 ** 32 + 2);
  // The successor counts on from there, with and without a carry of its own.
  counters.add(0, 5);
  assert.is(counters.get(0), 2 ** 32 + 7);
  counters.add(0, AMOUNT_MAX);
  assert.is(counters.get(0), 2 ** 33 + 6);
});

test("a writer may die before any store, again and again: no count goes down or jumps", () => {
  const random = seeded("deaths");
  const memory = allocate(1);
  const counters = new Counters(memory, 0);
  const store = Atomics.store;
  let [min, max, deaths] = [0, 0, 0];
  const look = (): void => {
    const value = counters.get(0);
    if (value < min || value > max) assert.unreachable(`${value} is not within ${min}..${max}`);
    min = value;
  };
  Atomics.store = ((...parameters: Parameters<typeof store>) => {
    if (random.chance(0.3)) throw new RangeError("dies");
    store(...parameters);
    look();
  }) as typeof store;
  try {
    for (let i = 0; i < 20_000; i++) {
      const amount = random.pick([1, AMOUNT, 2 ** 31, random.u32(), AMOUNT_MAX]);
      max = min + amount;
      try {
        counters.add(0, amount);
        min = max;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        deaths++;
      }
      look();
    }
  } finally {
    Atomics.store = store;
  }
  assert.ok(deaths > 1_000);
});

test("a reader that is overtaken between its loads returns a count that there was meanwhile", () => {
  const load = Atomics.load;
  for (let after = 1; after <= 3; after++) {
    for (let adds = 1; adds <= 5; adds++) {
      const counters = new Counters(allocate(1), 0);
      counters.add(0, AMOUNT_MAX);
      let loads = 0;
      Atomics.load = ((...parameters: Parameters<typeof load>) => {
        const value = load(...parameters);
        loads++;
        if (loads === after) for (let i = 0; i < adds; i++) counters.add(0, AMOUNT);
        return value;
      }) as typeof load;
      let value: number;
      try {
        value = counters.get(0);
      } finally {
        Atomics.load = load;
      }
      const meanwhile = Array.from({ length: adds + 1 }, (_, i) => AMOUNT_MAX + i * AMOUNT);
      assert.ok(meanwhile.includes(value), `${value} after ${after} loads, ${adds} additions`);
    }
  }
});

test("a reader never sees a count that goes down or jumps while a writer carries", async () => {
  const memory = allocate(1);
  new Counters(memory, 0).add(5, 2 ** 32 - 10);
  const own = new SharedArrayBuffer(OWN_BYTES);
  const contender = {
    memory: memory.words.buffer,
    own,
    parties: 2,
    thread: 0,
    times: 1_000_000,
  } satisfies Contender;
  const [, reads] = await Promise.all([
    start(CONTENDERS, "writer", contender),
    start<number>(CONTENDERS, "reader", contender),
  ]);
  assert.ok(reads > 100, `${reads} reads`);
  assert.is(new Counters(memory, 0).get(5), 2 ** 32 - 10 + 1_000_000 * AMOUNT);
});

test("threads add up without losing any", async () => {
  const memory = allocate(3);
  await Promise.all(
    [0, 1, 2, 3].map((thread) =>
      start(CONTENDERS, "writer", {
        memory: memory.words.buffer,
        own: new SharedArrayBuffer(OWN_BYTES),
        parties: 1,
        thread,
        times: 100_000,
      } satisfies Contender),
    ),
  );
  const threads = [0, 1, 2, 3].map((thread) => new Counters(memory, thread));
  assert.is(sumCounter(threads, 5), 400_000 * AMOUNT);
});

test.run();
