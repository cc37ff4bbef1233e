import * as assert from "uvu/assert";
import { clientIdField } from "../../src/codec/http1/client-id.ts";
import { parseIp } from "../../src/mesh/address.ts";
import type { Identity } from "../../src/mesh/credentials.ts";
import type { Authorization, PortPolicy } from "../../src/mesh/policy.ts";
import type { InboundPolicy } from "../../src/mesh/snapshot.ts";
import { type Denial, denialOf, isOpaque, unjudgedPort } from "../../src/proxy/admit.ts";
import type { ClientIdentity, ClientOrigin } from "../../src/proxy/client.ts";
import { Directory } from "../../src/proxy/directory.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/admit");

const APP = 3_000;
const WEB = clientOf({ dns: "web.default.id", uri: null });
const OTHER = clientOf({ dns: "other.default.id", uri: null });

const OPEN: InboundPolicy = { requiresIdentity: false, allowFrom: null };
const REQUIRED: InboundPolicy = { requiresIdentity: true, allowFrom: null };
const LISTED: InboundPolicy = {
  requiresIdentity: false,
  allowFrom: [{ kind: "exact", name: "web.default.id" }],
};

const ANYONE: Authorization = { networks: [], clients: { kind: "anyone" } };
const ONLY_OTHER: Authorization = {
  networks: [],
  clients: { kind: "named", identities: ["other.default.id"], suffixes: [] },
};

function clientOf(identity: Identity): ClientIdentity {
  return { name: identity.dns ?? "", identity, field: clientIdField(identity.dns ?? "") };
}

function originOf(parts: Partial<ClientOrigin> = {}): ClientOrigin {
  return {
    kind: "inbound",
    series: 0,
    authority: `127.0.0.1:${APP}`,
    target: { ip: Uint8Array.of(127, 0, 0, 1), port: APP },
    isRedirected: false,
    speaks: null,
    peer: "10.1.2.3:4",
    peerIp: parseIp("10.1.2.3"),
    client: null,
    hasWaited: false,
    ...parts,
  };
}

function worldOf(policy: InboundPolicy, inbound: readonly PortPolicy[] | null | undefined) {
  const ask = (): void => {};
  const directory = new Directory(ask, ask, ask);
  const rest = { version: 1, services: [], aliases: [], clients: [] };
  if (inbound !== undefined) directory.replace({ ...rest, inbound }, 0);
  return { policy, directory };
}

function portPolicy(...authorizations: readonly Authorization[]): PortPolicy {
  return { port: APP, isOpaque: false, authorizations };
}

test("flags and the port's policy must both let a client in; the flags are asked first", () => {
  const anyone = [portPolicy(ANYONE)];
  const other = [portPolicy(ONLY_OTHER)];
  const nobody = [portPolicy()];
  const elsewhere = [{ ...portPolicy(ANYONE), port: APP + 1 }];
  const required: Denial = "identity-required";
  const denied: Denial = "identity-denied";
  const refused: Denial = "policy-denied";
  const unknown: Denial = "policy-unknown";
  type Row = [InboundPolicy, readonly PortPolicy[] | null | undefined, ...(Denial | null)[]];
  // Of a client without a proof, of `web` and of `other`.
  const table: Row[] = [
    [OPEN, null, null, null, null],
    [REQUIRED, null, required, null, null],
    [LISTED, null, required, null, denied],
    [OPEN, anyone, null, null, null],
    [REQUIRED, anyone, required, null, null],
    [OPEN, other, refused, refused, null],
    [REQUIRED, other, required, refused, null],
    [LISTED, other, required, refused, denied],
    [OPEN, nobody, refused, refused, refused],
    [OPEN, [], unknown, unknown, unknown],
    [OPEN, elsewhere, unknown, unknown, unknown],
    [LISTED, [], required, unknown, denied],
    // Before the first snapshot nothing is known.
    [OPEN, undefined, unknown, unknown, unknown],
  ];
  for (const [flags, inbound, ...expected] of table) {
    const world = worldOf(flags, inbound);
    const origins = [null, WEB, OTHER].map((client) => originOf({ client }));
    assert.equal(
      origins.map((origin) => denialOf(world, origin)),
      expected,
    );
    // Only what the policy has yet to say is waited for, and not twice.
    assert.equal(
      origins.map((origin) => unjudgedPort(world, origin)),
      expected.map((denial) => (denial === "policy-unknown" ? APP : null)),
    );
    for (const origin of origins) {
      assert.is(unjudgedPort(world, { ...origin, hasWaited: true }), null);
      const both = [denialOf(world, origin), denialOf(world, { ...origin, hasWaited: true })];
      assert.is(both[0], both[1], "waiting lets nobody in");
    }
  }
});

test("policy is for what comes in, and for the port that it wants", () => {
  const closed = worldOf(LISTED, [{ ...portPolicy(), isOpaque: true }]);
  for (const kind of ["outbound", "forward"] as const) {
    for (const world of [closed, worldOf(LISTED, []), worldOf(LISTED, undefined)]) {
      assert.is(denialOf(world, originOf({ kind })), null);
      assert.is(unjudgedPort(world, originOf({ kind })), null);
      assert.is(isOpaque(world, originOf({ kind })), false);
    }
  }
  const target = { ip: Uint8Array.of(10, 0, 0, 1), port: 9_090 };
  const ports = worldOf(OPEN, [
    portPolicy(ANYONE),
    { port: 9_090, isOpaque: true, authorizations: [] },
  ]);
  assert.is(denialOf(ports, originOf()), null);
  assert.is(isOpaque(ports, originOf()), false);
  assert.is(denialOf(ports, originOf({ target })), "policy-denied");
  assert.is(isOpaque(ports, originOf({ target })), true);
  // Nowhere to come in to: that is said where the target is looked up.
  assert.is(denialOf(ports, originOf({ target: null })), null);
  assert.is(denialOf(worldOf(REQUIRED, []), originOf({ target: null })), "identity-required");
});

test.run();
