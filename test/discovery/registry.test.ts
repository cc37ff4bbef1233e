import * as assert from "uvu/assert";
import { DnsTimeout } from "../../src/discovery/dns.ts";
import { DNS_REFRESH_MS } from "../../src/discovery/registry.ts";
import type { Service } from "../../src/mesh/snapshot.ts";
import { suite } from "../support/test.ts";
import { describe, RegistryFixture, upstream, WEB } from "./registry-fixture.ts";

const test = suite("discovery/registry");

test("static addresses are published at once, in their order", () => {
  const fixture = new RegistryFixture([WEB, upstream("db", ["::1", 5432])]);
  assert.equal(fixture.view, ["web: 10.0.0.1:81 10.0.0.2:82", "db: [::1]:5432"]);
  assert.is(fixture.published.length, 1);
  assert.is(fixture.published[0], fixture.registry.snapshot());
  assert.is(fixture.registry.snapshot().version, 1);
  assert.is(fixture.lookups.length, 0);
});

test("without upstreams there is an empty first snapshot", () => {
  const fixture = new RegistryFixture([]);
  assert.equal(fixture.registry.snapshot(), {
    version: 1,
    services: [],
    aliases: [],
    inbound: null,
    clients: [],
  });
  assert.is(fixture.published.length, 1);
});

test("starting is over when the first lookups of static upstreams are, well or not", async () => {
  const hosts = upstream("web", ["a", 1], ["b", 2]);
  const fixture = new RegistryFixture([WEB, hosts], { a: ["10.0.0.9"] });
  await fixture.settle();
  assert.not(fixture.isStarted);
  fixture.registry.stop();
  await fixture.settle();
  assert.ok(fixture.isStarted, "stopping ends it too");
  const other = new RegistryFixture([hosts], { a: ["10.0.0.9"], b: new Error("none") });
  await other.settle();
  assert.ok(other.isStarted);
  const addresses = new RegistryFixture([WEB]);
  await addresses.settle();
  assert.ok(addresses.isStarted);
});

test("static host names are looked up once for all that use them, A and AAAA", async () => {
  const mixed = upstream("web", ["Back.", 80], ["10.0.0.1", 81], ["back", 82]);
  const fixture = new RegistryFixture([mixed, upstream("api", ["back", 90])], {
    back: ["::1", "10.0.0.7"],
  });
  assert.equal(fixture.view, ["web: 10.0.0.1:81", "api: nothing"]);
  await fixture.settle();
  assert.equal(fixture.lookups, ["back"]);
  assert.equal(fixture.view, [
    "web: 10.0.0.7:80 [::1]:80 10.0.0.1:81 10.0.0.7:82 [::1]:82",
    "api: 10.0.0.7:90 [::1]:90",
  ]);
  assert.is(fixture.published.length, 2, "both changes in one snapshot");
});

test("an address listed twice is one endpoint", () => {
  const fixture = new RegistryFixture([upstream("web", ["10.0.0.1", 81], ["10.0.0.1", 81]), WEB]);
  assert.equal(fixture.view, ["web: 10.0.0.1:81 10.0.0.2:82"]);
});

test("names: exact upstream, then upstream without the port, then DNS with the port", async () => {
  const dns = { web: ["10.9.9.9"], other: ["10.8.8.8"] };
  const fixture = new RegistryFixture([upstream("web:90", ["10.0.0.3", 1]), WEB], dns);
  await fixture.want("web", "WEB.:80", "web:90", "web:91", "other", "other:81");
  assert.is(describe(fixture.registry.service("web:90") as Service), "web:90: 10.0.0.3:1");
  assert.is(fixture.registry.service("Web.:91")?.name, "web");
  assert.equal(fixture.view.slice(2), ["other:80: 10.8.8.8:80", "other:81: 10.8.8.8:81"]);
  assert.equal(fixture.lookups, ["other"]);
  assert.is(fixture.published.length, 2);
});

test("an upstream whose name has the default port is found without it", async () => {
  const fixture = new RegistryFixture([upstream("web:80", ["10.0.0.3", 1])]);
  await fixture.want("web");
  assert.is(fixture.registry.service("web")?.name, "web:80");
  assert.is(fixture.published.length, 1);
});

