/**
 * Policy of ports and requests: each is judged by the newest snapshot, on connections that live on. Who
 * comes before the policy of its port does waits for it, and no longer than it may.
 */
import { connect, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { parseIdentityPattern } from "../../src/mesh/identity.ts";
import type { Authorization } from "../../src/mesh/policy.ts";
import { credentialsOf, identityOf } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import { Http2Peer, http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import { CALLER, clientOf, makeMesh, namesOf, OK, SNI, WEB } from "../support/mtls-rig.ts";
import { ANYONE, fromLoopback, MESHED, only, PolicyRig } from "../support/policy-rig.ts";
import { fixedOrigin } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/policy-requests");
test.timeout(20_000);
const mesh = await makeMesh();
const OTHER = identityOf("other", "staging");
const other = clientOf(await mesh.issuer.issue(namesOf(OTHER)));
const credentials = credentialsOf(mesh.anchor, mesh.web, WEB);
const origin = await fixedOrigin(OK);
const rig = await PolicyRig.start({ appPort: origin.port, speaks: "http1", credentials });
test.after(() => origin.close());

const GET = "GET /canary HTTP/1.1\r\nHost: web\r\n\r\n";

/** A connection of HTTP/1 that stays: each request is answered before the next. */
class Kept {
  readonly socket: Socket;
  text = "";
  isOver = false;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isOver = true;
    });
  }

  send(): void {
    this.text = "";
    this.socket.write(GET);
  }

  async answered(withinMs = 2_000): Promise<number> {
    await eventually(() => this.text.includes("\r\n\r\n"), { withinMs, what: "an answer" });
    return Number(this.text.slice(9, 12));
  }

  ask(): Promise<number> {
    this.send();
    return this.answered();
  }
}

async function shaken(port: number, party: typeof other): Promise<TlsPeer> {
  return await (await TlsPeer.connect(port, party, SNI)).shaken();
}

function call(more: readonly Field[] = []): Field[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "web"],
    [":path", "/a.B/C"],
    ...more,
  ];
}

const GRPC = call([
  ["content-type", "application/grpc"],
  ["te", "trailers"],
]);

test("HTTP/1: the next request of a live connection is judged by the new policy", async () => {
  const client = new Kept(rig.port);
  assert.is(await client.ask(), 200);
  const before = rig.count("denied_policy");
  await rig.publish(rig.policy());
  assert.is(await client.ask(), 403);
  assert.match(client.text, /proxy-status: outrigger; error=http_request_denied/i);
  assert.is(await client.ask(), 403);
  await rig.counts("denied_policy", before + 2);
  await rig.publish(rig.policy(ANYONE));
  assert.is(await client.ask(), 200);
  assert.is(client.isOver, false);
  assert.is(rig.count("policy_cut"), 0);
  client.socket.destroy();
  await rig.assertQuiet();
});

test("HTTP/2 and gRPC: streams in flight are let finish, the next ones are refused", async () => {
  const held: OriginRequest[] = [];
  const slow = await http2Origin((request) => held.push(request));
  const far = await PolicyRig.start({ appPort: slow.port, speaks: "http2" });
  const peer = await Http2Peer.connect(far.port);
  const long = peer.request(call(), "abc", "open");
  await eventually(() => held.length === 1);
  held[0]?.head(200);
  await far.publish(far.policy(MESHED));
  const refused = await peer.ask(call(), "x");
  assert.is(refused.status, 403);
  const denied = await peer.ask(GRPC, "\0\0\0\0\0");
  assert.is(denied.status, 200);
  assert.is(denied.value("grpc-status"), "7");
  assert.is(denied.blocks.length, 1);
  await far.counts("denied_policy", 2);
  assert.is(held.length, 1);
  // Both ways: what the client goes on with arrives, and so does the answer.
  peer.link.body(long, "def", "end");
  held[0]?.whenEnded(() => held[0]?.link.body(held[0].stream.id, "done", "end"));
  const done = await peer.over(long);
  assert.is(done.status, 200);
  assert.is(done.outcome, "200 ended");
  await far.publish(far.policy(ANYONE));
  const again = peer.request(GRPC, "\0\0\0\0\0");
  await eventually(() => held.length === 2);
  held[1]?.respond(200, [["grpc-status", "0"]]);
  assert.is((await peer.over(again)).value("grpc-status"), "0");
  peer.close();
  await far.assertQuiet();
  await slow.close();
});

test("identities and networks: who is let in, over TLS and without", async () => {
  const everywhere = [fromLoopback({ kind: "anyone" })];
  const elsewhere = [fromLoopback({ kind: "anyone" }, false)];
  const suffix = `.default.${CALLER.dns.split(".").slice(2).join(".")}`;
  const inDefault = { kind: "named", identities: [], suffixes: [suffix] } as const;
  const table: [Authorization[], plain: number, caller: number, other: number][] = [
    [everywhere, 200, 200, 200],
    [elsewhere, 403, 403, 403],
    [[MESHED], 403, 200, 200],
    [[only(CALLER.dns)], 403, 200, 403],
    [[only(OTHER.uri)], 403, 403, 200],
    [[fromLoopback(inDefault)], 403, 200, 403],
    [[fromLoopback(inDefault, false)], 403, 403, 403],
    [[only(OTHER.dns), ...elsewhere, fromLoopback(inDefault)], 403, 200, 200],
    [[], 403, 403, 403],
  ];
  const plain = new Kept(rig.port);
  const peers = await Promise.all([mesh.client, other].map((party) => shaken(rig.port, party)));
  for (const [authorizations, ...expected] of table) {
    await rig.publish(rig.policy(...authorizations));
    const got = [await plain.ask()];
    for (const peer of peers) {
      peer.text = "";
      peer.write(GET);
      await peer.receives("\r\n\r\n");
      got.push(Number(peer.text.slice(9, 12)));
    }
    assert.equal(got, expected, JSON.stringify(authorizations));
  }
  for (const peer of peers) peer.close();
  plain.socket.destroy();
  await rig.assertQuiet();
});

