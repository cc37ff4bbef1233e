/** What the control plane says of a port, and what we make of it: what is strange lets nobody in. */
import { type AddressInfo, createServer } from "node:net";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { portPolicyOf } from "../../src/discovery/inbound-policy.ts";
import { LOOK_MS, PORTS_FREELY, PORTS_MAX } from "../../src/discovery/inbound-ports.ts";
import { listeningPorts } from "../../src/discovery/listening-ports.ts";
import { ASK_MS } from "../../src/discovery/mesh-service.ts";
import { type AuthzSchema, ServerSchema } from "../../src/proto/inbound_pb.ts";
import { suite } from "../support/test.ts";
import { FakeStore, identityOf, MeshFixture, server } from "./mesh-fixture.ts";

const test = suite("discovery/inbound-policy");

type AuthzInit = MessageInitShape<typeof AuthzSchema>;
type AuthnInit = AuthzInit["authentication"];

const V4 = { ip: { case: "ipv4" as const, value: 0x0a000000 } };
const V6 = { ip: { case: "ipv6" as const, value: { first: 0n, last: 0n } } };
const ANYWHERE = [
  { net: { ip: { ip: { case: "ipv4" as const, value: 0 } } } },
  { net: { ip: V6 } },
];
const TEN = { ip: V4, prefixLen: 8 };
const ANYONE: AuthnInit = { permit: { case: "unauthenticated", value: {} } };
const DETECT = { kind: { case: "detect" as const, value: {} } };

function named(identities: readonly string[], suffixes: readonly (readonly string[])[]): AuthnInit {
  const value = {
    identities: identities.map((name) => ({ name })),
    suffixes: suffixes.map((parts) => ({ parts: [...parts] })),
  };
  const clients = { case: "identities" as const, value };
  return { permit: { case: "meshTls", value: { clients } } };
}

function read(authorization: AuthzInit) {
  const message = create(ServerSchema, { protocol: DETECT, authorizations: [authorization] });
  return portPolicyOf(80, message).policy.authorizations;
}

test("clients and networks are as they were said", () => {
  assert.equal(read({ networks: ANYWHERE, authentication: ANYONE }), [
    { networks: [], clients: { kind: "anyone" } },
  ]);
  const ip = Uint8Array.of(10, 0, 0, 0);
  const except = [{ ip: V4, prefixLen: 16 }];
  assert.equal(read({ networks: [{ net: TEN, except }], authentication: named([], [[]]) }), [
    {
      networks: [{ net: { ip, prefixLength: 8 }, except: [{ ip, prefixLength: 16 }] }],
      clients: { kind: "meshed" },
    },
  ]);
  const some = named([identityOf("Shop"), "spiffe://td/ns/a/sa/B", "*"], [["ops", "local"], ["*"]]);
  assert.equal(read({ networks: ANYWHERE, authentication: some })[0]?.clients, {
    kind: "named",
    identities: [identityOf("shop"), "spiffe://td/ns/a/sa/B"],
    suffixes: [".ops.local"],
  });
});

test("an authorization that is not understood is left out", () => {
  const bad: AuthzInit[] = [
    {},
    { networks: ANYWHERE },
    { authentication: ANYONE },
    { networks: ANYWHERE, authentication: {} },
    { networks: ANYWHERE, authentication: { permit: { case: "meshTls", value: {} } } },
    { networks: [{}], authentication: ANYONE },
    { networks: [{ net: { ip: V4, prefixLen: 33 } }], authentication: ANYONE },
    { networks: [{ net: TEN, except: [{}] }], authentication: ANYONE },
  ];
  for (const each of bad) assert.equal(read(each), [], JSON.stringify(Object.keys(each)));
  // One network of two narrows it.
  assert.is(read({ networks: [{}, { net: TEN }], authentication: ANYONE })[0]?.networks.length, 1);
  const mixed = create(ServerSchema, {
    protocol: DETECT,
    authorizations: [{}, { networks: ANYWHERE, authentication: ANYONE }],
  });
  const { policy, problem } = portPolicyOf(80, mixed);
  assert.is(policy.authorizations.length, 1);
  assert.is(problem, "an authorization is not understood");
});

