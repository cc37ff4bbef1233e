/**
 * Policy of ports and what is no request: bytes and upgrades are judged when they are joined with the
 * application and with each snapshot after that; a port that is opaque by policy gets them as they are.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import {
  encodeTransportHeader,
  TRANSPORT_HEADER_BYTES_MAX,
} from "../../src/codec/transport-header.ts";
import { credentialsOf, identityOf } from "../support/certificates.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { PREFACE, settings } from "../support/http2-frames.ts";
import { CALLER, clientOf, makeMesh, namesOf, SNI, WEB } from "../support/mtls-rig.ts";
import { ANYONE, MESHED, only, PolicyRig } from "../support/policy-rig.ts";
import { suite } from "../support/test.ts";
import { TlsPeer } from "../support/tls-peer.ts";

const test = suite("proxy/policy-bytes");
test.timeout(20_000);
const mesh = await makeMesh();
const OTHER = identityOf("other", "staging");
const other = clientOf(await mesh.issuer.issue(namesOf(OTHER)));
const credentials = credentialsOf(mesh.anchor, mesh.web, WEB);
/** A cut comes with the snapshot. The machine may be busy, the program waits for nothing. */
const CUT_WITHIN_MS = 900;

/** Says a greeting if it has one, answers an upgrade, echoes the rest, and keeps what came. */
class Echo {
  readonly received: string[] = [];
  readonly sockets: Socket[] = [];
  readonly #server: Server;
  port = 0;

  constructor(greeting = "") {
    this.#server = createServer((socket) => {
      const index = this.received.push("") - 1;
      this.sockets.push(socket);
      socket.on("error", () => {});
      if (greeting !== "") socket.write(greeting);
      socket.on("data", (chunk: Buffer) => {
        this.received[index] += chunk.toString("latin1");
        if (!/Upgrade: echo\r\n/i.test(chunk.toString("latin1"))) socket.write(chunk);
        else socket.write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Connections that the sidecar still has open. */
  get open(): number {
    return this.sockets.filter(({ closed, destroyed }) => !closed && !destroyed).length;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

class Plain {
  readonly socket: Socket;
  text = "";
  isOver = false;

  constructor(port: number, first = "") {
    this.socket = connect({ port, host: "127.0.0.1" });
    if (first !== "") this.socket.write(Buffer.from(first, "latin1"));
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isOver = true;
    });
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }

  async has(text: string): Promise<this> {
    await eventually(() => this.text.includes(text), { what: `${text} in ${this.text}` });
    return this;
  }

  async ends(withinMs = 2_000): Promise<void> {
    await eventually(() => this.isOver, { withinMs, what: "the end of a client's connection" });
  }
}

async function tlsClient(port: number, party = mesh.client, first = ""): Promise<TlsPeer> {
  const peer = await TlsPeer.connect(port, party, SNI);
  await peer.shaken();
  if (first !== "") peer.write(first);
  return peer;
}

const app = await new Echo().listen();
const rig = await PolicyRig.start({ appPort: app.port, credentials });
test.after(() => app.close());

const UPGRADE = "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

test("tunnels end with the policy that let them in, and with no other", async () => {
  await rig.publish(rig.policy(ANYONE));
  const plain = await new Plain(rig.port, "\x01plain\n").has("plain");
  const upgraded = await new Plain(rig.port, UPGRADE).has("101 ");
  upgraded.write("\x01ws");
  await upgraded.has("ws");
  const caller = await tlsClient(rig.port, mesh.client, "\x01caller\n");
  const stranger = await tlsClient(rig.port, other, "\x01other\n");
  await caller.receives("caller");
  await stranger.receives("other");
  const before = rig.count("policy_cut");
  await rig.publish(rig.policy(only(CALLER.uri), ANYONE));
  plain.write("still");
  await plain.has("still");
  assert.is(rig.count("policy_cut"), before);

  await rig.publish(rig.policy(only(CALLER.dns), only(OTHER.dns)));
  await Promise.all([plain.ends(CUT_WITHIN_MS), upgraded.ends(CUT_WITHIN_MS)]);
  await rig.counts("policy_cut", before + 2);
  caller.write("on");
  stranger.write("on");
  await caller.receives("on");
  await stranger.receives("on");

  await rig.publish(rig.policy(only(CALLER.dns)));
  assert.is.not(await stranger.ended(CUT_WITHIN_MS), "open");
  await rig.counts("policy_cut", before + 3);
  // The application's side is over too, and the one that may stay stays.
  await eventually(() => app.open === 1);
  caller.write("last");
  await caller.receives("last");
  const denied = rig.count("denied_policy");
  await new Plain(rig.port, "\x01plain\n").ends();
  await (await tlsClient(rig.port, other, "\x01other\n")).ended();
  await rig.counts("denied_policy", denied + 2);
  assert.is(app.sockets.length, 4);
  caller.close();
  await rig.assertQuiet();
});

test("an upgrade that a snapshot overtakes is not joined", async () => {
  const asked: Socket[] = [];
  let late = "";
  const slow = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      if (asked.push(socket) > 1) late += chunk.toString("latin1");
    });
  });
  await new Promise<void>((done) => slow.listen(0, "127.0.0.1", done));
  const far = await PolicyRig.start({ appPort: (slow.address() as AddressInfo).port });
  const client = new Plain(far.port, UPGRADE);
  await eventually(() => asked.length === 1);
  client.write("\x01too early");
  await far.publish(far.policy());
  asked[0]?.write("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  await client.ends();
  await far.counts("policy_cut", 1);
  assert.is(late, "");
  await far.assertQuiet();
  slow.close();
});

