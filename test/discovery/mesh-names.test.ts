/** Names between static upstreams and DNS: who is asked, who waits, and what is then known. */
import * as assert from "uvu/assert";
import { APPEARS_WITHIN_MS } from "../../src/discovery/awaited.ts";
import { RECONCILE_MS } from "../../src/discovery/endpoint-set.ts";
import { ASK_MS } from "../../src/discovery/mesh-service.ts";
import { NAME_KEEP_MS } from "../../src/discovery/names.ts";
import { DNS_REFRESH_MS } from "../../src/discovery/registry.ts";
import { SeriesField } from "../../src/shared/layout.ts";
import { suite } from "../support/test.ts";
import { FakeStore, INBOUND_PORT, identityOf, MeshFixture, whole } from "./mesh-fixture.ts";
import { upstream } from "./registry-fixture.ts";

const test = suite("discovery/mesh-names");

test("the first use of a name waits for endpoints and routes, and then is one service", async () => {
  const fixture = new MeshFixture();
  await fixture.want("web", "web:8080", "web.default", "WEB.default.svc.cluster.local");
  assert.equal(fixture.mesh.watched, ["web"]);
  assert.equal(fixture.shown, []);
  fixture.mesh.add("web", "10.0.0.1:3000");
  await fixture.settle();
  assert.equal(fixture.shown, [], "without its routes it may be sent to the wrong place");
  fixture.mesh.route("web");
  await fixture.settle();
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
  assert.equal(fixture.aliases, [
    "web web",
    "web.default web",
    `web.default.svc.cluster.local web`,
  ]);
  assert.equal(fixture.registry.service("web")?.endpoints[0]?.peer, {
    identity: identityOf("web"),
    serverName: identityOf("web"),
    port: 3000,
  });
  assert.is(fixture.registry.service("web")?.endpoints[0]?.speaks, "sidecar");
  assert.equal(fixture.lookups, []);
});

test("routes that do not come are not waited for longer than a second", async () => {
  const fixture = new MeshFixture();
  await fixture.want("web");
  fixture.mesh.add("web", "10.0.0.1:3000");
  await fixture.wait(ASK_MS - 1);
  assert.equal(fixture.shown, []);
  await fixture.wait(1);
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
});

test("a static upstream is nobody's to ask", async () => {
  const fixture = new MeshFixture({ upstreams: [upstream("web", ["10.0.0.9", 1])] });
  await fixture.want("web", "web:99");
  assert.equal(fixture.mesh.watched, []);
  assert.equal(fixture.shown, ["web: 10.0.0.9:1"]);
});

test("what is no name of a service is not asked for", async () => {
  const fixture = new MeshFixture({
    dns: { localhost: ["127.0.0.1"], "a.b.example": ["10.0.0.1"] },
  });
  await fixture.want("localhost:1", "10.0.0.1:2", "a.b.example");
  assert.equal(fixture.mesh.watched, []);
  assert.is(fixture.shown.length, 3);
});

test("a name that there is no service of goes to DNS, with all ports that waited", async () => {
  const fixture = new MeshFixture({ dns: { "example.com": ["10.0.0.1"] } });
  await fixture.want("example.com", "example.com:81");
  assert.equal(fixture.lookups, []);
  fixture.mesh.endpoints.get("example.com.svc.cluster.local")?.refuse("unknown");
  await fixture.settle();
  assert.equal(fixture.lookups, ["example.com"]);
  assert.equal(fixture.shown, ["example.com:80: 10.0.0.1:80", "example.com:81: 10.0.0.1:81"]);
  assert.equal(fixture.aliases, []);
});

test("a name of DNS that becomes a service is one from then on, and the other way round", async () => {
  const fixture = new MeshFixture({ dns: { web: ["10.9.9.9"] } });
  await fixture.want("web");
  fixture.mesh.none("web", false);
  await fixture.settle();
  assert.equal(fixture.shown, ["web:80: 10.9.9.9:80"]);
  fixture.mesh.add("web", "10.0.0.1:3000");
  fixture.mesh.route("web");
  await fixture.settle();
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
  fixture.mesh.remove("web", "10.0.0.1:3000");
  fixture.mesh.none("web", true);
  await fixture.settle();
  assert.equal(fixture.shown, ["web: nothing"], "a service without endpoints is one");
  fixture.mesh.none("web", false);
  await fixture.settle();
  assert.equal(fixture.shown, ["web:80: 10.9.9.9:80"]);
});

