import * as assert from "uvu/assert";
import { Balancer } from "../../src/balancer/balancer.ts";
import { Breaker, giveBackTrials, outMax } from "../../src/balancer/breaker.ts";
import { EJECTED_MIN_MS, isClosed, isDue, isProbing } from "../../src/balancer/circuit.ts";
import { CONSECUTIVE_MAX, WINDOW_MS } from "../../src/balancer/health.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint, Service } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/breaker");
const WORKERS = 3;
const NONE: readonly Endpoint[] = [];

function endpoint(row: number): Endpoint {
  const ip = Uint8Array.of(127, 0, 0, 1);
  return { row, series: row, ip, port: 8_000 + row, speaks: "any", peer: null };
}

function pool(count: number, salt: string) {
  const rows = new EndpointRows(allocate(WORKERS));
  const { u32, unit } = seeded(salt);
  const events: string[] = [];
  const workers = Array.from({ length: WORKERS }, (_, worker) => ({
    balancer: new Balancer(rows, worker, xorshift32(u32())),
    breaker: new Breaker(rows, u32, {
      ejected: ({ row }) => void events.push(`-${row}`),
      returned: ({ row }) => void events.push(`+${row}`),
    }),
  }));
  const [first] = workers;
  if (first === undefined) throw new Error("no workers");
  const endpoints = Array.from({ length: count }, (_, row) => endpoint(row));
  const service: Service = { name: "web", series: 0, endpoints, failure: null, routes: [] };
  const fail = (row: number, times: number, nowMs: number): void => {
    for (let i = 0; i < times; i++) first.breaker.bad(endpoint(row), 0, service, nowMs);
  };
  const out = (): number[] =>
    endpoints.map(({ row }) => row).filter((row) => !isClosed(rows.circuit(row)));
  return { ...first, rows, workers, events, endpoints, service, fail, out, unit };
}

test("an endpoint that fails in a row is ejected, whichever workers see it", () => {
  const { events, out, rows, service, workers } = pool(3, "row");
  for (let i = 0; i < CONSECUTIVE_MAX; i++) {
    assert.equal(out(), []);
    workers[i % WORKERS]?.breaker.bad(endpoint(1), 0, service, 1_000 + i);
  }
  assert.equal(out(), [1]);
  assert.equal(events, ["-1"]);
  assert.not(isDue(rows.circuit(1), 1_000 + EJECTED_MIN_MS - 1));
});

test("requests that nobody can answer, some of all, eject nobody by their rate, and one that is worse", () => {
  const { breaker, endpoints, events, out, service, unit } = pool(10, "some fail");
  const pass = (fromMs: number, shareOf: (row: number) => number): void => {
    for (let i = 0; i < 6_000; i++) {
      const each = endpoints[Math.floor(unit() * 10)] ?? endpoint(0);
      const nowMs = fromMs + i * 5;
      if (unit() < shareOf(each.row)) breaker.bad(each, 0, service, nowMs);
      else breaker.good(each, 0, service, nowMs);
    }
  };
  pass(1_000, () => 0.2);
  assert.ok(events.length <= 3, `${events.length}, and by their rate alone it would be the half`);
  pass(100_000, (row) => (row === 4 ? 0.7 : 0.2));
  assert.ok(out().includes(4));
});

test("no more than half of a pool is left alone because it asked for that, the ejected among them", () => {
  for (const [count, most] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [10, 5],
    [300, 150],
  ] as const) {
    const { breaker, endpoints, fail, out, rows, service } = pool(count, `hold ${count}`);
    if (count === 10) fail(9, CONSECUTIVE_MAX, 1_000);
    for (const each of endpoints) breaker.hold(each, service, 5_000, 1_000);
    const held = endpoints.filter(({ row }) => rows.heldMs(row, 1_000) > 0);
    const all = new Set([...held.map(({ row }) => row), ...out()]);
    assert.is(all.size, most, `${count}`);
    for (const each of held) assert.ok(breaker.hold(each, service, 9_000, 1_000), "for longer");
  }
});

test("a good answer ends a row, and while all is well nothing is written", () => {
  const { breaker, fail, out, rows, service } = pool(3, "good");
  breaker.good(endpoint(0), 0, service, 5);
  assert.is(rows.health(0), 0);
  for (let round = 0; round < 3; round++) {
    fail(0, CONSECUTIVE_MAX - 1, 1_000);
    breaker.good(endpoint(0), 0, service, 1_000 + WINDOW_MS + 1 + round);
    assert.is(rows.health(0), 0);
  }
  assert.equal(out(), []);
});

test("one that fails a third of the time is ejected by the rate, one that fails a tenth is not", () => {
  const { breaker, out, service, unit } = pool(3, "rate");
  for (let ms = 0; ms < 4_000; ms++) {
    for (const [row, rate] of [0, 0.33, 0.02].entries()) {
      if (unit() < rate) breaker.bad(endpoint(row), 0, service, ms);
      else breaker.good(endpoint(row), 0, service, ms);
    }
    if (out().length > 0) break;
  }
  assert.equal(out(), [1]);
});

test("the last endpoint in use stays, and a pool of one is never ejected", () => {
  for (const count of [1, 2, 3, 4, 10, 11]) {
    const { endpoints, fail, out } = pool(count, `last ${count}`);
    // One after the other, so that the rest fares well meanwhile.
    for (const { row } of endpoints) fail(row, 50, 1_000 + row * (WINDOW_MS + 1));
    assert.is(out().length, outMax(count), `${count}`);
  }
  assert.equal([0, 1, 2, 3, 4, 5, 10].map(outMax), [0, 0, 1, 2, 2, 3, 5]);
});