test("flags and policy must both allow, and each refusal has its own counter", async () => {
  const defaults = { namespace: "default", trustDomain: "cluster.local" };
  const pattern = parseIdentityPattern("caller", defaults);
  assert.ok(pattern !== null);
  const flags = { requiresIdentity: false, allowFrom: [pattern] };
  const strict = await PolicyRig.start({ appPort: origin.port, credentials, flags });
  const ask = async (party: typeof other): Promise<string> => {
    const peer = await shaken(strict.port, party);
    peer.write(GET);
    const text = await peer.receives("\r\n\r\n");
    peer.close();
    return text.slice(9, 12);
  };
  assert.is(await ask(mesh.client), "200");
  assert.is(await ask(other), "403");
  await strict.counts("denied_identity", 1);
  await strict.publish(strict.policy(only(OTHER.dns)));
  assert.is(await ask(mesh.client), "403");
  await strict.counts("denied_policy", 1);
  assert.is(await ask(other), "403");
  await strict.counts("denied_identity", 2);
  // Whom the flags refuse is not asked about.
  await strict.publish();
  const plain = new Kept(strict.port);
  assert.is(await plain.ask(), 403);
  assert.is(await ask(other), "403");
  await strict.counts("denied_no_identity", 1);
  assert.equal(strict.asked, []);
  plain.socket.destroy();
  await strict.assertQuiet();
});

test("before the policy of a port is known requests wait; it is asked for once per snapshot", async () => {
  const known = new Kept(rig.port);
  await rig.publish(rig.policy(ANYONE));
  assert.is(await known.ask(), 200);
  await rig.publish();
  rig.asked.length = 0;
  const fresh = new Kept(rig.port);
  const tls = await shaken(rig.port, mesh.client);
  const http2 = await Http2Peer.connect(rig.port);
  known.send();
  fresh.send();
  tls.write(GET);
  const stream = http2.get("/canary");
  await eventually(() => rig.asked.length === 1);
  // Not the one that it lacks.
  await rig.publish({ ...rig.policy(ANYONE), port: 1 });
  await eventually(() => rig.asked.length === 2);
  assert.equal(rig.asked, [rig.appPort, rig.appPort]);
  assert.equal([known.text, fresh.text, tls.text], ["", "", ""]);
  await rig.publish(rig.policy(ANYONE));
  assert.equal([await known.answered(), await fresh.answered()], [200, 200]);
  await tls.receives("200 OK");
  assert.is((await http2.over(stream)).status, 200);
  await rig.publish();
  fresh.send();
  await eventually(() => rig.asked.length === 3);
  await rig.publish(rig.policy());
  assert.is(await fresh.answered(), 403);
  for (const client of [known, fresh]) client.socket.destroy();
  tls.close();
  http2.close();
  await rig.assertQuiet();
});

test("who has waited in vain is told so, and served on the same connection when it is known", async () => {
  const known = new Kept(rig.port);
  await rig.publish(rig.policy(ANYONE));
  assert.is(await known.ask(), 200);
  await rig.publish();
  const before = rig.count("denied_policy_unknown");
  const startMs = performance.now();
  known.send();
  const fresh = new Kept(rig.port);
  fresh.send();
  const http2 = await Http2Peer.connect(rig.port);
  const stream = http2.request(GRPC, "\0\0\0\0\0");
  // Snapshots of something else give nobody more time.
  for (const ms of [1_000, 2_000]) {
    await eventually(() => performance.now() - startMs > ms, { withinMs: 5_000 });
    await rig.publish();
  }
  assert.is(await known.answered(2_500), 503);
  assert.is(await fresh.answered(1_000), 503);
  const call = await http2.over(stream, 1_000);
  assert.is(call.value("grpc-status"), "14");
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs > 2_900, `${tookMs} ms`);
  await rig.counts("denied_policy_unknown", before + 3);
  // A connection of HTTP/2 goes on.
  await rig.publish(rig.policy(ANYONE));
  assert.is((await http2.over(http2.get("/canary"))).status, 200);
  known.socket.destroy();
  fresh.socket.destroy();
  http2.close();
  await rig.assertQuiet();
});

test("without a control plane ports have no policies", async () => {
  const free = await PolicyRig.start({ appPort: origin.port, inbound: null });
  const client = new Kept(free.port);
  assert.is(await client.ask(), 200);
  await free.publish(free.policy());
  assert.is(await client.ask(), 403);
  client.socket.destroy();
  assert.equal(free.asked, []);
  await free.assertQuiet();
});

test.run();
