/** The short way to an endpoint's load: it is taken only where it leads to what the long one does. */
import * as assert from "uvu/assert";
import { Loads, Rank } from "../../src/balancer/loads.ts";
import { TUNINGS } from "../../src/balancer/tuning.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/loads");
const NOW_MS = 100_000;

/** Endpoints that have been there for a minute; the first is measured as usual and nothing is held against it. */
function pool(count: number, weights: readonly number[] = []) {
  const rows = new EndpointRows(allocate(2));
  const loads = new Loads(rows, TUNINGS.ewma, xorshift32(1));
  const endpoints = Array.from({ length: count }, (_, row): Endpoint => {
    rows.join(row, NOW_MS - 60_000);
    rows.publishCost(row, 0, 1_000, NOW_MS - 5_000);
    const ip = Uint8Array.of(127, 0, 0, 1);
    const one = { row, series: row, ip, port: 80, speaks: "any", peer: null } as const;
    const weight = weights[row];
    return weight === undefined ? one : { ...one, weight };
  });
  return { rows, loads, endpoints };
}

test("the load of one against which nothing speaks is the same either way", () => {
  const { u32 } = seeded("sound");
  const pools = [pool(3), pool(3, [1, 6, 3])];
  let sound = 0;
  for (let round = 0; round < 1_000; round++) {
    for (const { rows, loads, endpoints } of pools) {
      rows.publishCost(1, rows.costUs(1), 1 + (u32() % 8_000), NOW_MS - (u32() % 20_000));
      const pending = u32() % 4;
      for (let i = 0; i < pending; i++) rows.acquire(1, i % 2, NOW_MS - (u32() % 40));
      const view = loads.viewOf(endpoints, NOW_MS);
      const load = loads.soundLoad(view, 1, 1, NOW_MS);
      if (load >= 0) {
        sound++;
        assert.is(load, loads.weigh(view, 1, NOW_MS));
        assert.is(loads.rank, Rank.fit);
      }
      for (let i = 0; i < pending; i++) {
        rows.answered(1, i % 2);
        rows.release(1, i % 2);
      }
    }
  }
  assert.ok(sound > 500 && sound < 2_000, `${sound} of 2,000`);
});

const AGAINST: Readonly<Record<string, (rows: EndpointRows) => unknown>> = {
  "it is slow": (rows) => rows.publishCost(0, 1_000, 50_000, NOW_MS),
  "it is silent": (rows) => rows.acquire(0, 1, NOW_MS - 1_000),
  "a request failed": (rows) => rows.moveFailing(0, 0, 1),
  "it is set aside": (rows) => rows.moveTrial(0, 0, NOW_MS),
  "it cannot be connected to": (rows) => rows.fail(0, NOW_MS, 1_000),
  "it asked to be left alone": (rows) => rows.hold(0, NOW_MS + 1_000),
  "it is ejected": (rows) => rows.moveCircuit(0, 0, 1),
  "it is new": (rows) => rows.join(0, NOW_MS - 1_000),
};
for (const [what, happens] of Object.entries(AGAINST)) {
  test(`the long way is taken when ${what}`, () => {
    const { rows, loads, endpoints } = pool(3);
    assert.ok(loads.soundLoad(loads.viewOf(endpoints, NOW_MS), 0, 0, NOW_MS) >= 0);
    happens(rows);
    const view = loads.viewOf(endpoints.slice(), NOW_MS);
    assert.ok(loads.soundLoad(view, 0, 0, NOW_MS) < 0);
  });
}

test.run();
