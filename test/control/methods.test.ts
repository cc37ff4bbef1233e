/** The methods themselves: what each answers, tells and refuses, without a connection. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as assert from "uvu/assert";
import { REMOVALS_KEPT } from "../../src/control/directory/service-log.ts";
import { announce, withdraw } from "../../src/control/methods/announce.ts";
import { getDestination } from "../../src/control/methods/destination.ts";
import type { Mesh } from "../../src/control/methods/mesh.ts";
import {
  getOutbound,
  getPort,
  watchOutbound,
  watchPort,
} from "../../src/control/methods/policies.ts";
import { getProfile } from "../../src/control/methods/profile.ts";
import {
  AnnouncementSchema,
  AnnounceStateSchema,
  type Protocol,
  WithdrawRequestSchema,
} from "../../src/proto/announce_pb.ts";
import {
  DestinationProfileSchema,
  GetDestinationSchema,
  type Update,
  UpdateSchema,
} from "../../src/proto/destination_pb.ts";
import { PortSpecSchema, ServerSchema } from "../../src/proto/inbound_pb.ts";
import { OutboundPolicySchema, TrafficSpecSchema } from "../../src/proto/outbound_pb.ts";
import { STREAMS_MAX } from "../../src/rpc/limits.ts";
import type { CallInfo } from "../../src/rpc/server-handle.ts";
import { RpcError, Status } from "../../src/rpc/status.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { callBy, DirectoryRig, endpoint, identityNamed, named } from "./directory-rig.ts";

const test = suite("control/methods");

type StreamOf = (mesh: Mesh, request: Uint8Array, call: CallInfo) => AsyncIterable<Uint8Array>;

/** A stream that is read as fast as it comes, or as its owner says. */
class Reading<Desc extends DescMessage> {
  readonly messages: MessageShape<Desc>[] = [];
  end: RpcError | "ended" | null = null;
  #iterator: AsyncIterator<Uint8Array> | null = null;
  #isPaused: boolean;
  #go: () => void = () => {};

  constructor(open: () => AsyncIterable<Uint8Array>, schema: Desc, isPaused = false) {
    this.#isPaused = isPaused;
    void this.#read(open, schema);
  }

  async #read(open: () => AsyncIterable<Uint8Array>, schema: Desc): Promise<void> {
    try {
      this.#iterator = open()[Symbol.asyncIterator]();
      for (;;) {
        const next = await this.#iterator.next();
        if (next.done === true) break;
        this.messages.push(fromBinary(schema, next.value));
        while (this.#isPaused) await new Promise<void>((resolve) => (this.#go = resolve));
      }
      this.end = "ended";
    } catch (error) {
      this.end = error instanceof RpcError ? error : new RpcError(Status.internal, String(error));
    }
  }

  goOn(): void {
    this.#isPaused = false;
    this.#go();
  }

  /** As a server does when its client has gone. */
  stop(): void {
    void this.#iterator?.return?.();
  }
}

function read<In extends DescMessage, Out extends DescMessage>(
  rig: DirectoryRig,
  stream: StreamOf,
  input: In,
  request: MessageInitShape<In>,
  output: Out,
  call: { by?: string | null; address?: string; isPaused?: boolean } = {},
): Reading<Out> {
  const bytes = toBinary(input, create(input, request));
  const { by = "shop", isPaused = false, ...more } = call;
  const info = callBy(by, more);
  return new Reading(() => stream(rig.mesh, bytes, info), output, isPaused);
}

const watch = (rig: DirectoryRig, path: string, call = {}) =>
  read(rig, getDestination, GetDestinationSchema, { path }, UpdateSchema, call);

const instance = new Uint8Array(16);
const GOOD = { inboundPort: 4143, applicationPort: 8080, instance };
const announcing = (
  rig: DirectoryRig,
  more: MessageInitShape<typeof AnnouncementSchema>,
  call: { by?: string | null; address?: string } = {},
) =>
  read(rig, announce, AnnouncementSchema, { ...GOOD, ...more }, AnnounceStateSchema, {
    by: "web",
    ...call,
  });

