/** The balancer's choice, and what one request does to the shared rows around it. */
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

for (const count of [3, 30, 300]) {
  const rows = new EndpointRows(allocate(WORKERS));
  const balancer = new Balancer(rows, 0, xorshift32(1));
  const endpoints = Array.from({ length: count }, (_, row) => ({
    row,
    series: row,
    ip: Uint8Array.of(127, 0, 0, 1),
    port: 8_000 + row,
    speaks: "any" as const,
    peer: null,
  }));
  for (const endpoint of endpoints) balancer.observe(endpoint, 1_000 + endpoint.row * 7, 1_000);
  const first = endpoints.slice(0, 1);
  measure(`pick of ${count}`, BATCH, (i) =>
    balancer.pick(endpoints, 2_000 + Math.floor(i / CALLS_PER_MS), NONE),
  );
  measure(`pick of ${count}, one was tried`, BATCH, (i) =>
    balancer.pick(endpoints, 2_000 + Math.floor(i / CALLS_PER_MS), first),
  );
  measure(`pick of ${count}, acquire, observe, release`, BATCH, (i) => {
    const nowMs = 2_000 + Math.floor(i / CALLS_PER_MS);
    const chosen = balancer.pick(endpoints, nowMs, NONE);
    if (chosen === null) return null;
    balancer.acquire(chosen, nowMs);
    balancer.answered(chosen);
    balancer.observe(chosen, 900 + (i & 255), nowMs);
    balancer.release(chosen, true);
    return chosen;
  });
  for (const endpoint of endpoints) rows.fail(endpoint.row, 1_000, 60_000);
  measure(`pick of ${count}, all back off`, BATCH / 10, () =>
    balancer.pick(endpoints, 2_000, NONE),
  );
}
