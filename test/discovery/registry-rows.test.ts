import * as assert from "uvu/assert";
import { DnsTimeout } from "../../src/discovery/dns.ts";
import {
import { DNS_REFRESH_MS, Registry, type Upstream } from "../../src/discovery/registry.ts";

import { formatHostPort, formatIp, parseIp } from "../../src/mesh/address.ts";
import type { Service, Snapshot } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { allocate } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";
import { describe, RegistryBench, upstream, WEB } from "./registry-bench.ts";

const test = suite("discovery/registry-rows");

test("every endpoint has a row, and a series with its address; the service one without", () => {
  const bench = new RegistryBench([WEB]);
  const service = bench.registry.service("web");
  assert.equal(
    service?.endpoints.map(({ row }) => row),
    [0, 1],
  );
  assert.is(bench.series.get(service?.series ?? -1), "outbound web ");
  assert.is(bench.series.get(service?.endpoints[1]?.series ?? -1), "outbound web 10.0.0.2:82");
});

test("an answer of a thousand addresses is cut to 256", async () => {
  const ips = Array.from({ length: 1_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const bench = new RegistryBench([], { big: ips.reverse() });
  await bench.want("big");
  const endpoints = bench.registry.service("big")?.endpoints ?? [];
  assert.is(endpoints.length, 256);
  assert.is(formatIp(endpoints[255]?.ip ?? Uint8Array.of()), "10.0.0.255");
});

test("an endpoint keeps its row and series while others come and go", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.2"] });
  await bench.settle();
  const [before] = bench.registry.service("web")?.endpoints ?? [];
  bench.dns["back"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  await bench.pass(DNS_REFRESH_MS);
  assert.is(bench.registry.service("web")?.endpoints[1], before);
});

test("a removed endpoint's row is given on only when acknowledged and idle, and then is clean", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await bench.settle();
  const row = bench.row("web");
  bench.acknowledge();
  bench.rows.acquire(row, 1);
  bench.rows.publishCost(row, 0, 777, 5);
  bench.rows.fail(row, 5, 100);
  const next = async (ip: string) => {
    bench.dns["back"] = [ip];
    await bench.pass(2 * DNS_REFRESH_MS);
    return bench.row("web");
  };
  assert.is.not(await next("10.0.0.2"), row, "neither acknowledged nor idle");
  bench.rows.release(row, 1);
  assert.is.not(await next("10.0.0.3"), row, "not acknowledged");
  bench.acknowledge();
  bench.rows.acquire(row, 0);
  assert.is.not(await next("10.0.0.4"), row, "not idle");
  bench.rows.release(row, 0);
  assert.is(bench.rows.costUs(row), 777);
  await bench.pass(DNS_REFRESH_MS);
  const rows = [await next("10.0.0.5"), await next("10.0.0.6")];
  assert.ok(rows.includes(row), rows.join(" "));
  assert.equal(
    [bench.rows.costUs(row), bench.rows.stampMs(row), bench.rows.failures(row)],
    [0, 0, 0],
  );
});

test("series are freed together with their rows", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await bench.settle();
  bench.dns["back"] = ["10.0.0.2"];
  await bench.pass(2 * DNS_REFRESH_MS);
  const labels = () => [...bench.series.values()].sort();
  const web = "outbound web ";
  assert.equal(labels(), [web, `${web}10.0.0.1:1`, `${web}10.0.0.2:1`]);
  bench.acknowledge();
  await bench.pass(DNS_REFRESH_MS);
  assert.equal(labels(), [web, `${web}10.0.0.2:1`]);
});

test("an endpoint that comes back before its row was given on has its row and cost again", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await bench.settle();
  const row = bench.row("web");
  bench.rows.publishCost(row, 0, 777, 5);
  for (const ip of ["10.0.0.2", "10.0.0.1"]) {
    bench.dns["back"] = [ip];
    await bench.pass(DNS_REFRESH_MS);
  }
  assert.is(bench.row("web"), row);
  bench.acknowledge();
  await bench.pass(DNS_REFRESH_MS);
  assert.is(bench.rows.costUs(row), 777);
});

test("endpoints beyond the rows are left out, logged once, and taken in when rows are free", async () => {
  const many = (net: number, count: number): [string, number][] =>
    Array.from({ length: count }, (_, i) => [`10.${net}.${i >> 8}.${i & 255}`, 1]);
  const upstreams = [upstream("all", ...many(1, ENDPOINTS_MAX - 1)), upstream("web", ["back", 1])];
  const bench = new RegistryBench(upstreams, { back: ["10.0.0.1"] });
  await bench.settle();
  bench.acknowledge();
  await bench.want("10.7.7.7", "10.8.8.8");
  await bench.pass(2 * DNS_REFRESH_MS);
  assert.equal(bench.view.slice(1), [
    "web: 10.0.0.1:1",
    "10.7.7.7:80: nothing",
    "10.8.8.8:80: nothing",
  ]);
  assert.is(bench.logged.length, 2, bench.logged.join("\n"));
  assert.match(bench.logged[0] ?? "", /too many endpoints.*"10.7.7.7:80","leftOut":1/);
  bench.dns["back"] = ["10.0.0.2"];
  await bench.pass(DNS_REFRESH_MS);
  assert.is(bench.view[1], "web: nothing", "the old address still has its row");
  bench.acknowledge();
  await bench.pass(DNS_REFRESH_MS);
  assert.is(
    bench.view.filter((line) => line.endsWith("nothing")).length,
    2,
    bench.view.slice(1).join(),
  );
  assert.is(bench.row("web"), ENDPOINTS_MAX - 1);
});

test.run();
