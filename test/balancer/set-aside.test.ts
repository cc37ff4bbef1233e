/** Endpoints that are set aside, tried and welcomed back; new ones; weights; the other balancers. */
import * as assert from "uvu/assert";
import { Balancer } from "../../src/balancer/balancer.ts";
import { REFRESH_MS } from "../../src/balancer/pool-view.ts";
import { type BalancerName, TUNINGS } from "../../src/balancer/tuning.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/set-aside");
const WORKERS = 2;
const NONE: readonly Endpoint[] = [];
const { trialMinMs, trialMaxMs } = TUNINGS.ewma;

function pool(count: number, salt: string, name: BalancerName = "ewma", weights: number[] = []) {
  const rows = new EndpointRows(allocate(WORKERS));
  const { u32 } = seeded(salt);
  const [balancer, other] = [0, 1].map(
    (worker) => new Balancer(rows, worker, xorshift32(u32()), TUNINGS[name]),
  );
  if (balancer === undefined || other === undefined) throw new Error("no workers");
  const endpoints = Array.from({ length: count }, (_, row): Endpoint => {
    const ip = Uint8Array.of(127, 0, 0, 1);
    const one = { row, series: row, ip, port: 80, speaks: "any", peer: null } as const;
    const weight = weights[row];
    return weight === undefined ? one : { ...one, weight };
  });
  return { rows, balancer, other, endpoints, bad: endpoints[0] ?? null };
}

/** All have answered after `ms`. */
function known({ balancer, endpoints }: ReturnType<typeof pool>, ms: number, nowMs: number): void {
  for (const endpoint of endpoints) balancer.observe(endpoint, ms * 1_000, nowMs);
}

/** One answer of `us` after another, until that is what the endpoint is taken to need. */
function slow(
  { balancer, rows }: ReturnType<typeof pool>,
  bad: Endpoint,
  us: number,
  nowMs: number,
) {
  while (rows.costUs(bad.row) < us) balancer.observe(bad, us, nowMs);
}

/** How often each row is picked at `nowMs`, without anything in flight. */
function counts(balancer: Balancer, endpoints: readonly Endpoint[], nowMs: number, times = 400) {
  const rows = endpoints.map(() => 0);
  for (let i = 0; i < times; i++) {
    const row = balancer.pick(endpoints, nowMs, NONE)?.row ?? -1;
    rows[row] = (rows[row] ?? 0) + 1;
  }
  return rows;
}

test("who takes three times as long as the others is set aside, tried by one, and back when well", () => {
  const setUp = pool(4, "slow");
  const { balancer, other, endpoints, rows, bad } = setUp;
  if (bad === null) return;
  known(setUp, 10, 1_000);
  balancer.observe(bad, 31_000, 1_000);
  assert.is(counts(balancer, endpoints, 1_000)[0], 0, "slower than the others");
  assert.is(rows.trialAtMs(0), 0, "but one slow answer sets nobody aside");
  slow(setUp, bad, 31_000, 1_000);
  let nowMs = 1_000 + REFRESH_MS;
  assert.is(counts(balancer, endpoints, nowMs)[0], 0);
  nowMs = rows.trialAtMs(0);
  assert.ok(nowMs >= 1_000 + trialMinMs && nowMs <= 1_200 + 1.5 * trialMinMs, `${nowMs}`);
  const trials = [balancer, other].map((each) => counts(each, endpoints, nowMs)[0] ?? 0);
  assert.is((trials[0] ?? 0) + (trials[1] ?? 0), 1, "one trial, whichever worker");
  // It goes wrong: the next one comes later.
  balancer.observe(bad, 31_000, nowMs + 31);
  const waitMs = rows.trialAtMs(0) - nowMs;
  assert.ok(waitMs >= 2 * trialMinMs && waitMs <= 3 * trialMinMs, `${waitMs}`);
  nowMs = rows.trialAtMs(0);
  assert.is(counts(balancer, endpoints, nowMs)[0], 1);
  balancer.observe(bad, 10_000, nowMs + 10);
  assert.ok((counts(balancer, endpoints, nowMs + 10)[0] ?? 0) > 20, "it went well");
  assert.is(rows.trialAtMs(0), 0);
});

