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

const test = suite("discovery/registry");

test("static addresses are published at once, in their order", () => {
  const bench = new RegistryBench([WEB, upstream("db", ["::1", 5432])]);
  assert.equal(bench.view, ["web: 10.0.0.1:81 10.0.0.2:82", "db: [::1]:5432"]);
  assert.is(bench.published.length, 1);
  assert.is(bench.published[0], bench.registry.snapshot());
  assert.is(bench.registry.snapshot().version, 1);
  assert.is(bench.lookups.length, 0);
});

test("without upstreams there is an empty first snapshot", () => {
  const bench = new RegistryBench([]);
  assert.equal(bench.registry.snapshot(), { version: 1, services: [] });
  assert.is(bench.published.length, 1);
});

test("starting is over when the first lookups of static upstreams are, well or not", async () => {
  const hosts = upstream("web", ["a", 1], ["b", 2]);
  const bench = new RegistryBench([WEB, hosts], { a: ["10.0.0.9"] });
  await bench.settle();
  assert.not(bench.isStarted);
  bench.registry.stop();
  await bench.settle();
  assert.ok(bench.isStarted, "stopping ends it too");
  const other = new RegistryBench([hosts], { a: ["10.0.0.9"], b: new Error("none") });
  await other.settle();
  assert.ok(other.isStarted);
  const addresses = new RegistryBench([WEB]);
  await addresses.settle();
  assert.ok(addresses.isStarted);
});

test("static host names are looked up once for all that use them, A and AAAA", async () => {
  const mixed = upstream("web", ["Back.", 80], ["10.0.0.1", 81], ["back", 82]);
  const bench = new RegistryBench([mixed, upstream("api", ["back", 90])], { back: ["::1", "10.0.0.7"] });
  assert.equal(bench.view, ["web: 10.0.0.1:81", "api: nothing"]);
  await bench.settle();
  assert.equal(bench.lookups, ["back"]);
  assert.equal(bench.view, [
    "web: 10.0.0.7:80 [::1]:80 10.0.0.1:81 10.0.0.7:82 [::1]:82",
    "api: 10.0.0.7:90 [::1]:90",
  ]);
  assert.is(bench.published.length, 2, "both changes in one snapshot");
});

test("an address listed twice is one endpoint", () => {
  const bench = new RegistryBench([upstream("web", ["10.0.0.1", 81], ["10.0.0.1", 81]), WEB]);
  assert.equal(bench.view, ["web: 10.0.0.1:81 10.0.0.2:82"]);
});

test("names: exact upstream, then upstream without the port, then DNS with the port", async () => {
  const dns = { web: ["10.9.9.9"], other: ["10.8.8.8"] };
  const bench = new RegistryBench([upstream("web:90", ["10.0.0.3", 1]), WEB], dns);
  await bench.want("web", "WEB.:80", "web:90", "web:91", "other", "other:81");
  assert.is(describe(bench.registry.service("web:90") as Service), "web:90: 10.0.0.3:1");
  assert.is(bench.registry.service("Web.:91")?.name, "web");
  assert.equal(bench.view.slice(2), ["other:80: 10.8.8.8:80", "other:81: 10.8.8.8:81"]);
  assert.equal(bench.lookups, ["other"]);
  assert.is(bench.published.length, 2);
});

test("an upstream whose name has the default port is found without it", async () => {
  const bench = new RegistryBench([upstream("web:80", ["10.0.0.3", 1])]);
  await bench.want("web");
  assert.is(bench.registry.service("web")?.name, "web:80");
  assert.is(bench.published.length, 1);
});

test("an address is a service without DNS", async () => {
  const bench = new RegistryBench([]);
  await bench.want("10.0.0.5:99", "[0::1]:98", "10.0.0.6");
  assert.equal(bench.view, [
    "10.0.0.5:99: 10.0.0.5:99",
    "[::1]:98: [::1]:98",
    "10.0.0.6:80: 10.0.0.6:80",
  ]);
  assert.equal(bench.lookups, []);
  assert.is(bench.registry.snapshot().version, 2, "all in one snapshot");
});

test("a name shows once its lookup has ended, and wanting it again changes nothing", async () => {
  const bench = new RegistryBench([], {});
  await bench.want("slow", "slow:80");
  assert.equal(bench.view, []);
  assert.equal(bench.lookups, ["slow"]);
  await bench.pass(DNS_REFRESH_MS);
  assert.equal(bench.lookups, ["slow"], "not asked again while unanswered");
  assert.is(bench.published.length, 1);
});

test("a failed first lookup is published with its reason and tried again", async () => {
  const bench = new RegistryBench([upstream("web", ["gone", 1])], {
    gone: new Error("ENOTFOUND"),
    late: new DnsTimeout("late"),
    empty: [],
  });
  await bench.want("late", "empty");
  assert.equal(bench.view, ["web: dns-failed", "late:80: dns-timeout", "empty:80: dns-failed"]);
  for (const host of ["gone", "late", "empty"]) bench.dns[host] = ["10.0.0.4"];
  await bench.pass(DNS_REFRESH_MS);
  const found = ["web: 10.0.0.4:1", "late:80: 10.0.0.4:80", "empty:80: 10.0.0.4:80"];
  assert.equal(bench.view, found);
});

test("a service with one good host has no failure", async () => {
  const bench = new RegistryBench([upstream("web", ["gone", 1], ["10.0.0.1", 2])], { gone: new Error() });
  await bench.settle();
  assert.equal(bench.view, ["web: 10.0.0.1:2"]);
});

test("the last good answer is kept when DNS fails; each change is logged once", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await bench.settle();
  for (const failure of [new Error("SERVFAIL"), new DnsTimeout("late"), []]) {
    bench.dns["back"] = failure;
    await bench.pass(2 * DNS_REFRESH_MS);
    assert.equal(bench.view, ["web: 10.0.0.1:1"]);
  }
  assert.is(bench.logged.length, 1, bench.logged.join("\n"));
  assert.match(bench.logged[0] ?? "", /^warn dns: .*stay in use.*"back".*SERVFAIL/);
  bench.dns["back"] = ["10.0.0.2"];
  await bench.pass(2 * DNS_REFRESH_MS);
  assert.equal(bench.view, ["web: 10.0.0.2:1"]);
  assert.match(bench.logged[1] ?? "", /^info dns: resolved again/);
  assert.is(bench.logged.length, 2);
});

test("equal answers in another order, or twice, are not published again", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1", "10.0.0.2"] });
  await bench.settle();
  bench.dns["back"] = ["10.0.0.2", "10.0.0.1", "10.0.0.2"];
  await bench.pass(3 * DNS_REFRESH_MS);
  assert.is(bench.published.length, 2);
  assert.is(bench.lookups.length, 4);
});

test("versions rise by one and snapshots that were published never change", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await bench.settle();
  const [, second] = bench.published;
  const text = JSON.stringify(second);
  for (const ip of ["10.0.0.2", "10.0.0.3", "10.0.0.2"]) {
    bench.dns["back"] = [ip];
    await bench.pass(DNS_REFRESH_MS);
  }
  assert.equal(
    bench.published.map(({ version }) => version),
    [1, 2, 3, 4, 5],
  );
  assert.is(JSON.stringify(second), text);
});

test("after a stop nothing is published", async () => {
  const bench = new RegistryBench([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  bench.registry.want("10.0.0.9");
  bench.registry.stop();
  await bench.settle();
  await bench.pass(DNS_REFRESH_MS);
  assert.is(bench.published.length, 1);
});

test.run();
