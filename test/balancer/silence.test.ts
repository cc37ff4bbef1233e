/** Who hangs, and who only seems to. */
import * as assert from "uvu/assert";
import {
  HASTEN_MS,
  hasAnswered,
  hastenTrial,
  type Look,
  Silence,
  TRIED_LOOKS,
} from "../../src/balancer/silence.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/silence");

const LEAST_MS = 3_000;
const EVERY_MS = 250;

/** Looks at an endpoint until `untilMs`; what happens is told by changes of what is seen. */
function watch(
  fromMs: number,
  untilMs: number,
  changes: Readonly<Record<number, Partial<Look>>>,
): { hastenedMs: number[]; hungMs: number[] } {
  let seen: Look = {
    nowMs: fromMs,
    asideMs: fromMs,
    trials: 1,
    answeredMs: 0,
    sentMs: (fromMs - 30) >>> 0,
    waitedMs: 0,
    othersAnswered: true,
  };
  let silence: Silence | null = null;
  const hastenedMs: number[] = [];
  const hungMs: number[] = [];
  for (let atMs = 0; atMs <= untilMs; atMs += EVERY_MS) {
    const nowMs = (fromMs + atMs) >>> 0;
    seen = { ...seen, nowMs, waitedMs: atMs + 30, ...changes[atMs] };
    if (silence === null) silence = new Silence(seen);
    else {
      const verdict = silence.look(seen, LEAST_MS);
      if (verdict === "untried") hastenedMs.push(atMs);
      if (verdict === "hangs") hungMs.push(atMs);
    }
  }
  return { hastenedMs, hungMs };
}

/** Its trial is sent. */
function trialAt(fromMs: number, atMs: number, trials = 2): Partial<Look> {
  const sentMs = (fromMs + atMs) >>> 0;
  return { asideMs: sentMs, sentMs, trials };
}

for (const fromMs of [10_000, 2 ** 32 - 1_010, 2 ** 31 - 1_010]) {
  test(`from ${fromMs}: nobody has tried it: its trial is due before the wait is over, until it is sent`, () => {
    const { hastenedMs, hungMs } = watch(fromMs, 10_000, {});
    assert.is(hastenedMs[0], LEAST_MS - HASTEN_MS);
    assert.is(hastenedMs.length, (10_000 - LEAST_MS + HASTEN_MS) / EVERY_MS + 1);
    assert.equal(hungMs, [], "what nobody has tried does not hang");
  });

  test(`from ${fromMs}: it hangs when its trial is not answered for a second, and its wait is over`, () => {
    const { hastenedMs, hungMs } = watch(fromMs, 8_000, { 2250: trialAt(fromMs, 2_250) });
    assert.equal(hastenedMs, [2_000]);
    assert.is(hungMs[0], 2_250 + TRIED_LOOKS * EVERY_MS);
    assert.is(hungMs.length, (8_000 - 3_250) / EVERY_MS + 1, "and from then on");
  });

  test(`from ${fromMs}: a trial that came early is waited for as long as any`, () => {
    assert.is(watch(fromMs, 8_000, { 1000: trialAt(fromMs, 1_000) }).hungMs[0], LEAST_MS);
  });

  test(`from ${fromMs}: further trials change nothing`, () => {
    const changes = { 1000: trialAt(fromMs, 1_000), 5000: trialAt(fromMs, 5_000, 3) };
    assert.is(watch(fromMs, 8_000, changes).hungMs.length, 5_000 / EVERY_MS + 1);
  });
}

test("whatever it says begins the wait anew", () => {
  const from = 10_000;
  const { hungMs } = watch(from, 12_000, {
    1000: trialAt(from, 1_000),
    4000: { answeredMs: from + 3_999 },
    6000: trialAt(from, 6_000, 3),
  });
  assert.equal(hungMs.slice(0, 5), [3_000, 3_250, 3_500, 3_750, 7_000]);
});

test("what was sent while it was set aside, and answered at once, is no trial", () => {
  const from = 10_000;
  for (const [sentMs, answeredMs] of [
    [from, 0],
    [from + 1, from + 3],
    [from + 200, from + 200],
  ] as const) {
    const { hastenedMs, hungMs } = watch(from, 5_000, { 0: { sentMs, answeredMs } });
    assert.equal(hungMs, [], `${sentMs} ${answeredMs}`);
    assert.is(hastenedMs[0], LEAST_MS - HASTEN_MS);
  }
});