function said(updates: readonly Update[]): string {
  return updates
    .map(({ update }) => {
      if (update.case === "noEndpoints") return update.value.exists ? "none" : "unknown";
      return `${update.case} ${update.value?.addrs.length}`;
    })
    .join(", ");
}

async function statusOf(work: () => Promise<unknown>): Promise<number> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RpcError) return error.status;
    throw error;
  }
  return Status.ok;
}

async function refusal(reading: Reading<DescMessage>): Promise<number> {
  await eventually(() => reading.end !== null);
  return reading.end instanceof RpcError ? reading.end.status : Status.ok;
}

test("who shows no certificate of the mesh is told nothing", async () => {
  const rig = new DirectoryRig();
  assert.is(await refusal(watch(rig, "web", { by: null })), Status.unauthenticated);
  assert.is(await refusal(announcing(rig, {}, { by: null })), Status.unauthenticated);
  const foreign = { dns: "web.default.serviceaccount.identity.linkerd.cluster.local", uri: null };
  const call = {
    ...callBy("web"),
    peer: { address: "10.0.0.1:1", isTls: true, identity: foreign },
  };
  const bytes = toBinary(GetDestinationSchema, create(GetDestinationSchema, { path: "web" }));
  const open = () => getDestination(rig.mesh, bytes, call);
  assert.is(await refusal(new Reading(open, UpdateSchema)), Status.unauthenticated);
  const plain = { ...callBy("web"), peer: { ...callBy("web").peer, isTls: false } };
  assert.is(await statusOf(() => withdraw(rig.mesh, bytes, plain)), Status.unauthenticated);
});

for (const path of ["", "10.0.0.1:80", "[::1]:80", "localhost:80", "a.b.c.d", "web:0", "\u0000"]) {
  test(`Get of ${JSON.stringify(path)} is an invalid argument`, async () => {
    assert.is(await refusal(watch(new DirectoryRig(), path)), Status.invalidArgument);
  });
}

test("what is no message is an invalid argument", async () => {
  const rig = new DirectoryRig();
  const bad = Uint8Array.of(0x0a, 0x05);
  for (const stream of [getDestination, getProfile, announce, watchPort, watchOutbound]) {
    const reading = new Reading(() => stream(rig.mesh, bad, callBy("web")), UpdateSchema);
    assert.is(await refusal(reading), Status.invalidArgument);
  }
  for (const answer of [getPort, getOutbound, withdraw]) {
    assert.is(await statusOf(() => answer(rig.mesh, bad, callBy("web"))), Status.invalidArgument);
  }
});

test("a watcher is told of a list in pieces, of changes, and of nothing twice", async () => {
  const rig = new DirectoryRig();
  for (let n = 1; n <= 300; n++) rig.announce(endpoint(n));
  const first = watch(rig, "web.default.svc.cluster.local:80");
  await eventually(() => said(first.messages) === "add 128, add 128, add 44");
  rig.announce(endpoint(301));
  rig.announce(endpoint(302));
  rig.tell();
  await eventually(() => said(first.messages).endsWith("add 44, add 2"));
  rig.announce(endpoint(302), { instance: "two" });
  rig.directory.withdraw(named("web").canonical, identityNamed("web"), "one");
  rig.tell();
  await eventually(() => said(first.messages).endsWith("add 2, remove 128, remove 128, remove 45"));
  first.stop();
  await eventually(() => first.end === "ended");
  assert.is(rig.watches.open.endpoints, 0);
});

test("there may be no such service, then it comes, and goes, and its name stays", async () => {
  const rig = new DirectoryRig();
  const reading = watch(rig, "web");
  await eventually(() => said(reading.messages) === "unknown");
  rig.announce(endpoint(1));
  rig.tell();
  await eventually(() => said(reading.messages) === "unknown, add 1");
  rig.directory.withdraw(named("web").canonical, identityNamed("web"), "one");
  rig.tell();
  await eventually(() => said(reading.messages) === "unknown, add 1, remove 1, none");
  rig.tell();
  const late = watch(rig, "web");
  await eventually(() => said(late.messages) === "none");
  const other = watch(rig, "other");
  rig.apply("services: { other: {} }");
  await eventually(() => said(other.messages) === "unknown, none");
});