test("a server of no known protocol, or with rules for single requests, lets nobody in", () => {
  const whole = { networks: ANYWHERE, authentication: ANYONE };
  const none = portPolicyOf(80, create(ServerSchema, { authorizations: [whole] }));
  assert.equal(none.policy.authorizations, []);
  assert.is(none.problem, "no known protocol");
  // Linkerd's Detect has HTTP routes as field 3: { 1: { 1: { 3: "" } }, 3: authorization }.
  const routes = Uint8Array.of(0x0a, 0x04, 0x0a, 0x02, 0x1a, 0x00);
  const rest = toBinary(ServerSchema, create(ServerSchema, { authorizations: [whole] }));
  const message = fromBinary(ServerSchema, Buffer.concat([routes, rest]));
  assert.equal(portPolicyOf(80, message).policy.authorizations, []);
  for (const kind of ["opaque", "tls"] as const) {
    const opaque = create(ServerSchema, { protocol: { kind: { case: kind, value: {} } } });
    assert.is(portPolicyOf(80, opaque).policy.isOpaque, true);
  }
});

test("the application's port is asked for at once, others on demand, no more than there may be", async () => {
  const fixture = new MeshFixture({ appPort: 3000 });
  assert.equal([...fixture.mesh.ports.keys()], [3000]);
  assert.equal(fixture.registry.snapshot().inbound, []);
  assert.is(fixture.registry.isPolicyKnown, false);
  fixture.mesh.ports.get(3000)?.say(server());
  await fixture.settle();
  assert.is(fixture.registry.isPolicyKnown, true);
  assert.equal(
    fixture.registry.snapshot().inbound?.map(({ port }) => port),
    [3000],
  );
  const before = fixture.published.length;
  fixture.mesh.ports.get(3000)?.say(server());
  await fixture.settle();
  assert.is(fixture.published.length, before, "nothing is new");
  for (let port = 1; port <= 2 * PORTS_MAX; port++) fixture.registry.wantPort(port);
  await fixture.wait(LOOK_MS);
  assert.is(fixture.mesh.ports.size, PORTS_MAX);
  assert.is(fixture.logged.filter((line) => line.includes("too many ports")).length, 1);
  assert.is(fixture.mesh.ports.get(1)?.refuse("denied"), true);
  assert.ok(fixture.logged.some((line) => line.includes("a denied call")));
});

test("a scan of ports does not keep those out that somebody listens on", async () => {
  const fixture = new MeshFixture({ appPort: 3000 });
  fixture.listening = new Set([3000, 8080]);
  for (let port = 1; port <= 2 * PORTS_MAX; port++) fixture.registry.wantPort(port);
  await fixture.wait(LOOK_MS);
  assert.is(fixture.mesh.ports.size, PORTS_FREELY);
  fixture.registry.wantPort(8080);
  assert.is(fixture.mesh.ports.has(8080), false);
  await fixture.wait(LOOK_MS);
  assert.is(fixture.mesh.ports.has(8080), true);
  assert.is(fixture.logged.length, 0);
});

test("who listens is read from the system", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  assert.is(listeningPorts()?.has(port), true);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  assert.is(listeningPorts()?.has(port), false);
});

test("a policy outlives the connection and the process, and is not used before somebody was asked", async () => {
  const store = new FakeStore();
  const before = new MeshFixture({ store, appPort: 3000 });
  before.mesh.ports.get(3000)?.say(server());
  await before.link("away");
  assert.is(before.registry.isPolicyKnown, true);
  const fixture = new MeshFixture({ store, appPort: 3000, state: "connecting" });
  await fixture.wait(ASK_MS - 1);
  assert.is(fixture.registry.isPolicyKnown, false);
  await fixture.link("away");
  assert.is(fixture.registry.isPolicyKnown, true);
  fixture.mesh.ports.get(3000)?.say(create(ServerSchema, { protocol: DETECT }));
  await fixture.settle();
  assert.equal(fixture.registry.snapshot().inbound?.[0]?.authorizations, []);
  const late = new MeshFixture({ store, appPort: 3000 });
  await late.wait(ASK_MS);
  assert.equal(late.registry.snapshot().inbound?.[0]?.authorizations, [], "the last word is kept");
});

test("without a control plane snapshots say nothing of ports", () => {
  const fixture = new MeshFixture();
  assert.equal(fixture.registry.snapshot().inbound, []);
});

test.run();
