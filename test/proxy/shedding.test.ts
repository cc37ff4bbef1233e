import * as assert from "uvu/assert";
import {
  DelayProbe,
  SAMPLE_EVERY_MS,
  SHED_AFTER_MS,
  SHED_DELAY_MS,
  SHED_ENDS_MS,
  Shedding,
} from "../../src/proxy/shedding.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/shedding");

/** Samples one delay after the other, each taking its time, for `totalMs`; returns when that is over. */
function during(shedding: Shedding, delayMs: number, totalMs: number, startMs: number): number {
  let nowMs = startMs;
  while (nowMs < startMs + totalMs) {
    nowMs += Math.max(delayMs, SAMPLE_EVERY_MS);
    shedding.sample(delayMs, nowMs);
  }
  return nowMs;
}

test("nothing is refused by a worker that is busy but in time", () => {
  const shedding = new Shedding();
  during(shedding, SHED_DELAY_MS - 1, 60_000, 0);
  assert.is(shedding.share, 0);
});

test("a pause refuses nothing, however long, nor do many with good times between them", () => {
  const shedding = new Shedding();
  let nowMs = during(shedding, 1, 500, 0);
  for (const pauseMs of [50, 120, 800, 5_000, 30_000]) {
    nowMs += pauseMs;
    shedding.sample(pauseMs, nowMs);
    assert.is(shedding.share, 0, `${pauseMs} ms`);
    nowMs = during(shedding, 2, 200, nowMs);
  }
  for (let i = 0; i < 200; i++) {
    nowMs += SHED_DELAY_MS;
    shedding.sample(i % 4 === 3 ? 90 : SHED_DELAY_MS, nowMs);
    assert.is(shedding.share, 0);
  }
});

test("long waits for long refuse a little, then more, and never all", () => {
  const shedding = new Shedding();
  const nowMs = during(shedding, SHED_DELAY_MS, SHED_AFTER_MS, 0);
  assert.is(shedding.share, 0);
  shedding.sample(SHED_DELAY_MS, nowMs + SHED_DELAY_MS);
  assert.ok(shedding.share > 0 && shedding.share <= 0.05);
  during(shedding, 1_000, 60_000, nowMs + SHED_DELAY_MS);
  assert.ok(shedding.share > 0.8 && shedding.share < 1);
});

test("it ends by and by when waits are short again, and stays while they are in between", () => {
  const shedding = new Shedding();
  let nowMs = during(shedding, SHED_DELAY_MS, SHED_AFTER_MS + 5 * SHED_DELAY_MS, 0);
  const before = shedding.share;
  assert.ok(before > 0);
  nowMs = during(shedding, SHED_ENDS_MS + 1, 2_000, nowMs);
  assert.is(shedding.share, before);
  shedding.sample(1, nowMs);
  assert.ok(shedding.share > 0 && shedding.share < before);
  during(shedding, 1, 5_000, nowMs);
  assert.is(shedding.share, 0);
});

test("the share is the share of those refused", () => {
  const shedding = new Shedding();
  const { u32 } = seeded("share");
  shedding.share = 0.3;
  let refused = 0;
  for (let i = 0; i < 10_000; i++) if (shedding.refuses(u32)) refused++;
  assert.ok(Math.abs(refused / 10_000 - 0.3) < 0.03, String(refused));
});

test("offered twice what it can do, a worker refuses about half and stays in time", () => {
  const shedding = new Shedding();
  const { u32 } = seeded("queue");
  const perMs = 10;
  let queued = 0;
  let ahead = 0;
  let isSent = false;
  const probe = new DelayProbe({
    now: () => clockMs,
    wake: () => {
      isSent = true;
      ahead = queued;
    },
    shedding,
  });
  let offered = 0;
  let refused = 0;
  let worstMs = 0;
  let clockMs = 0;
  for (; clockMs < 60_000; clockMs++) {
    const isSettled = clockMs > 20_000;
    for (let i = 0; i < 2 * perMs; i++) {
      const isRefused = shedding.share > 0 && shedding.refuses(u32);
      if (!isRefused) queued++;
      if (isSettled) offered++;
      if (isSettled && isRefused) refused++;
    }
    queued = Math.max(0, queued - perMs);
    ahead -= perMs;
    if (isSent && ahead <= 0) {
      isSent = false;
      probe.onWoken(clockMs);
    }
    probe.onTurn(clockMs, true);
    if (isSettled) worstMs = Math.max(worstMs, queued / perMs);
  }
  const share = refused / offered;
  assert.ok(share > 0.45 && share < 0.6, `${share}`);
  assert.ok(worstMs < 2.5 * SHED_DELAY_MS, `${worstMs} ms`);
});

test("the probe measures its own wake-up, one at a time, and only while there is work", () => {
  const shedding = new Shedding();
  const delays: number[] = [];
  shedding.sample = (delayMs) => void delays.push(delayMs);
  let clockMs = 0;
  let wakes = 0;
  const probe = new DelayProbe({ now: () => clockMs, wake: () => wakes++, shedding });
  probe.onTurn(1_000, false);
  assert.is(wakes, 0);
  clockMs = 5;
  probe.onTurn(1_000 + SAMPLE_EVERY_MS, true);
  probe.onTurn(1_001 + 2 * SAMPLE_EVERY_MS, true);
  assert.is(wakes, 1, "one is under way");
  clockMs = 12.5;
  probe.onWoken(2_000);
  probe.onWoken(2_000);
  assert.equal(delays, [7.5]);
  probe.onTurn(2_000, true);
  assert.is(wakes, 2);
  clockMs += SHED_DELAY_MS;
  probe.onTurn(2_000 + SHED_DELAY_MS, true);
  assert.equal(delays, [7.5, SHED_DELAY_MS], "its wait counts before it is over");
});

test.run();
