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

const test = suite("discovery/registry-names");

test("names beyond the bound are refused for a short time, a bounded number of them shown", async () => {
  const bench = new RegistryBench([]);
  const names = Array.from({ length: NAMES_MAX }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  await bench.want(...names);
  assert.is(bench.registry.snapshot().services.length, NAMES_MAX);
  await bench.want("one-more:8080");
  assert.is(bench.view.at(-1), "one-more:8080: too-many-names");
  assert.equal(bench.lookups, []);
  await bench.want(...Array.from({ length: 200 }, (_, i) => `more-${i}`));
  assert.is(bench.registry.snapshot().services.length, NAMES_MAX + REFUSED_MAX);
  assert.is(bench.view.at(-1), "more-199:80: too-many-names");
  const shared = bench.registry.service("more-199")?.series ?? -1;
  assert.is(bench.series.get(shared), "outbound other ");
  assert.is(bench.registry.service("more-198")?.series, shared);
  await bench.pass(REFUSED_KEEP_MS);
  assert.is(bench.registry.snapshot().services.length, NAMES_MAX);
});

test("a refused name is admitted once there is room", async () => {
  const bench = new RegistryBench([], { late: ["10.1.1.1"] });
  await bench.want(...Array.from({ length: NAMES_MAX }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
  await bench.want("late");
  assert.is(bench.view.at(-1), "late:80: too-many-names");
  await bench.pass(NAME_KEEP_MS);
  await bench.want("late");
  assert.equal(bench.view, ["late:80: 10.1.1.1:80"]);
});

test("what is no authority fails without a lookup and without taking a name's place", async () => {
  const bench = new RegistryBench([]);
  await bench.want("a b", "web:99999", "");
  assert.equal(bench.view, ["a b: dns-failed", "web:99999: dns-failed", ": dns-failed"]);
  assert.equal(bench.lookups, []);
  await bench.want("x".repeat(10_000));
  assert.is(bench.view.length, 3);
  await bench.pass(REFUSED_KEEP_MS);
  assert.equal(bench.view, []);
});

test("a name that was not wanted for ten minutes goes, its host is not looked up any more", async () => {
  const bench = new RegistryBench([], { back: ["10.0.0.1"], also: ["10.0.0.2"] });
  await bench.want("back", "also");
  bench.acknowledge();
  await bench.pass(NAME_KEEP_MS / 2);
  await bench.want("also");
  await bench.pass(NAME_KEEP_MS / 2);
  assert.equal(bench.view, ["also:80: 10.0.0.2:80"]);
  bench.lookups.length = 0;
  await bench.pass(DNS_REFRESH_MS);
  assert.equal(bench.lookups, ["also"]);
  bench.acknowledge();
  await bench.pass(DNS_REFRESH_MS);
  assert.equal([...bench.series.values()].sort(), [
    "outbound also:80 ",
    "outbound also:80 10.0.0.2:80",
  ]);
});

test("a name that is wanted again has its row and series back, and is looked up anew", async () => {
  const bench = new RegistryBench([], { back: ["10.0.0.1"] });
  await bench.want("back");
  const before = bench.registry.service("back");
  await bench.pass(NAME_KEEP_MS);
  assert.is(bench.registry.service("back"), null);
  bench.lookups.length = 0;
  await bench.want("back");
  assert.equal(bench.lookups, ["back"]);
  assert.equal(bench.registry.service("back"), before);
});

test("a name that never had an address goes after a minute", async () => {
  const bench = new RegistryBench([], { gone: new Error("ENOTFOUND") });
  await bench.want("gone");
  await bench.pass(FAILED_NAME_KEEP_MS - DNS_REFRESH_MS);
  assert.equal(bench.view, ["gone:80: dns-failed"]);
  await bench.pass(DNS_REFRESH_MS);
  assert.equal(bench.view, []);
});

test.run();