test("endpoints that cannot be reached are out as well", () => {
  const { balancer, endpoints, fail, out } = pool(3, "reach");
  balancer.connectFailed(endpoint(0), 1_000);
  balancer.connectFailed(endpoint(2), 1_000);
  fail(1, 50, 1_000);
  assert.equal(out(), []);
  assert.is(balancer.pick(endpoints, 1_001, NONE)?.row, 1);
});

test("when all fail alike none is ejected; one that is worse than the rest is", () => {
  const { breaker, fail, out, service } = pool(4, "all");
  for (let round = 0; round < 50; round++) for (let row = 0; row < 4; row++) fail(row, 1, 1_000);
  assert.equal(out(), []);
  breaker.good(endpoint(3), 0, service, 1_000);
  for (let i = 0; i < 200; i++) breaker.good(endpoint(3), 0, service, 1_000 + i);
  fail(0, 1, 1_300);
  assert.equal(out(), [0]);
});

test("two workers that eject two of two at once leave one in use", () => {
  const { rows, service, out } = pool(2, "race");
  const rival = new Breaker(rows, () => 0, { ejected: () => {}, returned: () => {} });
  let isArmed = true;
  // Ejects the other endpoint between the first one's look at the pool and its decision.
  const racing = new Breaker(
    rows,
    () => {
      if (!isArmed) return 0;
      isArmed = false;
      for (let i = 0; i < CONSECUTIVE_MAX; i++) rival.bad(endpoint(1), 0, service, 1_000);
      return 0;
    },
    { ejected: () => {}, returned: () => {} },
  );
  for (let i = 0; i < CONSECUTIVE_MAX; i++) racing.bad(endpoint(0), 0, service, 30_000);
  assert.is(out().length, 1);
});

test("a trial is sent by one worker; answered well, the endpoint is in use again", () => {
  const { endpoints, events, fail, rows, service, workers } = pool(3, "trial");
  fail(2, CONSECUTIVE_MAX, 1_000);
  const nowMs = 1_000 + 2 * EJECTED_MIN_MS;
  const trials: { breaker: Breaker; trial: number }[] = [];
  for (let i = 0; i < 2_000; i++) {
    const worker = workers[i % WORKERS];
    if (worker?.balancer.pick(endpoints, nowMs, NONE)?.row !== 2) continue;
    trials.push({ breaker: worker.breaker, trial: worker.balancer.trial });
  }
  assert.is(trials.length, 1);
  const [{ breaker, trial } = { breaker: workers[0]?.breaker, trial: 0 }] = trials;
  assert.ok(isProbing(rows.circuit(2), nowMs));
  // What was sent before it was ejected counts no more.
  breaker?.bad(endpoint(2), 0, service, nowMs);
  breaker?.good(endpoint(2), 0, service, nowMs);
  assert.ok(isProbing(rows.circuit(2), nowMs));
  breaker?.good(endpoint(2), trial, service, nowMs + 5);
  assert.ok(isClosed(rows.circuit(2)));
  assert.is(rows.health(2), 0);
  assert.equal(events, ["-2", "+2"]);
});

test("a trial that fails ejects for longer, one that tells nothing is sent again", () => {
  const { balancer, breaker, endpoints, events, fail, rows, service } = pool(2, "failed");
  fail(1, CONSECUTIVE_MAX, 1_000);
  let nowMs = 1_000 + 2 * EJECTED_MIN_MS;
  const take = (): number => {
    for (let i = 0; i < 200; i++) {
      if (balancer.pick(endpoints, nowMs, NONE)?.row === 1) return balancer.trial;
    }
    return 0;
  };
  const lost = take();
  breaker.untold(endpoint(1), lost, nowMs);
  const trial = take();
  assert.is.not(trial, 0);
  breaker.bad(endpoint(1), trial, service, nowMs);
  assert.equal(events, ["-1", "-1"]);
  assert.not(isDue(rows.circuit(1), nowMs + 2 * EJECTED_MIN_MS - 16));
  breaker.good(endpoint(1), trial, service, nowMs);
  assert.not(isClosed(rows.circuit(1)), "it was told once");
  nowMs += 4 * EJECTED_MIN_MS;
  breaker.good(endpoint(1), take(), service, nowMs);
  assert.ok(isClosed(rows.circuit(1)));
});

test("the trial of a worker that dies is given back, those of others are not", () => {
  const { endpoints, fail, rows, workers } = pool(6, "death");
  fail(4, CONSECUTIVE_MAX, 1_000);
  fail(5, CONSECUTIVE_MAX, 1_000);
  const nowMs = 1_000 + 2 * EJECTED_MIN_MS;
  for (let i = 0; i < 500; i++) workers[1]?.balancer.pick(endpoints.slice(4), nowMs, NONE);
  assert.ok(isProbing(rows.circuit(4), nowMs) && isProbing(rows.circuit(5), nowMs));
  giveBackTrials(rows, 6, 2, nowMs);
  assert.ok(isProbing(rows.circuit(4), nowMs));
  giveBackTrials(rows, 6, 1, nowMs);
  assert.ok(isDue(rows.circuit(4), nowMs) && isDue(rows.circuit(5), nowMs));
});

test("a pool that shrank to those ejected is used all the same", () => {
  const { balancer, endpoints, fail } = pool(3, "shrunk");
  fail(0, CONSECUTIVE_MAX, 1_000);
  fail(1, CONSECUTIVE_MAX, 1_000);
  const left = endpoints.slice(0, 2);
  for (let i = 0; i < 50; i++) assert.is.not(balancer.pick(left, 1_100, NONE), null);
  assert.is(balancer.trial, 0);
});

test.run();
