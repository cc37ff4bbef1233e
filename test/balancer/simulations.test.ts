/**
 * The experiments of docs/balancing.md, with fixed seeds: what the article published of the known
 * algorithms comes out of the simulator, and ours does better. `npm run bench -- balance-sim` prints
 * all of it, `npm run bench -- balance` does the same with real requests.
 */
import * as assert from "uvu/assert";
import { figuresOf, type RunFigures } from "../../bench/sim/figures.ts";
import { simulate } from "../../bench/sim/simulate.ts";
import { WORLDS, type WorldName } from "../../bench/sim/worlds.ts";
import { type BalancerName, TUNINGS } from "../../src/balancer/tuning.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/simulations");
test.timeout(60_000);
const SEED = 20_160_316;

function run(world: WorldName, balancer: BalancerName): RunFigures {
  return figuresOf(simulate(WORLDS[world], TUNINGS[balancer], SEED), WORLDS[world].backends);
}

function percent(share: number): number {
  return 100 * share;
}

test("the article's experiment comes out as published", () => {
  assert.ok(Math.abs(percent(run("slow", "round-robin").success) - 95.45) < 0.2);
  assert.ok(Math.abs(percent(run("slow", "least-loaded").success) - 99.4) < 0.2);
  assert.ok(Math.abs(percent(run("slow", "peak-ewma").success) - 99.908) < 0.03);
});

test("… and ours does better: 99.91 % within a second, and well again within seconds", () => {
  const figures = run("slow", "ewma");
  assert.ok(percent(figures.success) >= 99.94, `${percent(figures.success)}`);
  assert.ok((figures.quantilesMs["p99.9"] ?? Infinity) < 210);
  assert.ok(figures.recoveryS <= 8, `${figures.recoveryS} s`);
});

test("an endpoint that fails fast gets 0.1 % at most, at usual and at fourfold latencies", () => {
  assert.ok(
    percent(run("fast-failing", "peak-ewma").badShare) > 15,
    "the known one is drawn to it",
  );
  for (const world of ["fast-failing", "fast-failing-4"] as const) {
    const { badShare, bad } = run(world, "ewma");
    assert.ok(percent(badShare) <= 0.1, `${world}: ${bad} requests`);
  }
});

test("an endpoint that joins gets at most its share in its first 200 ms, and then its share", () => {
  const { joinShare, success } = run("joining", "ewma");
  assert.ok(joinShare > 0 && joinShare <= 1 / 11, `${percent(joinShare)} %`);
  assert.is(success, 1);
});

test("twenty sidecars that learn each for itself: p99.9 is half of plain peak EWMA's at most", () => {
  const [plain, ours] = [run("slow-20", "peak-ewma"), run("slow-20", "ewma")];
  const [plainMs = 0, oursMs = 0] = [plain, ours].map((each) => each.quantilesMs["p99.9"]);
  assert.ok(plainMs > 1_600, `${plainMs} ms`);
  assert.ok(oursMs <= plainMs / 2, `${oursMs} ms of ${plainMs} ms`);
});

test("an endpoint that hangs, flaps or fails for a while costs few requests", () => {
  assert.ok(run("hanging", "ewma").failures <= 35);
  assert.ok(run("flapping", "ewma").failures <= 60);
  assert.ok(run("temporary-failure", "ewma").failures <= 25);
  assert.ok(run("permanent-failure", "ewma").failures <= 30);
});

test("a pool in which each endpoint is slow now and then keeps all of them in use", () => {
  const seconds = 120;
  // One answer of 200 takes ten times as long. Each endpoint is due 15 requests in 3 s.
  const answer = (_: number, __: number, unit: () => number) => ({
    latencyMs: unit() < 0.005 ? 500 : 40 + 20 * unit(),
    isFailure: false,
  });
  const world = { ...WORLDS.slow, backends: 10, ratePerSecond: 50, seconds, answer };
  const idle = (riseMax: number): number => {
    const used = new Set<string>();
    for (const { backend, sentMs } of simulate(world, { ...TUNINGS.ewma, riseMax }, SEED)) {
      used.add(`${backend} ${Math.floor(sentMs / 3_000)}`);
    }
    return percent(1 - used.size / ((10 * seconds) / 3));
  };
  assert.ok(idle(TUNINGS.ewma.riseMax) < 6, "of its time an endpoint gets nothing");
  assert.ok(idle(Number.POSITIVE_INFINITY) > 15, "as it would be if one answer were enough");
});

test("weights are respected under load, and no endpoint gets much more than its share", () => {
  assert.ok(Math.abs(percent(run("weighted", "ewma").badShare) - percent(4 / 14)) < 2);
  for (const world of ["slow", "joining", "cold-start"] as const) {
    const { shareMax } = run(world, "ewma");
    assert.ok(shareMax < 2 / 10, `${world}: ${percent(shareMax)} %`);
  }
});

test.run();
