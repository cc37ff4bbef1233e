/**
 * The balancer's choice, and what one request does to the shared rows around it: where all endpoints have
 * been there for a while, and where they are new.
 */
import { Balancer } from "../../src/balancer/balancer.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { measure } from "./measure.ts";

const WORKERS = 4;
const BATCH = 50_000;
const NONE: readonly Endpoint[] = [];
/** Calls in one millisecond of the worker's clock, about as many as requests. */
const CALLS_PER_MS = 16;
const EPOCH_MS = 100_000;
/** After so many calls endpoints are measured anew, or what makes them differ would be forgotten. */
const FRESH_CALLS = 2 ** 16;

for (const count of [3, 30, 300]) {
  const rows = new EndpointRows(allocate(WORKERS));
  const balancer = new Balancer(rows, 0, xorshift32(1));
  const endpoints = Array.from({ length: count }, (_, row): Endpoint => {
    const ip = Uint8Array.of(127, 0, 0, 1);
    return { row, series: row, ip, port: 8_000 + row, speaks: "any", peer: null };
  });
  const first = endpoints.slice(0, 1);
  let calls = 0;
  const nowMs = (): number => {
    const now = EPOCH_MS + Math.floor(calls / CALLS_PER_MS);
    if (calls++ % FRESH_CALLS > 0) return now;
    for (const { row } of endpoints) rows.publishCost(row, rows.costUs(row), 1_000 + row * 7, now);
    return now;
  };
  for (const { row } of endpoints) rows.join(row, 1);
  measure(`pick of ${count}`, BATCH, () => balancer.pick(endpoints, nowMs(), NONE));
  measure(`pick of ${count}, one was tried`, BATCH, () => balancer.pick(endpoints, nowMs(), first));
  measure(`pick of ${count}, acquire, answered, observe, release`, BATCH, (i) => {
    const now = nowMs();
    const chosen = balancer.pick(endpoints, now, NONE);
    if (chosen === null) return null;
    balancer.acquire(chosen, now);
    balancer.answered(chosen);
    balancer.observe(chosen, 900 + (i & 255), now);
    balancer.release(chosen, true);
    return chosen;
  });
  for (const { row } of endpoints) rows.join(row, nowMs() - (row & 1) * 60_000);
  const joinedMs = nowMs();
  // The clock stands still, or they would be new no more.
  measure(`pick of ${count}, half are new`, BATCH, () => balancer.pick(endpoints, joinedMs, NONE));
  for (const endpoint of endpoints) rows.fail(endpoint.row, joinedMs, 60_000);
  measure(`pick of ${count}, all back off`, BATCH / 10, () =>
    balancer.pick(endpoints, joinedMs, NONE),
  );
}
