import * as assert from "uvu/assert";
import { endpointsView } from "../../src/admin/endpoints-view.ts";
import { Counters } from "../../src/shared/counters.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { SeriesField } from "../../src/shared/layout.ts";
import { allocate } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/endpoints-view");

test("a service shows its endpoints, their shares and their cost now", () => {
  const memory = allocate(2);
  const threads = [0, 1, 2].map((thread) => new Counters(memory, thread));
  const endpointRows = new EndpointRows(memory);
  const endpoints = [3, 4].map((series, index) => ({
    row: index,
    series,
    ip: Uint8Array.of(10, 0, 0, 1 + index),
    port: 80,
    speaks: "any" as const,
    peer: null,
  }));
  endpointRows.publishCost(0, 0, 8_000, 1_000);
  endpointRows.acquire(0, 1, 5);
  endpointRows.fail(1, 1_000, 100);
  for (const [thread, series, amount] of [
    [0, 2, 5],
    [0, 3, 30],
    [1, 3, 30],
    [1, 4, 20],
  ] as const) {
    threads[thread]?.addTo(series, SeriesField.requests, amount);
  }
  const web = { name: "web", series: 2, endpoints, failure: null, routes: [] };
  const failure = "dns-failed";
  const gone = { name: "gone", series: 9, endpoints: [], failure, routes: [] } as const;
  const snapshot = { version: 1, services: [web, gone], aliases: [], inbound: null, clients: [] };
  const { services } = endpointsView({ snapshot, endpointRows, threads, nowMs: 1_000 });
  assert.equal(services, [
    {
      name: "web",
      failure: null,
      requests: 85,
      endpoints: [
        {
          address: "10.0.0.1:80",
          identity: null,
          speaks: "any",
          cost_ms: 8,
          pending: 1,
          failures: 0,
          state: "ok",
          retry_in_ms: 0,
          requests: 60,
          share: 0.75,
        },
        {
          address: "10.0.0.2:80",
          identity: null,
          speaks: "any",
          cost_ms: null,
          pending: 0,
          failures: 1,
          state: "backing-off",
          retry_in_ms: 100,
          requests: 20,
          share: 0.25,
        },
      ],
    },
    { name: "gone", failure: "dns-failed", requests: 0, endpoints: [] },
  ]);
  const later = endpointsView({ snapshot, endpointRows, threads, nowMs: 11_000 });
  const costMs = later.services[0]?.endpoints[0]?.cost_ms ?? 0;
  assert.ok(costMs > 2.9 && costMs < 3, String(costMs));
});

test.run();
