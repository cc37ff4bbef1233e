/** One service's endpoints, from messages that may be half, twice, or lies. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { EndpointSet, RECONCILE_MS, USED_MAX } from "../../src/discovery/endpoint-set.ts";
import { endpointOf } from "../../src/discovery/mesh-address.ts";
import { formatHostPort, formatIp } from "../../src/mesh/address.ts";
import { UpdateSchema, WeightedAddrSchema } from "../../src/proto/destination_pb.ts";
import { ENDPOINTS_MAX } from "../../src/shared/layout.ts";
import { suite } from "../support/test.ts";
import { addition, addrOf } from "./mesh-fixture.ts";

const test = suite("discovery/endpoint-set");

type Weighted = MessageInitShape<typeof WeightedAddrSchema>;

const LOOPBACK = { ip: { case: "ipv4" as const, value: 0x7f000001 } };
const ADDR = { ip: LOOPBACK, port: 80 };
const H2 = { protocol: { case: "h2" as const, value: {} } };
const read = (weighted: Weighted) => endpointOf(create(WeightedAddrSchema, weighted));
const dns = (name: string) => ({ strategy: { case: "dnsLikeIdentity" as const, value: { name } } });

function shown(set: EndpointSet): string {
  return set.addresses
    .map(({ ip, port, peer }) => formatHostPort(formatIp(ip), peer?.port ?? port))
    .sort()
    .join(" ");
}

test("an endpoint is where it is said to be, and who", () => {
  const ip = Uint8Array.of(127, 0, 0, 1);
  assert.equal(read({ addr: ADDR }), { ip, port: 80, speaks: "any", peer: null });
  const peer = { identity: "a.b", serverName: "a.b", port: null };
  const tlsIdentity = dns("A.b.");
  assert.equal(read({ addr: ADDR, tlsIdentity, protocolHint: H2 }), {
    ip,
    port: 80,
    speaks: "sidecar",
    peer,
  });
  const opaque = { protocol: { case: "opaque" as const, value: {} } };
  const protocolHint = { ...opaque, opaqueTransport: { inboundPort: 4143 } };
  assert.equal(read({ addr: ADDR, tlsIdentity, protocolHint }), {
    ip,
    port: 4143,
    speaks: "any",
    peer: { ...peer, port: 80 },
  });
  const uri = "spiffe://td/ns/a/sa/b";
  const strategy = { case: "uriLikeIdentity" as const, value: { uri } };
  const asked = { strategy, serverName: { name: "x.y" } };
  assert.equal(read({ addr: ADDR, tlsIdentity: asked })?.peer, {
    identity: uri,
    serverName: "x.y",
    port: null,
  });
  const first = 0x20010db800000000n;
  const six = { ip: { case: "ipv6" as const, value: { first, last: 1n } } };
  assert.is(formatIp(read({ addr: { ip: six, port: 1 } })?.ip ?? ip), "2001:db8::1");
});

test("what names somebody in a way that is not understood is no endpoint, least of all in plaintext", () => {
  const uri = { case: "uriLikeIdentity" as const, value: { uri: "spiffe://td/elsewhere" } };
  const bad: Weighted[] = [
    {},
    { addr: { port: 80 } },
    { addr: { ip: LOOPBACK, port: 0 } },
    // Metadata services, and any address.
    { addr: { ip: { ip: { case: "ipv4", value: 0xa9fea9fe } }, port: 80 } },
    { addr: { ip: { ip: { case: "ipv4", value: 0 } }, port: 80 } },
    {
      addr: { ip: { ip: { case: "ipv6", value: { first: 0xfe80n << 48n, last: 1n } } }, port: 80 },
    },
    { addr: { ip: LOOPBACK, port: 65_536 } },
    { addr: ADDR, tlsIdentity: {} },
    { addr: ADDR, tlsIdentity: dns("") },
    { addr: ADDR, tlsIdentity: dns("*.b") },
    // TLS would not know whom to ask for.
    { addr: ADDR, tlsIdentity: { strategy: uri } },
    {
      addr: ADDR,
      tlsIdentity: dns("a.b"),
      protocolHint: { opaqueTransport: { inboundPort: 70_000 } },
    },
  ];
  for (const each of bad) assert.is(read(each), null, JSON.stringify(Object.keys(each)));
  const set = new EndpointSet([]);
  set.begin(0);
  set.apply(addition("web", ["127.0.0.1:80", "127.0.0.1:81"]));
  const value = { addrs: [{ addr: ADDR, tlsIdentity: {} }, {}] };
  set.apply(create(UpdateSchema, { update: { case: "add", value } }));
  assert.is(shown(set), "127.0.0.1:81", "nor does it stay what it was");
  assert.is(set.leftOut, 2);
});

test("pieces add up, what is said twice counts once, and nothing is said by an empty message", () => {
  const set = new EndpointSet([]);
  set.begin(0);
  set.apply(addition("web", ["10.0.0.1:1", "10.0.0.2:1"]));
  set.apply(addition("web", ["10.0.0.2:1", "10.0.0.3:1"]));
  set.apply(create(UpdateSchema, {}));
  assert.is(shown(set), "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1");
  set.apply(create(UpdateSchema, { update: { case: "noEndpoints", value: { exists: true } } }));
  assert.is(set.size, 0);
});

test("what was known before a call stays until it is named, removed, or the time is over", () => {
  const before = new EndpointSet([]);
  before.begin(0);
  before.apply(addition("web", ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]));
  const set = new EndpointSet(before.addresses);
  assert.is(set.expire(Number.MAX_SAFE_INTEGER), false, "nobody was asked yet");
  set.begin(1_000);
  set.apply(addition("web", ["10.0.0.1:1"]));
  const addrs = [{ ip: { ip: { case: "ipv4" as const, value: 0x0a000002 } }, port: 1 }];
  set.apply(create(UpdateSchema, { update: { case: "remove", value: { addrs } } }));
  set.apply(create(UpdateSchema, { update: { case: "noEndpoints", value: {} } }));
  assert.is(shown(set), "10.0.0.3:1", "only what this call had said is gone");
  assert.is(set.expire(1_000 + RECONCILE_MS - 1), false);
  assert.is(set.expire(1_000 + RECONCILE_MS), true);
  assert.is(set.size, 0);
});

test("there are never more than there are rows", () => {
  const set = new EndpointSet([]);
  const all = Array.from({ length: ENDPOINTS_MAX + 5 }, (_, i) => `10.0.${i >> 8}.${i & 255}:1`);
  set.apply(addition("web", all));
  assert.equal([set.size, set.leftOut], [ENDPOINTS_MAX, 5]);
});

test("one service takes no more than its share of the rows; the others are there in reserve", () => {
  const set = new EndpointSet([]);
  const all = Array.from({ length: USED_MAX + 1 }, (_, i) => `10.0.${i >> 8}.${i & 255}:1`);
  set.apply(addition("web", all));
  assert.is(set.addresses.length, USED_MAX);
  const last = set.addresses.map(({ ip }) => formatIp(ip)).at(-1);
  const remove = { update: { case: "remove" as const, value: { addrs: [addrOf(all[0] ?? "")] } } };
  set.apply(create(UpdateSchema, remove));
  assert.is(set.addresses.length, USED_MAX);
  assert.is.not(set.addresses.map(({ ip }) => formatIp(ip)).at(-1), last);
});

test.run();
