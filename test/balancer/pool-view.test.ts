import * as assert from "uvu/assert";
import { PoolView } from "../../src/balancer/pool-view.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/pool-view");

function poolOf(...weights: (number | undefined)[]): readonly Endpoint[] {
  return weights.map((weight, row) => {
    const ip = Uint8Array.of(127, 0, 0, 1);
    const one = { row, series: row, ip, port: 80, speaks: "any", peer: null } as const;
    return weight === undefined ? one : { ...one, weight };
  });
}

function shares(view: PoolView, next: (i: number) => number, times: number): number[] {
  const counts = view.endpoints.map(() => 0);
  for (let i = 0; i < times; i++) {
    const index = next(i);
    counts[index] = (counts[index] ?? 0) + 1 / times;
  }
  return counts.map((share) => Number(share.toFixed(2)));
}

test("equal weights, whatever they are, are none", () => {
  for (const pool of [poolOf(undefined, undefined), poolOf(7, 7, 7), poolOf(10_000, undefined)]) {
    const view = new PoolView(pool);
    assert.not(view.isWeighted);
    assert.is(view.weightAt(0), 1);
  }
});

test("places are drawn by weight, the first and the last too", () => {
  const view = new PoolView(poolOf(1, 6, 3));
  assert.ok(view.isWeighted);
  assert.equal(
    shares(view, (i) => view.indexAt(i / 1_000), 1_000),
    [0.1, 0.6, 0.3],
  );
  assert.is(view.indexAt(0), 0);
  assert.is(view.indexAt(1 - 2 ** -32), 2);
  assert.equal(
    [0, 1, 2].map((i) => Number(view.weightAt(i).toFixed(2))),
    [0.3, 1.8, 0.9],
  );
});

test("without weights a place is as likely as another", () => {
  const view = new PoolView(poolOf(undefined, undefined, undefined, undefined));
  assert.equal(
    shares(view, (i) => view.indexAt(i / 400), 400),
    [0.25, 0.25, 0.25, 0.25],
  );
  assert.is(view.indexAt(1 - 2 ** -32), 3);
});

test("a weight that is 0 or none counts as the usual one", () => {
  const view = new PoolView(poolOf(0, 20_000, undefined));
  assert.equal(
    [0, 1, 2].map((i) => view.weightAt(i)),
    [0.75, 1.5, 0.75],
  );
});

test("turns go round, and with weights each has its share of any stretch", () => {
  const even = new PoolView(poolOf(1, 1, 1));
  assert.equal(
    [0, 1, 2, 3, 4].map(() => even.nextTurn()),
    [0, 1, 2, 0, 1],
  );
  const view = new PoolView(poolOf(1, 6, 3));
  for (let stretch = 0; stretch < 20; stretch++) {
    const [a = 0, b = 0, c = 0] = shares(view, () => view.nextTurn(), 100);
    assert.ok(Math.abs(a - 0.1) < 0.03 && Math.abs(b - 0.6) < 0.03 && Math.abs(c - 0.3) < 0.03);
  }
});

test.run();