test("opaque by policy: what looks like HTTP arrives as it is, plain and over TLS", async () => {
  await rig.publish(rig.opaque(ANYONE));
  const pieces = [
    "get / HTTP/1.1\r\nl5d-client-id: mine\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: web\r\nL5d-Client-Id: mine\r\n\r\n",
    "GET /no host\r\n",
    `${Buffer.concat([PREFACE, settings()]).toString("latin1")}`,
    "\x01\x02\n",
  ];
  for (const piece of pieces) {
    const client = new Plain(rig.port, piece);
    await client.has(piece);
    assert.is(app.received.at(-1), piece);
    client.socket.destroy();
    const peer = await tlsClient(rig.port, mesh.client, piece);
    await peer.receives(piece);
    assert.is(app.received.at(-1), piece);
    peer.close();
  }
  // Also half of something that would be waited for, and what a header calls HTTP.
  const half = await tlsClient(rig.port, mesh.client, "GE");
  await half.receives("GE");
  half.close();
  const bytes = Buffer.alloc(TRANSPORT_HEADER_BYTES_MAX);
  const said = { port: app.port, name: "", protocol: "http1" } as const;
  const header = bytes.subarray(0, encodeTransportHeader(said, bytes, 0)).toString("latin1");
  const direct = await tlsClient(rig.port, mesh.direct, `${header}hello`);
  await direct.receives("hello");
  assert.is(app.received.at(-1), "hello");
  direct.close();
  // Who may not come in is closed, in no terms of HTTP.
  await rig.publish(rig.opaque(MESHED));
  const denied = new Plain(rig.port, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  await denied.ends();
  assert.is(denied.text, "");
  await rig.assertQuiet();
});

test("a port that is opaque by policy is so for an application of HTTP too", async () => {
  const http = await PolicyRig.start({
    appPort: app.port,
    speaks: "http1",
    inbound: [{ port: app.port, isOpaque: true, authorizations: [ANYONE] }],
  });
  const client = await new Plain(http.port, "\x01\x02\n").has("\x01\x02\n");
  client.socket.destroy();
  await http.publish(http.policy(ANYONE));
  await new Plain(http.port, "\x01\x02\n").ends();
  await http.counts("refused_not_http", 1);
  await http.assertQuiet();
});

test("before the policy is known nothing is read; then it says what the bytes are", async () => {
  await rig.publish();
  rig.asked.length = 0;
  const request = "GET /x HTTP/1.1\r\nHost: web\r\nX-A:  b\r\n\r\n";
  const before = app.sockets.length;
  const clients = [new Plain(rig.port, request), new Plain(rig.port, "\x01raw\n")];
  const peers = await Promise.all([
    tlsClient(rig.port, mesh.client, request),
    tlsClient(rig.port, mesh.client, "\x01tls\n"),
  ]);
  await eventually(() => rig.asked.length === 1);
  const silent = rig.count("detect_silent");
  const half = new Plain(rig.port);
  await rig.counts("detect_silent", silent + 1);
  // Half of something that would be waited for, were it not for the policy.
  half.write("GE");
  await lapse(150);
  assert.is(app.sockets.length, before);
  assert.equal(rig.asked, [app.port]);
  await rig.publish(rig.opaque(ANYONE));
  await Promise.all([clients[0]?.has(request), clients[1]?.has("\x01raw\n"), half.has("GE")]);
  await Promise.all([peers[0]?.receives(request), peers[1]?.receives("\x01tls\n")]);
  for (const client of [...clients, half]) client.socket.destroy();
  for (const peer of peers) peer.close();
  await rig.assertQuiet();
});

test("a silent client is judged when its policy comes or changes, and may prove itself meanwhile", async () => {
  const db = await new Echo("ready\n").listen();
  const far = await PolicyRig.start({ appPort: db.port, credentials, inbound: [] });
  // Not known: it waits, and is served when it is.
  const early = new Plain(far.port);
  await eventually(() => far.asked.length === 1);
  await far.publish(far.policy(ANYONE));
  await early.has("ready");
  // Not allowed without a proof: nothing is dialled until it is.
  await far.publish(far.policy(MESHED));
  await early.ends(CUT_WITHIN_MS);
  const plain = new Plain(far.port);
  const peer = await TlsPeer.open(far.port, mesh.client.engine(SNI));
  await lapse(200);
  assert.is(db.sockets.length, 1);
  peer.step();
  await peer.receives("ready");
  assert.is(db.sockets.length, 2);
  await far.publish(far.policy(ANYONE));
  await plain.has("ready");
  // Dialled, but the application has not been heard yet: it is called off.
  const held = new Plain(far.port);
  await eventually(() => db.sockets.length === 4);
  await far.publish(far.policy(MESHED));
  await plain.ends(CUT_WITHIN_MS);
  await eventually(() => db.open === 1);
  assert.is(held.text, "");
  held.write("\x01\n");
  await held.ends();
  await far.counts("denied_policy", 1);
  assert.is(held.text, "");
  peer.close();
  await far.assertQuiet();
  db.close();
});

test("a policy that goes missing is asked for, and its tunnels last as long as a client would wait", async () => {
  await rig.publish(rig.policy(ANYONE));
  const before = rig.count("policy_cut");
  const client = await new Plain(rig.port, "\x01\n").has("\x01\n");
  rig.asked.length = 0;
  await rig.publish();
  await eventually(() => rig.asked.length === 1);
  client.write("on");
  await client.has("on");
  await rig.publish(rig.policy(ANYONE));
  const startMs = performance.now();
  const unknown = rig.count("denied_policy_unknown");
  await rig.publish();
  const late = new Plain(rig.port, "\x01late\n");
  const silent = new Plain(rig.port);
  const peer = await tlsClient(rig.port, mesh.client, "\x01tls\n");
  await client.ends(6_000);
  assert.ok(performance.now() - startMs > 2_900);
  await Promise.all([late.ends(), silent.ends(), peer.ended()]);
  await rig.counts("denied_policy_unknown", unknown + 3);
  await rig.counts("policy_cut", before + 1);
  assert.equal([late.text, silent.text, peer.text], ["", "", ""]);
  await rig.assertQuiet();
});

test.run();
