/** Leases on a clock that is set by hand: who is there, until when, and who may say so. */
import * as assert from "uvu/assert";
import { addressFault } from "../../src/control/directory/endpoint.ts";
import * as limits from "../../src/control/directory/limits.ts";
import { parseIp } from "../../src/mesh/address.ts";
import { RpcError, Status } from "../../src/rpc/status.ts";
import { suite } from "../support/test.ts";
import { DirectoryRig, endpoint, identityNamed, named } from "./directory-rig.ts";

const test = suite("control/directory");

/** The status that an announcement is refused with. */
function refusal(announce: () => unknown): number {
  try {
    announce();
  } catch (error) {
    if (error instanceof RpcError) return error.status;
  }
  throw new Error("it was not refused");
}

test("an endpoint is there as long as its stream, and a grace", () => {
  const rig = new DirectoryRig();
  const lease = rig.announce(endpoint(1));
  rig.pass(3_600_000);
  assert.equal(rig.list(), ["10.0.0.1"]);
  lease.release();
  rig.pass(limits.LEASE_GRACE_MS - 1);
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(rig.directory.leavingCount, 1);
  rig.pass(1);
  assert.equal(rig.list(), []);
  assert.is(rig.directory.endpointCount, 0);
  assert.is(rig.directory.leavingCount, 0);
  assert.is(rig.directory.get("web.default.svc.cluster.local")?.entries.size, 0);
});

test("who comes back within the grace was never away, nor told to be", () => {
  const rig = new DirectoryRig();
  rig.announce(endpoint(1)).release();
  const log = rig.directory.get(named("web").canonical)?.log;
  const before = log?.last;
  rig.pass(limits.LEASE_GRACE_MS - 1);
  const back = rig.announce(endpoint(1), { instance: "two" });
  rig.pass(3_600_000);
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(log?.last, before);
  back.release();
  rig.pass(limits.LEASE_GRACE_MS);
  assert.equal(rig.list(), []);
});

test("a new stream takes the lease over, and the old one's end means nothing", () => {
  const rig = new DirectoryRig();
  const ends: RpcError[] = [];
  const old = rig.announce(endpoint(1), {}, ends);
  rig.announce(endpoint(1, { weight: 5 }), { instance: "two" });
  assert.equal(
    ends.map(({ status }) => status),
    [Status.aborted],
  );
  old.release();
  old.release();
  rig.pass(limits.LEASE_GRACE_MS);
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(rig.directory.counts.taken_over, 1);
  assert.is(rig.directory.endpointCount, 1);
});

test("withdrawn is gone at once, but not what another process has taken over", () => {
  const rig = new DirectoryRig();
  const ends: RpcError[] = [];
  const web = named("web").canonical;
  rig.announce(endpoint(1), { instance: "one" }, ends);
  rig.announce(endpoint(2), { instance: "two" });
  assert.is(rig.directory.withdraw(web, identityNamed("shop"), "one"), 0);
  assert.is(rig.directory.withdraw(named("shop").canonical, identityNamed("web"), "one"), 0);
  assert.is(rig.directory.withdraw(web, identityNamed("web"), "one"), 1);
  assert.is(ends[0]?.status, Status.ok);
  assert.equal(rig.list(), ["10.0.0.2"]);
  assert.is(rig.directory.withdraw(web, identityNamed("web"), "one"), 0);
  // Its stream broke, and then it says that it goes.
  const lease = rig.announce(endpoint(3), { instance: "three" });
  lease.release();
  assert.is(rig.directory.withdraw(web, identityNamed("web"), "three"), 1);
  lease.release();
  rig.pass(limits.LEASE_GRACE_MS);
  assert.equal(rig.list(), ["10.0.0.2"]);
});

test("of two sidecars before one application clients see the last, and then the other", () => {
  const rig = new DirectoryRig();
  const first = rig.announce(endpoint(1, { inboundPort: 1 }));
  const second = rig.announce(endpoint(1, { inboundPort: 2 }), { instance: "two" });
  const told = () => rig.directory.get(named("web").canonical)?.log.endpoints[0]?.endpoint;
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(told()?.inboundPort, 2);
  second.release();
  rig.pass(limits.LEASE_GRACE_MS);
  assert.is(told()?.inboundPort, 1);
  first.release();
  rig.pass(limits.LEASE_GRACE_MS);
  assert.equal(rig.list(), []);
});

test("who is listed may announce another's service, but not where that is", () => {
  const rig = new DirectoryRig();
  rig.apply("services: { web: { announcers: [canary] } }");
  const canary = identityNamed("canary");
  const lease = rig.announce(endpoint(1));
  assert.is(
    refusal(() => rig.announce(endpoint(1, { identity: canary }))),
    Status.alreadyExists,
  );
  rig.announce(endpoint(2, { identity: canary }));
  assert.equal(rig.list(), ["10.0.0.1", "10.0.0.2"]);
  lease.release();
  // Somebody else has the address now.
  rig.announce(endpoint(1, { identity: canary }));
  const [, told] = rig.directory.get(named("web").canonical)?.log.endpoints ?? [];
  assert.is(told?.endpoint.identity, canary);
});