test("a slow watcher skips what is no longer true; one left behind is sent away", async () => {
  const rig = new DirectoryRig();
  rig.announce(endpoint(1));
  const slow = watch(rig, "web", { isPaused: true });
  const left = watch(rig, "web", { isPaused: true });
  await eventually(() => slow.messages.length === 1 && left.messages.length === 1);
  const web = named("web").canonical;
  for (let n = 2; n < 1_000; n++) {
    rig.announce(endpoint(n), { instance: "churn" });
    rig.directory.withdraw(web, identityNamed("web"), "churn");
  }
  rig.announce(endpoint(1, { weight: 5 }));
  rig.tell();
  slow.goOn();
  // Removals of what it was never told of may be among them; additions only of what is there.
  await eventually(() => said(slow.messages).endsWith("add 1"));
  assert.ok(slow.messages.length < 12, said(slow.messages));
  slow.stop();
  for (let n = 2; n < 4 * REMOVALS_KEPT; n++) {
    rig.announce(endpoint(n), { instance: "churn" });
    rig.directory.withdraw(web, identityNamed("web"), "churn");
  }
  rig.tell();
  left.goOn();
  assert.is(await refusal(left), Status.unavailable);
  assert.is(rig.watches.counts.left_behind, 1);
});

test("a connection, and an identity, have so many streams", async () => {
  const rig = new DirectoryRig();
  const max = STREAMS_MAX;
  const readings = Array.from({ length: max }, () => watch(rig, "web"));
  await eventually(() => rig.watches.open.endpoints === max);
  assert.is(await refusal(watch(rig, "web")), Status.resourceExhausted);
  const elsewhere = watch(rig, "web", { address: "10.9.9.9:1001" });
  await eventually(() => said(elsewhere.messages) === "unknown");
  readings[0]?.stop();
  await eventually(() => rig.watches.open.endpoints === max);
  const again = watch(rig, "web");
  await eventually(() => said(again.messages) === "unknown");
  rig.leaving.begin();
  await eventually(() => rig.watches.open.endpoints === 0);
});

for (const [what, more, status] of [
  ["no instance", { instance: new Uint8Array(0) }, Status.invalidArgument],
  ["a long instance", { instance: new Uint8Array(17) }, Status.invalidArgument],
  ["port 0", { applicationPort: 0 }, Status.invalidArgument],
  ["a port beyond", { inboundPort: 65_536 }, Status.invalidArgument],
  ["a great weight", { weight: 4_000_000_000 }, Status.invalidArgument],
  ["an unknown protocol", { protocol: 99 as number as Protocol }, Status.invalidArgument],
  ["a name for an address", { address: "example.com" }, Status.invalidArgument],
  ["an address with zeros", { address: "010.0.0.1" }, Status.invalidArgument],
  ["loopback from elsewhere", { address: "127.0.0.1" }, Status.invalidArgument],
  ["a multicast address", { address: "239.1.1.1" }, Status.invalidArgument],
  ["no service", { service: "a..b" }, Status.invalidArgument],
  ["a name without end", { service: "a".repeat(100_000) }, Status.invalidArgument],
  ["another's service", { service: "shop" }, Status.permissionDenied],
  ["its name elsewhere", { service: "web.other" }, Status.permissionDenied],
] as const) {
  test(`an announcement of ${what} is refused`, async () => {
    const rig = new DirectoryRig();
    const reading = announcing(rig, more);
    assert.is(await refusal(reading), status);
    assert.ok(reading.end instanceof RpcError && reading.end.message.length < 400);
    assert.is(rig.directory.endpointCount, 0);
    assert.is(rig.watches.open.lease, 0);
  });
}