test("trials come ever less often, but do not cease", () => {
  const setUp = pool(3, "trials");
  const { balancer, endpoints, rows, bad } = setUp;
  if (bad === null) return;
  known(setUp, 10, 1_000);
  slow(setUp, bad, 900_000, 1_000);
  let trials = 0;
  for (let nowMs = 1_000; nowMs < 121_000; nowMs += 20) {
    for (const good of endpoints.slice(1)) balancer.observe(good, 10_000, nowMs);
    if (balancer.pick(endpoints, nowMs, NONE) !== bad) continue;
    trials++;
    balancer.observe(bad, 900_000, nowMs);
  }
  assert.ok(rows.trialAtMs(0) !== 0);
  // The first comes before the rate is known. 100 requests a second over both workers: one trial in
  // 2,000 of them is one in 20 s.
  assert.ok(trials >= 5 && trials <= 8, `${trials} trials in two minutes`);
  assert.ok(120_000 / trials > trialMaxMs);
});

test("an answer to what was sent before it was set aside does not bring it back", () => {
  const setUp = pool(4, "before");
  const { balancer, endpoints, bad } = setUp;
  if (bad === null) return;
  known(setUp, 10, 1_000);
  slow(setUp, bad, 90_000, 1_000);
  assert.is(counts(balancer, endpoints, 1_100)[0], 0);
  balancer.observe(bad, 10_000, 1_105);
  assert.is(counts(balancer, endpoints, 1_110)[0], 0, "it was sent at 1,095");
});

test("silence alone sets an endpoint aside, and so does one worker's for another", () => {
  const setUp = pool(4, "silent");
  const { balancer, other, endpoints, bad } = setUp;
  if (bad === null) return;
  known(setUp, 20, 1_000);
  for (const endpoint of endpoints) other.acquire(endpoint, 1_000);
  for (const endpoint of endpoints.slice(1)) {
    other.answered(endpoint);
    other.observe(endpoint, 20_000, 1_020);
  }
  assert.is(counts(balancer, endpoints, 1_000 + REFRESH_MS)[0], 0);
  // When all are silent alike, it is nobody's fault.
  const stalled = pool(4, "stalled");
  known(stalled, 20, 1_000);
  for (const endpoint of stalled.endpoints) stalled.other.acquire(endpoint, 1_000);
  assert.ok((counts(stalled.balancer, stalled.endpoints, 2_000)[0] ?? 0) > 50);
});

test("who fails twice in a row is set aside however fast it fails and however slow the others are", () => {
  for (const ms of [1, 100, 10_000]) {
    const setUp = pool(4, `failing ${ms}`);
    const { balancer, endpoints, bad, rows } = setUp;
    if (bad === null) return;
    known(setUp, ms, 1_000);
    for (const endpoint of endpoints) balancer.acquire(endpoint, 1_000);
    balancer.release(bad, false);
    balancer.failed(bad, 500, 1_000);
    balancer.failed(bad, 500, 1_001);
    assert.is(counts(balancer, endpoints, 1_002)[0], 0, `${ms} ms`);
    assert.is(rows.costUs(0), ms * 1_000, "a failure is not an answer that was fast");
  }
});

test("when all fail nobody is set aside for it", () => {
  const setUp = pool(4, "all fail");
  const { balancer, endpoints } = setUp;
  known(setUp, 5, 1_000);
  for (const endpoint of endpoints) {
    for (let i = 0; i < 5; i++) balancer.failed(endpoint, 500, 1_000);
  }
  for (const count of counts(balancer, endpoints, 1_000 + REFRESH_MS)) assert.ok(count > 50);
});