test("who serves a name may come a moment after it is asked for", async () => {
  const nobody = new Error("ENOTFOUND");
  const fixture = new MeshFixture({ dns: { web: nobody, typo: nobody } });
  await fixture.want("web", "typo");
  for (const name of ["web", "typo"]) fixture.mesh.none(name, false);
  await fixture.settle();
  await fixture.wait(APPEARS_WITHIN_MS - 1);
  assert.equal(fixture.lookups, ["web", "typo"]);
  assert.equal(fixture.shown, [], "that DNS has no such name is not said yet");
  fixture.mesh.add("web", "10.0.0.1:3000");
  fixture.mesh.route("web");
  await fixture.settle();
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
  await fixture.wait(1);
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`, "typo:80: dns-failed"]);
});

test("a name that nobody can be asked about is refused, at once and never by DNS", async () => {
  const fixture = new MeshFixture({ state: "connecting", dns: { web: ["10.9.9.9"] } });
  await fixture.want("web");
  assert.equal(fixture.shown, []);
  await fixture.link("away");
  assert.equal(fixture.shown, ["web: control-away"]);
  await fixture.want("shop");
  assert.equal(fixture.shown, ["web: control-away", "shop: control-away"]);
  await fixture.link("connected");
  fixture.mesh.add("web", "10.0.0.1:3000");
  fixture.mesh.none("shop", false);
  fixture.mesh.route("web");
  await fixture.settle();
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
  assert.equal(fixture.lookups, []);
});

test("what was known is used again by the next run, and corrected when the control plane is back", async () => {
  const store = new FakeStore();
  const before = new MeshFixture({ store, dns: { gone: ["10.9.9.9"] } });
  await before.find("web", "10.0.0.1:3000", "10.0.0.2:3000");
  before.mesh.route("web", { web: 9, canary: 1 });
  await before.want("gone");
  before.mesh.none("gone", false);
  await before.settle();
  const fixture = new MeshFixture({ store, state: "away", dns: { gone: ["10.9.9.9"] } });
  await fixture.want("web", "gone");
  const both = `web: 10.0.0.1:${INBOUND_PORT} 10.0.0.2:${INBOUND_PORT}`;
  assert.equal(fixture.shown, ["canary: control-away", both, "gone:80: 10.9.9.9:80"]);
  assert.equal(fixture.registry.service("web")?.routes[0]?.backends, [
    { service: whole("web"), weight: 9 },
    { service: whole("canary"), weight: 1 },
  ]);
  await fixture.link("connected");
  fixture.mesh.add("web", "10.0.0.2:3000");
  await fixture.settle();
  assert.is(fixture.registry.service("web")?.endpoints.length, 2, "not yet believed");
  await fixture.pass(RECONCILE_MS + DNS_REFRESH_MS);
  assert.ok(fixture.shown.includes(`web: 10.0.0.2:${INBOUND_PORT}`));
});

test("damaged or strange memories are no memories", async () => {
  for (const value of [
    null,
    1,
    "x",
    { version: 2, entries: [] },
    { version: 1, entries: [1, [2]] },
  ]) {
    const store = new FakeStore();
    store.values.set("services", value);
    const fixture = new MeshFixture({ store, state: "away" });
    await fixture.want("web");
    assert.equal(fixture.shown, ["web: control-away"]);
  }
  const store = new FakeStore();
  const endpoint = { ip: new Uint8Array(4), port: 1, speaks: "any", peer: null };
  const bad = [{ ...endpoint, ip: [1, 2] }, { ...endpoint, port: 0 }, { ...endpoint, peer: {} }, 5];
  const entries = [[whole("web"), { endpoints: [...bad, endpoint], routes: [] }]];
  store.values.set("services", { version: 1, entries });
  const fixture = new MeshFixture({ store, state: "away" });
  await fixture.want("web");
  assert.equal(fixture.shown, ["web: 0.0.0.0:1"]);
});

test("a lost connection changes nothing, and empty answers after it are not believed at once", async () => {
  const store = new FakeStore();
  const fixture = new MeshFixture({ store });
  await fixture.find("web", "10.0.0.1:3000", "10.0.0.2:3000");
  const [first] = fixture.registry.service("web")?.endpoints ?? [];
  const kept = JSON.stringify(store.read("services"));
  await fixture.link("away");
  await fixture.pass(2 * NAME_KEEP_MS);
  assert.is(fixture.registry.service("web")?.endpoints[0], first, "away, nothing is let go of");
  await fixture.link("connected");
  fixture.mesh.none("web", false);
  await fixture.pass(RECONCILE_MS - DNS_REFRESH_MS);
  assert.is(fixture.registry.service("web")?.endpoints.length, 2);
  fixture.mesh.add("web", "10.0.0.1:3000");
  fixture.mesh.remove("web", "10.0.0.2:3000");
  await fixture.settle();
  assert.equal(fixture.registry.service("web")?.endpoints, [first], "what is said is believed");
  await fixture.pass(RECONCILE_MS);
  assert.equal(fixture.registry.service("web")?.endpoints, [first]);
  assert.ok(kept.length > 50);
});

test("a service whose last endpoints nobody confirmed is absent in the end", async () => {
  const fixture = new MeshFixture({ dns: { web: ["10.9.9.9"] } });
  await fixture.find("web", "10.0.0.1:3000");
  fixture.mesh.breakOff("connected");
  fixture.mesh.none("web", false);
  await fixture.pass(RECONCILE_MS);
  assert.equal(fixture.shown, []);
  await fixture.want("web");
  assert.equal(fixture.shown, ["web:80: 10.9.9.9:80"]);
});

test("a name in use is kept without being asked for again, an unused one is let go of", async () => {
  const fixture = new MeshFixture();
  await fixture.find("web", "10.0.0.1:3000");
  await fixture.find("db", "10.0.0.2:5432");
  await fixture.find("idle", "10.0.0.3:1");
  const series = fixture.registry.service("web")?.endpoints[0]?.series ?? 0;
  fixture.rows.acquire(fixture.row("db"), 1, 5);
  for (let passedMs = 0; passedMs <= NAME_KEEP_MS; passedMs += NAME_KEEP_MS / 4) {
    fixture.counters.addTo(series, SeriesField.requests, 1);
    await fixture.pass(NAME_KEEP_MS / 4);
  }
  assert.equal(fixture.mesh.watched, ["web", "db"]);
  assert.equal(fixture.aliases, ["web web", "db db"]);
  fixture.rows.release(fixture.row("db"), 1);
  await fixture.pass(NAME_KEEP_MS + DNS_REFRESH_MS);
  assert.equal(fixture.shown, []);
  assert.equal(fixture.mesh.watched, []);
});

test("a route's backends are services of the snapshot for as long as a route names them", async () => {
  const fixture = new MeshFixture();
  await fixture.find("web", "10.0.0.1:3000");
  fixture.mesh.route("web", { web: 90, canary: 10 });
  await fixture.settle();
  assert.equal(fixture.mesh.watched, ["web", "canary"]);
  fixture.mesh.add("canary", "10.0.0.2:3000");
  fixture.mesh.route("canary");
  await fixture.settle();
  assert.equal(fixture.shown, [
    `web: 10.0.0.1:${INBOUND_PORT}`,
    `canary: 10.0.0.2:${INBOUND_PORT}`,
  ]);
  const series = fixture.registry.service("web")?.endpoints[0]?.series ?? 0;
  for (let i = 0; i < 6; i++) {
    fixture.counters.addTo(series, SeriesField.requests, 1);
    await fixture.pass(NAME_KEEP_MS / 4);
  }
  assert.is(fixture.shown.length, 2, "a backend needs no use of its own");
  fixture.mesh.route("web");
  await fixture.pass(DNS_REFRESH_MS);
  assert.equal(fixture.shown, [`web: 10.0.0.1:${INBOUND_PORT}`]);
});

test("an endpoint that stays keeps its row, one that goes is let go of when nobody counts on it", async () => {
  const fixture = new MeshFixture();
  await fixture.find("web", "10.0.0.1:3000", "10.0.0.2:3000");
  fixture.acknowledge();
  const [first, second] = fixture.registry.service("web")?.endpoints ?? [];
  const row = second?.row ?? -1;
  fixture.rows.acquire(row, 0, 5);
  fixture.rows.publishCost(first?.row ?? -1, 0, 777, 5);
  fixture.mesh.remove("web", "10.0.0.2:3000");
  fixture.mesh.add("web", "10.0.0.3:3000");
  await fixture.settle();
  assert.is(fixture.registry.service("web")?.endpoints[0], first);
  assert.is(fixture.rows.costUs(first?.row ?? -1), 777);
  fixture.acknowledge();
  await fixture.pass(DNS_REFRESH_MS);
  fixture.mesh.add("web", "10.0.0.4:3000");
  await fixture.settle();
  const used = (): (number | undefined)[] =>
    fixture.registry.service("web")?.endpoints.map((endpoint) => endpoint.row) ?? [];
  assert.not(used().includes(row), "a request is in flight there");
  fixture.rows.release(row, 0);
  await fixture.pass(DNS_REFRESH_MS);
  fixture.mesh.add("web", "10.0.0.5:3000");
  await fixture.settle();
  assert.ok(used().includes(row));
});

test.run();