test("the stream is the lease, and withdrawing ends it well", async () => {
  const rig = new DirectoryRig();
  const reading = announcing(rig, {});
  await eventually(() => reading.messages.length === 1);
  assert.equal(rig.list(), ["10.9.9.9"]);
  const again = announcing(rig, { weight: 7 });
  assert.is(await refusal(reading), Status.aborted);
  await eventually(() => again.messages.length === 1);
  assert.is(rig.directory.leavingCount, 0);
  const request = toBinary(WithdrawRequestSchema, create(WithdrawRequestSchema, { instance }));
  assert.is(await statusOf(() => withdraw(rig.mesh, request, callBy("shop"))), Status.ok);
  assert.equal(rig.list(), ["10.9.9.9"]);
  await withdraw(rig.mesh, request, callBy("web"));
  assert.equal(rig.list(), []);
  await eventually(() => again.end === "ended");
  const third = announcing(rig, {});
  await eventually(() => third.messages.length === 1);
  third.stop();
  await eventually(() => rig.directory.leavingCount === 1);
});

test("a workload is told who may reach its ports, and of new policy, but not of others", async () => {
  const rig = new DirectoryRig();
  const ask = (workload: string, port: number, by = "web") =>
    read(rig, watchPort, PortSpecSchema, { workload, port }, ServerSchema, { by });
  const web = ask("default:web", 8080);
  const json = ask('{"ns":"default","pod":"web","more":1}', 8080);
  await eventually(() => web.messages.length === 1 && json.messages.length === 1);
  const [first] = web.messages;
  assert.is(first?.protocol?.kind.case, "detect");
  assert.is(first?.authorizations[0]?.authentication?.permit.case, "unauthenticated");
  assert.is(first?.authorizations[0]?.networks.length, 2);
  rig.apply("services: { other: {} }");
  rig.apply('services: { web: { allow: [shop, "*.ops", meshed], networks: [10.0.0.0/8] } }');
  await eventually(() => web.messages.length === 2);
  const permits = web.messages[1]?.authorizations.map(({ authentication }) => {
    const permit = authentication?.permit;
    const clients = permit?.case === "meshTls" ? permit.value.clients : null;
    return clients?.case === "identities" ? clients.value : null;
  });
  assert.equal(
    permits?.map((each) => each?.suffixes.map(({ parts }) => parts)),
    [[[]], [["ops", "serviceaccount", "identity", "outrigger", "cluster", "local"]]],
  );
  assert.is(permits?.[1]?.identities[0]?.name, identityNamed("shop"));
  assert.is(web.messages[1]?.authorizations[0]?.networks[0]?.net?.prefixLen, 8);
  rig.apply("services: { web: { opaque: true, allow: [] } }");
  await eventually(() => web.messages.length === 3);
  assert.is(web.messages[2]?.protocol?.kind.case, "opaque");
  assert.equal(web.messages[2]?.authorizations, []);
  assert.is(await refusal(ask("default:shop", 80)), Status.permissionDenied);
  assert.is(await refusal(ask("other:web", 80)), Status.permissionDenied);
  for (const text of ["", "web", "a:b:c", "{", '{"ns":"default"}', '{"ns":1,"pod":2}', "null"]) {
    assert.is(await refusal(ask(text, 80)), Status.invalidArgument, text);
  }
  assert.is(await refusal(ask("default:web", 0)), Status.invalidArgument);
  assert.is(await refusal(ask("default:web", 65_536)), Status.invalidArgument);
});