test("a probe of the circuit breaker is as good as a trial", () => {
  const from = 10_000;
  assert.is(watch(from, 8_000, { 1500: { sentMs: from + 1_500 } }).hungMs[0], LEAST_MS);
});

test("one that was welcomed back and set aside again has not been tried", () => {
  const from = 10_000;
  const { hungMs } = watch(from, 10_000, {
    1000: trialAt(from, 1_000),
    2500: { asideMs: from + 2_400, sentMs: from + 2_390, trials: 2 },
  });
  assert.equal(hungMs, []);
});

test("in a pool in which nobody answers nobody hangs", () => {
  const from = 10_000;
  const silent = { ...trialAt(from, 1_000), othersAnswered: false };
  assert.equal(watch(from, 60_000, { 1000: silent }).hungMs, []);
  // All come back: the others are a few looks earlier than this one.
  const { hungMs } = watch(from, 12_000, {
    1000: silent,
    10000: { othersAnswered: true },
    10750: { answeredMs: from + 10_700 },
  });
  assert.equal(hungMs, []);
});

test("others must answer in as many looks, whenever those are", () => {
  const from = 10_000;
  const changes: Record<number, Partial<Look>> = {};
  for (let atMs = 0; atMs < 20_000; atMs += EVERY_MS) {
    changes[atMs] = { othersAnswered: atMs % 2_000 === 0 };
  }
  changes[1_000] = { ...trialAt(from, 1_000), othersAnswered: false };
  assert.is(watch(from, 20_000, changes).hungMs[0], 2_000 * TRIED_LOOKS);
});

test("a longer wait, as in a pool that is slow, is waited for", () => {
  const from = 10_000;
  const look: Look = {
    nowMs: from,
    asideMs: from,
    trials: 1,
    answeredMs: 0,
    sentMs: from,
    waitedMs: 0,
    othersAnswered: true,
  };
  const silence = new Silence(look);
  const tried = { ...look, asideMs: from + 10, sentMs: from + 10, trials: 2 };
  for (let atMs = EVERY_MS; atMs < 20_000; atMs += EVERY_MS) {
    assert.is(silence.look({ ...tried, nowMs: from + atMs }, 20_000), "unknown");
  }
  assert.is(silence.look({ ...tried, nowMs: from + 20_000 }, 20_000), "hangs");
});

function pool(): { rows: EndpointRows; endpoints: Endpoint[] } {
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoints = [0, 1, 2].map(
    (row): Endpoint => ({ row, series: row, ip, port: 80, speaks: "any", peer: null }),
  );
  return { rows: new EndpointRows(allocate(1)), endpoints };
}

test("somebody of the pool has answered: not who fails, nor long ago, but one that is set aside", () => {
  const { rows, endpoints } = pool();
  assert.not(hasAnswered(rows, endpoints, 250, 500), "nobody was measured");
  rows.publishCost(1, 0, 5_000, 900);
  assert.ok(hasAnswered(rows, endpoints, 250, 1_000));
  assert.not(hasAnswered(rows, endpoints, 250, 1_200));
  rows.moveFailing(1, 0, 30_000);
  assert.not(hasAnswered(rows, endpoints, 250, 1_000));
  rows.moveFailing(1, 30_000, 0);
  rows.moveTrial(1, 0, 5_000);
  assert.not(hasAnswered(rows, endpoints, 250, 1_000));
  rows.noteAnswer(1, 950);
  assert.ok(hasAnswered(rows, endpoints, 250, 1_000));
  rows.moveFailing(1, 0, 30_000);
  assert.not(hasAnswered(rows, endpoints, 250, 1_000));
});

test("a trial is moved to now, if there is one and it is later", () => {
  const { rows } = pool();
  hastenTrial(rows, 0, 1_000);
  assert.is(rows.trialAtMs(0), 0, "who is not set aside has none");
  rows.moveTrial(0, 0, 9_000);
  hastenTrial(rows, 0, 1_000);
  assert.is(rows.trialAtMs(0), 1_000);
  hastenTrial(rows, 0, 2_000);
  assert.is(rows.trialAtMs(0), 1_000, "it is due");
});

test.run();
