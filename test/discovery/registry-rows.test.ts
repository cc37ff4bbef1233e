import * as assert from "uvu/assert";
import { DNS_REFRESH_MS } from "../../src/discovery/registry.ts";
import { formatIp } from "../../src/mesh/address.ts";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { suite } from "../support/test.ts";
import { MeshFixture } from "./mesh-fixture.ts";
import { RegistryFixture, upstream, WEB } from "./registry-fixture.ts";

const test = suite("discovery/registry-rows");

test("every endpoint has a row, and a series with its address; the service one without", () => {
  const fixture = new RegistryFixture([WEB]);
  const service = fixture.registry.service("web");
  assert.equal(
    service?.endpoints.map(({ row }) => row),
    [0, 1],
  );
  assert.is(fixture.series.get(service?.series ?? -1), "outbound web ");
  assert.is(fixture.series.get(service?.endpoints[1]?.series ?? -1), "outbound web 10.0.0.2:82");
});

test("an answer of a thousand addresses is cut to 256", async () => {
  const ips = Array.from({ length: 1_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const fixture = new RegistryFixture([], { big: ips.reverse() });
  await fixture.want("big");
  const endpoints = fixture.registry.service("big")?.endpoints ?? [];
  assert.is(endpoints.length, 256);
  assert.is(formatIp(endpoints[255]?.ip ?? Uint8Array.of()), "10.0.0.255");
});

test("an endpoint keeps its row and series while others come and go", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.2"] });
  await fixture.settle();
  const [before] = fixture.registry.service("web")?.endpoints ?? [];
  fixture.dns["back"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  await fixture.pass(DNS_REFRESH_MS);
  assert.is(fixture.registry.service("web")?.endpoints[1], before);
});

test("a removed endpoint's row is given on only when acknowledged and idle, and then is clean", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await fixture.settle();
  const row = fixture.row("web");
  fixture.acknowledge();
  fixture.rows.acquire(row, 1, 5);
  fixture.rows.publishCost(row, 0, 777, 5);
  fixture.rows.fail(row, 5, 100);
  const next = async (ip: string) => {
    fixture.dns["back"] = [ip];
    await fixture.pass(2 * DNS_REFRESH_MS);
    return fixture.row("web");
  };
  assert.is.not(await next("10.0.0.2"), row, "neither acknowledged nor idle");
  fixture.rows.release(row, 1);
  assert.is.not(await next("10.0.0.3"), row, "not acknowledged");
  fixture.acknowledge();
  fixture.rows.acquire(row, 0, 5);
  assert.is.not(await next("10.0.0.4"), row, "not idle");
  fixture.rows.release(row, 0);
  assert.is(fixture.rows.costUs(row), 777);
  await fixture.pass(DNS_REFRESH_MS);
  const rows = [await next("10.0.0.5"), await next("10.0.0.6")];
  assert.ok(rows.includes(row), rows.join(" "));
  assert.equal(
    [fixture.rows.costUs(row), fixture.rows.stampMs(row), fixture.rows.failures(row)],
    [0, 0, 0],
  );
});

test("series are freed together with their rows", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await fixture.settle();
  fixture.dns["back"] = ["10.0.0.2"];
  await fixture.pass(2 * DNS_REFRESH_MS);
  const labels = () => [...fixture.series.values()].sort();
  const web = "outbound web ";
  assert.equal(labels(), [web, `${web}10.0.0.1:1`, `${web}10.0.0.2:1`]);
  fixture.acknowledge();
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal(labels(), [web, `${web}10.0.0.2:1`]);
});

test("an endpoint that comes back before its row was given on has its row and cost again", async () => {
  const fixture = new RegistryFixture([upstream("web", ["back", 1])], { back: ["10.0.0.1"] });
  await fixture.settle();
  const row = fixture.row("web");
  fixture.rows.publishCost(row, 0, 777, 5);
  for (const ip of ["10.0.0.2", "10.0.0.1"]) {
    fixture.dns["back"] = [ip];
    await fixture.pass(DNS_REFRESH_MS);
  }
  assert.is(fixture.row("web"), row);
  fixture.acknowledge();
  await fixture.pass(DNS_REFRESH_MS);
  assert.is(fixture.rows.costUs(row), 777);
});

test("endpoints beyond the rows are left out, logged once, and taken in when rows are free", async () => {
  const many = (net: number, count: number): [string, number][] =>
    Array.from({ length: count }, (_, i) => [`10.${net}.${i >> 8}.${i & 255}`, 1]);
  const upstreams = [upstream("all", ...many(1, ENDPOINTS_MAX - 1)), upstream("web", ["back", 1])];
  const fixture = new RegistryFixture(upstreams, { back: ["10.0.0.1"] });
  await fixture.settle();
  fixture.acknowledge();
  await fixture.want("10.7.7.7", "10.8.8.8");
  await fixture.pass(2 * DNS_REFRESH_MS);
  assert.equal(fixture.view.slice(1), [
    "web: 10.0.0.1:1",
    "10.7.7.7:80: nothing",
    "10.8.8.8:80: nothing",
  ]);
  assert.is(fixture.logged.length, 2, fixture.logged.join("\n"));
  assert.match(fixture.logged[0] ?? "", /too many endpoints.*"10.7.7.7:80","leftOut":1/);
  fixture.dns["back"] = ["10.0.0.2"];
  await fixture.pass(DNS_REFRESH_MS);
  assert.is(fixture.view[1], "web: nothing", "the old address still has its row");
  fixture.acknowledge();
  await fixture.pass(DNS_REFRESH_MS);
  assert.is(
    fixture.view.filter((line) => line.endsWith("nothing")).length,
    2,
    fixture.view.slice(1).join(),
  );
  assert.is(fixture.row("web"), ENDPOINTS_MAX - 1);
});

test("a service of the mesh that is short of rows has them when they are free", async () => {
  const addresses = Array.from({ length: ENDPOINTS_MAX - 2 }, (_, i): [string, number] => {
    return [`10.1.${i >> 8}.${i & 255}`, 1];
  });
  const upstreams = [upstream("all", ...addresses), upstream("web", ["back", 1])];
  const fixture = new MeshFixture({ upstreams, dns: { back: ["10.0.0.1", "10.0.0.2"] } });
  await fixture.settle();
  await fixture.find("shop", "10.2.0.1:8080");
  const endpoints = () => fixture.registry.service("shop")?.endpoints.length;
  assert.is(endpoints(), 0);
  fixture.dns["back"] = ["10.0.0.1"];
  for (let round = 0; round < 3; round++) {
    await fixture.pass(DNS_REFRESH_MS);
    fixture.acknowledge();
  }
  assert.is(endpoints(), 1);
});

test.run();