test("what a new policy does not allow ends at once", () => {
  const rig = new DirectoryRig();
  rig.apply("services: { web: { announcers: [canary] } }");
  const ends: RpcError[] = [];
  rig.announce(endpoint(1));
  rig.announce(endpoint(2, { identity: identityNamed("canary") }), {}, ends);
  rig.apply("services: {}");
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(ends[0]?.status, Status.permissionDenied);
  assert.is(rig.directory.counts.revoked, 1);
});

test("opaque is what was announced so, and what the policy says of its port", () => {
  const rig = new DirectoryRig();
  rig.announce(endpoint(1));
  rig.announce(endpoint(2, { protocol: "opaque" }));
  rig.announce(endpoint(3, { applicationPort: 9 }));
  const opaque = () =>
    (rig.directory.get(named("web").canonical)?.log.endpoints ?? [])
      .map(({ endpoint: { ip }, isOpaque }) => `${ip[3]} ${isOpaque}`)
      .sort();
  assert.equal(opaque(), ["1 false", "2 true", "3 false"]);
  rig.apply("services: { web: { ports: { 9: { opaque: true } } } }");
  assert.equal(opaque(), ["1 false", "2 true", "3 true"]);
  rig.apply("services: { web: { opaque: true, ports: { 9: { opaque: false } } } }");
  assert.equal(opaque(), ["1 true", "2 true", "3 false"]);
});

test("after a restart all are there for a longer grace, if they still may be", () => {
  const rig = new DirectoryRig();
  const stranger = endpoint(3, { identity: identityNamed("shop") });
  rig.directory.restore(named("web"), rig.wallMs, [endpoint(1), endpoint(2), stranger]);
  assert.equal(rig.list(), ["10.0.0.1", "10.0.0.2"]);
  rig.pass(limits.RESTART_GRACE_MS - 1);
  rig.announce(endpoint(1));
  rig.pass(1);
  assert.equal(rig.list(), ["10.0.0.1"]);
  assert.is(rig.directory.counts.restored, 2);
});

test("one identity, and all together, announce so many and no more", () => {
  const rig = new DirectoryRig();
  const max = limits.ENDPOINTS_PER_IDENTITY_MAX;
  for (let n = 0; n < max; n++) rig.announce(endpoint(n));
  const status = refusal(() => rig.announce(endpoint(max)));
  assert.is(status, Status.resourceExhausted);
  // Its own once more is no more than there is.
  rig.announce(endpoint(7), { instance: "two" });
  const shop = { service: named("shop") };
  rig.announce(endpoint(max, { identity: identityNamed("shop") }), shop);
  assert.is(rig.directory.endpointCount, max + 1);
  assert.is(rig.directory.counts.refused, 1);
});

test("services are remembered without endpoints, for days and not for ever", () => {
  const rig = new DirectoryRig();
  rig.announce(endpoint(1));
  rig.directory.withdraw(named("web").canonical, identityNamed("web"), "one");
  rig.pass(limits.SERVICE_MEMORY_MS - 1);
  const { canonical } = named("web");
  assert.is(rig.directory.get(canonical)?.log.size, 0);
  const asking = { wake: () => {} };
  rig.topics.subscribe(canonical, asking);
  rig.pass(1);
  // Not while somebody asks for it.
  assert.is.not(rig.directory.get(canonical), null);
  rig.topics.unsubscribe(canonical, asking);
  rig.pass(0);
  assert.is(rig.directory.get(canonical), null);
});

test("there are so many services; one without endpoints makes room", () => {
  const rig = new DirectoryRig();
  const service = (i: number) => named(`s${i}`);
  rig.announce(endpoint(1));
  for (let i = 1; i < limits.SERVICES_MAX; i++) {
    rig.directory.restore(service(i), rig.wallMs, []);
  }
  assert.is(rig.directory.serviceCount, limits.SERVICES_MAX);
  const shop = { service: named("shop") };
  rig.announce(endpoint(2, { identity: identityNamed("shop") }), shop);
  assert.is(rig.directory.serviceCount, limits.SERVICES_MAX);
  assert.is(rig.directory.get(service(1).canonical), null);
});

for (const [text, from, isGood] of [
  ["10.0.0.1", "10.9.9.9", true],
  ["2001:db8::1", "10.9.9.9", true],
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "10.9.9.9", false],
  ["::1", "10.9.9.9", false],
  ["::ffff:127.0.0.1", "10.9.9.9", false],
  ["0.0.0.0", "10.9.9.9", false],
  ["::", "127.0.0.1", false],
  ["169.254.1.1", "10.9.9.9", false],
  ["fe80::1", "10.9.9.9", false],
  ["224.0.0.1", "10.9.9.9", false],
  ["255.255.255.255", "10.9.9.9", false],
  ["240.0.0.1", "10.9.9.9", false],
  ["ff02::1", "10.9.9.9", false],
] as const) {
  test(`${text} announced from ${from} is ${isGood ? "believed" : "refused"}`, () => {
    const [ip, at] = [parseIp(text), parseIp(from)];
    assert.ok(ip !== null && at !== null);
    assert.is(addressFault(ip, at) === null, isGood);
  });
}

test.run();