test("of a pool of which most fail those that do not are drawn first, within their multiple", () => {
  const setUp = pool(20, "most fail");
  const { balancer, endpoints } = setUp;
  known(setUp, 5, 1_000);
  for (const endpoint of endpoints.slice(6)) {
    for (let i = 0; i < 5; i++) balancer.failed(endpoint, 500, 1_000);
  }
  const times = 4_000;
  const good = counts(balancer, endpoints, 1_000 + REFRESH_MS, times).slice(0, 6);
  const share = good.reduce((sum, count) => sum + count, 0) / times;
  assert.ok(share > 0.7, `${share}`);
  for (const count of good) assert.ok(count / times < 4 / 20, `${count}`);
});

test("of those that are set aside one that fails is worse than one that is slow, however slow", () => {
  const setUp = pool(11, "ranks");
  const { balancer, endpoints, rows, bad } = setUp;
  if (bad === null) return;
  known(setUp, 10, 1_000);
  for (const endpoint of endpoints.slice(1, 6)) slow(setUp, endpoint, 5_000_000, 1_000);
  for (let i = 0; i < 3; i++) balancer.failed(bad, 100, 1_000);
  const seen = counts(balancer, endpoints, 1_000 + REFRESH_MS, 4_000);
  assert.is(seen[0], 0, `${seen}`);
  const slowest = seen.slice(1, 6).reduce((sum, count) => sum + count, 0);
  assert.ok(slowest > 0 && slowest < 400, "only where all that were drawn are set aside");
  assert.ok(rows.trialAtMs(0) > 0);
});

test("a new endpoint gets less than its share, then its share; in a pool that is all new there are no new ones", () => {
  const setUp = pool(5, "new");
  const { balancer, endpoints } = setUp;
  const old = endpoints.slice(0, 4);
  for (const endpoint of old) balancer.observe(endpoint, 10_000, 1_000);
  assert.ok(counts(balancer, old, 1_000).every((count) => count > 60));
  const joinMs = 60_000;
  counts(balancer, old, joinMs - 1_000);
  const first = counts(balancer, endpoints, joinMs, 2_000)[4] ?? 0;
  assert.ok(first > 0 && first < 200, `${first} of 2,000`);
  const half = counts(balancer, endpoints, joinMs + 5_000, 2_000)[4] ?? 0;
  assert.ok(half > first && half < 400, `${half} of 2,000`);
  const later = counts(balancer, endpoints, joinMs + 10_000, 2_000)[4] ?? 0;
  assert.ok(Math.abs(later - 400) < 80, `${later} of 2,000`);
});

test("idle endpoints get requests in proportion to their weights", () => {
  for (const name of ["ewma", "peak-ewma", "least-loaded", "round-robin"] as const) {
    const { balancer, endpoints } = pool(4, `weights ${name}`, name, [1, 2, 3, 4]);
    const rows = counts(balancer, endpoints, 1_000, 10_000);
    for (const [row, count] of rows.entries()) {
      assert.ok(Math.abs(count - (row + 1) * 1_000) < 250, `${name}: ${rows}`);
    }
  }
});

test("round robin takes turns, and passes over who backs off", () => {
  const { balancer, endpoints } = pool(3, "turns", "round-robin");
  const order = () => [0, 1, 2].map(() => balancer.pick(endpoints, 1_000, NONE)?.row);
  assert.equal([...order(), ...order()], [0, 1, 2, 0, 1, 2]);
  const [, second] = endpoints;
  if (second !== undefined) balancer.connectFailed(second, 1_000);
  assert.equal(order(), [0, 2, 0]);
});

test("least loaded knows no latency, peak EWMA no failures", () => {
  const loaded = pool(2, "loaded", "least-loaded");
  const [slow, fast] = loaded.endpoints;
  if (slow === undefined || fast === undefined) return;
  loaded.balancer.observe(slow, 1e6, 1_000);
  loaded.balancer.acquire(fast, 1_000);
  assert.equal(counts(loaded.balancer, loaded.endpoints, 1_000), [400, 0]);
  const plain = pool(2, "plain", "peak-ewma");
  known(plain, 10, 1_000);
  for (let i = 0; i < 9; i++) if (plain.bad !== null) plain.balancer.failed(plain.bad, 1, 1_000);
  assert.ok((counts(plain.balancer, plain.endpoints, 1_000)[0] ?? 0) > 100);
});

test.run();