test("a service's routes are told with all that a proxy needs of them, and anew", async () => {
  const rig = new DirectoryRig();
  const ask = (authority: string) =>
    read(
      rig,
      watchOutbound,
      TrafficSpecSchema,
      { target: { case: "authority", value: authority } },
      OutboundPolicySchema,
    );
  assert.is(await refusal(ask("web:80")), Status.notFound);
  assert.is(await refusal(ask("10.0.0.1:80")), Status.invalidArgument);
  rig.announce(endpoint(1));
  const web = ask("web:8080");
  await eventually(() => web.messages.length === 1);
  const kind = web.messages[0]?.protocol?.kind;
  assert.ok(kind?.case === "detect");
  assert.is(kind.value.timeout?.seconds, 10n);
  const rule = kind.value.http1?.routes[0]?.rules[0];
  assert.equal(kind.value.http2?.routes, kind.value.http1?.routes);
  assert.is(rule?.timeouts, undefined);
  assert.is(rule?.retry, undefined);
  assert.is(rule?.backends?.kind.case, "firstAvailable");
  const backend =
    rule?.backends?.kind.case === "firstAvailable" ? rule.backends.kind.value.backends[0] : null;
  assert.is(backend?.backend?.queue?.capacity, 100);
  const balancer = backend?.backend?.kind;
  const discovery = balancer?.case === "balancer" ? balancer.value.discovery?.kind : null;
  assert.is(
    discovery?.case === "dst" ? discovery.value.path : "",
    "web.default.svc.cluster.local:8080",
  );
  rig.apply(`
services:
  web:
    timeout: 2500ms
    retries: { limit: 2, on: [503], backoff: 25ms..250ms, try-timeout: 500ms }
    split: { web: 90, web-v2: 10 }
`);
  await eventually(() => web.messages.length === 2);
  const split = web.messages[1]?.protocol?.kind;
  assert.ok(split?.case === "detect");
  const rules = split.value.http1?.routes[0]?.rules ?? [];
  assert.is(rules.length, 2);
  assert.is(rules[0]?.matches.length, 6);
  assert.is(rules[0]?.retry?.maxRetries, 2);
  assert.is(rules[0]?.retry?.timeout?.nanos, 500_000_000);
  assert.equal(
    rules[0]?.retry?.conditions?.statusRanges.map(({ start, end }) => [start, end]),
    [[503, 503]],
  );
  assert.is(rules[1]?.retry, undefined);
  assert.is(rules[1]?.timeouts?.request?.seconds, 2n);
  assert.is(rules[1]?.timeouts?.request?.nanos, 500_000_000);
  const weights =
    rules[1]?.backends?.kind.case === "randomAvailable"
      ? rules[1].backends.kind.value.backends
      : [];
  assert.equal(
    weights.map(({ weight }) => weight),
    [90, 10],
  );
  rig.apply("services: { web: { opaque: true } }");
  await eventually(() => web.messages.length === 3);
  assert.is(web.messages[2]?.protocol?.kind.case, "opaque");
});

test("a profile tells of a service, or of who is at an address", async () => {
  const rig = new DirectoryRig();
  const ask = (path: string) =>
    read(rig, getProfile, GetDestinationSchema, { path }, DestinationProfileSchema);
  const [web, at] = [ask("web:80"), ask("10.0.0.1:8080")];
  await eventually(() => web.messages.length === 1 && at.messages.length === 1);
  assert.is(web.messages[0]?.fullyQualifiedName, "");
  assert.is(at.messages[0]?.endpoint, undefined);
  rig.announce(endpoint(1));
  rig.announce(endpoint(2));
  rig.tell();
  await eventually(() => web.messages.length === 2 && at.messages.length === 2);
  assert.is(web.messages[1]?.fullyQualifiedName, "web.default.svc.cluster.local");
  const name = at.messages[1]?.endpoint?.tlsIdentity?.serverName?.name;
  assert.is(name, identityNamed("web"));
  // Whoever claims the same address for a service of his own is not believed while the first is there.
  const thief = { identity: identityNamed("thief"), inboundPort: 6666 };
  rig.announce(endpoint(1, thief), { service: named("thief") });
  rig.tell();
  const late = ask("10.0.0.1:8080");
  await eventually(() => late.messages.length === 1);
  assert.is(late.messages[0]?.endpoint?.tlsIdentity?.serverName?.name, identityNamed("web"));
  assert.is(at.messages.length, 2);
  rig.apply("services: { web: { opaque: true, split: { web-v2: 1 } } }");
  await eventually(() => web.messages.length === 3 && at.messages.length === 3);
  assert.is(web.messages[2]?.opaqueProtocol, true);
  assert.is(web.messages[2]?.dstOverrides[0]?.authority, "web-v2.default.svc.cluster.local:80");
  assert.is(at.messages[2]?.endpoint?.protocolHint?.protocol.case, "opaque");
  assert.is(await refusal(ask("10.0.0.1")), Status.invalidArgument);
});

test.run();
