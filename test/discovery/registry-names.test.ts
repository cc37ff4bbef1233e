import * as assert from "uvu/assert";
import {
  FAILED_NAME_KEEP_MS,
  NAME_KEEP_MS,
  NAMES_MAX,
  REFUSED_KEEP_MS,
  REFUSED_MAX,
} from "../../src/discovery/names.ts";
import { DNS_REFRESH_MS } from "../../src/discovery/registry.ts";
import { suite } from "../support/test.ts";
import { RegistryFixture } from "./registry-fixture.ts";

const test = suite("discovery/registry-names");

test("names beyond the bound are refused for a short time, a bounded number of them shown", async () => {
  const fixture = new RegistryFixture([]);
  const names = Array.from({ length: NAMES_MAX }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  await fixture.want(...names);
  assert.is(fixture.registry.snapshot().services.length, NAMES_MAX);
  await fixture.want("one-more:8080");
  assert.is(fixture.view.at(-1), "one-more:8080: too-many-names");
  assert.equal(fixture.lookups, []);
  await fixture.want(...Array.from({ length: 200 }, (_, i) => `more-${i}`));
  assert.is(fixture.registry.snapshot().services.length, NAMES_MAX + REFUSED_MAX);
  assert.is(fixture.view.at(-1), "more-199:80: too-many-names");
  const shared = fixture.registry.service("more-199")?.series ?? -1;
  assert.is(fixture.series.get(shared), "outbound other ");
  assert.is(fixture.registry.service("more-198")?.series, shared);
  await fixture.pass(REFUSED_KEEP_MS);
  assert.is(fixture.registry.snapshot().services.length, NAMES_MAX);
});

test("a refused name is admitted once there is room", async () => {
  const fixture = new RegistryFixture([], { late: ["10.1.1.1"] });
  await fixture.want(...Array.from({ length: NAMES_MAX }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
  await fixture.want("late");
  assert.is(fixture.view.at(-1), "late:80: too-many-names");
  await fixture.pass(NAME_KEEP_MS);
  await fixture.want("late");
  assert.equal(fixture.view, ["late:80: 10.1.1.1:80"]);
});

test("what is no authority fails without a lookup and without taking a name's place", async () => {
  const fixture = new RegistryFixture([]);
  await fixture.want("a b", "web:99999", "");
  assert.equal(fixture.view, ["a b: dns-failed", "web:99999: dns-failed", ": dns-failed"]);
  assert.equal(fixture.lookups, []);
  await fixture.want("x".repeat(10_000));
  assert.is(fixture.view.length, 3);
  await fixture.pass(REFUSED_KEEP_MS);
  assert.equal(fixture.view, []);
});

test("a name that was not wanted for ten minutes goes, its host is not looked up any more", async () => {
  const fixture = new RegistryFixture([], { back: ["10.0.0.1"], also: ["10.0.0.2"] });
  await fixture.want("back", "also");
  fixture.acknowledge();
  await fixture.pass(NAME_KEEP_MS / 2);
  await fixture.want("also");
  await fixture.pass(NAME_KEEP_MS / 2);
  assert.equal(fixture.view, ["also:80: 10.0.0.2:80"]);
  fixture.lookups.length = 0;
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal(fixture.lookups, ["also"]);
  fixture.acknowledge();
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal([...fixture.series.values()].sort(), [
    "outbound also:80 ",
    "outbound also:80 10.0.0.2:80",
  ]);
});

test("a name that is wanted again has its row and series back, and is looked up anew", async () => {
  const fixture = new RegistryFixture([], { back: ["10.0.0.1"] });
  await fixture.want("back");
  const before = fixture.registry.service("back");
  await fixture.pass(NAME_KEEP_MS);
  assert.is(fixture.registry.service("back"), null);
  fixture.lookups.length = 0;
  await fixture.want("back");
  assert.equal(fixture.lookups, ["back"]);
  assert.equal(fixture.registry.service("back"), before);
});

test("a name that never had an address goes after a minute", async () => {
  const fixture = new RegistryFixture([], { gone: new Error("ENOTFOUND") });
  await fixture.want("gone");
  await fixture.pass(FAILED_NAME_KEEP_MS - DNS_REFRESH_MS);
  assert.equal(fixture.view, ["gone:80: dns-failed"]);
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal(fixture.view, []);
});

test.run();