test("an address is a service without DNS", async () => {
  const fixture = new RegistryFixture([]);
  await fixture.want("10.0.0.5:99", "[0::1]:98", "10.0.0.6");
  assert.equal(fixture.view, [
    "10.0.0.5:99: 10.0.0.5:99",
    "[::1]:98: [::1]:98",
    "10.0.0.6:80: 10.0.0.6:80",
  ]);
  assert.equal(fixture.lookups, []);
  assert.is(fixture.registry.snapshot().version, 2, "all in one snapshot");
});

test("a name shows once its lookup has ended, and wanting it again changes nothing", async () => {
  const fixture = new RegistryFixture([], {});
  await fixture.want("slow", "slow:80");
  assert.equal(fixture.view, []);
  assert.equal(fixture.lookups, ["slow"]);
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal(fixture.lookups, ["slow"], "not asked again while unanswered");
  assert.is(fixture.published.length, 1);
});

test("a failed first lookup is published with its reason and tried again", async () => {
  const fixture = new RegistryFixture([upstream("web", ["gone", 1])], {
    gone: new Error("ENOTFOUND"),
    late: new DnsTimeout("late"),
    empty: [],
  });
  await fixture.want("late", "empty");
  assert.equal(fixture.view, ["web: dns-failed", "late:80: dns-timeout", "empty:80: dns-failed"]);
  for (const host of ["gone", "late", "empty"]) fixture.dns[host] = ["10.0.0.4"];
  await fixture.pass(DNS_REFRESH_MS);
  const found = ["web: 10.0.0.4:1", "late:80: 10.0.0.4:80", "empty:80: 10.0.0.4:80"];
  assert.equal(fixture.view, found);
});

test("a service with one good host has no failure", async () => {
  const fixture = new RegistryFixture([upstream("web", ["gone", 1], ["10.0.0.1", 2])], {
    gone: new Error(),
  });
  await fixture.settle();
  assert.equal(fixture.view, ["web: 10.0.0.1:2"]);
});

test("the last good answer is kept when DNS fails; each change is logged once", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await fixture.settle();
  for (const failure of [new Error("SERVFAIL"), new DnsTimeout("late"), []]) {
    fixture.dns["back"] = failure;
    await fixture.pass(2 * DNS_REFRESH_MS);
    assert.equal(fixture.view, ["web: 10.0.0.1:1"]);
  }
  assert.is(fixture.logged.length, 1, fixture.logged.join("\n"));
  assert.match(fixture.logged[0] ?? "", /^warn dns: .*stay in use.*"back".*SERVFAIL/);
  fixture.dns["back"] = ["10.0.0.2"];
  await fixture.pass(2 * DNS_REFRESH_MS);
  assert.equal(fixture.view, ["web: 10.0.0.2:1"]);
  assert.match(fixture.logged[1] ?? "", /^info dns: resolved again/);
  assert.is(fixture.logged.length, 2);
});

test("equal answers in another order, or twice, are not published again", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], {
    back: ["10.0.0.1", "10.0.0.2"],
  });
  await fixture.settle();
  fixture.dns["back"] = ["10.0.0.2", "10.0.0.1", "10.0.0.2"];
  await fixture.pass(3 * DNS_REFRESH_MS);
  assert.is(fixture.published.length, 2);
  assert.is(fixture.lookups.length, 4);
});

test("versions rise by one and snapshots that were published never change", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await fixture.settle();
  const [, second] = fixture.published;
  const text = JSON.stringify(second);
  for (const ip of ["10.0.0.2", "10.0.0.3", "10.0.0.2"]) {
    fixture.dns["back"] = [ip];
    await fixture.pass(DNS_REFRESH_MS);
  }
  assert.equal(
    fixture.published.map(({ version }) => version),
    [1, 2, 3, 4, 5],
  );
  assert.is(JSON.stringify(second), text);
});

test("after a stop nothing is published", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  fixture.registry.want("10.0.0.9");
  fixture.registry.stop();
  await fixture.settle();
  await fixture.pass(DNS_REFRESH_MS);
  assert.is(fixture.published.length, 1);
});

test.run();
