// timeout: 120s
/**
 * What two applications say to each other through two sidecars with mutual TLS: every kind of traffic
 * arrives as without TLS, the wire between them carries TLS 1.3 and nothing else, and the application
 * is told who calls, by us alone.
 */
import * as assert from "uvu/assert";
import { startClient, startServer } from "../grpc/peers.ts";
import { eventually } from "../support/eventually.ts";
import { requestFields } from "../support/http2-fields.ts";
import { Http2Peer, http2Origin } from "../support/http2-peer.ts";
import { type MtlsPair, startMtlsPair } from "../support/mtls-pair.ts";
import { CALLER, clientIdsOf, headsOf, makeMesh, OK } from "../support/mtls-rig.ts";
import { fixedOrigin, type RawOrigin, rawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { assertTls13 } from "../support/tls-recorder.ts";
import { findTool, runTool } from "../support/tool.ts";

const test = suite("proxy/mtls-traffic");
test.timeout(60_000);
const mesh = await makeMesh();
const SECRET = "xyzzy-of-the-request";
const OURS = `l5d-client-id: ${CALLER.dns}`;

const WAYS = [
  ["without a transport header", false],
  ["with one", true],
] as const;

async function through(
  origin: RawOrigin,
  hasHeader: boolean,
  work: (pair: MtlsPair) => Promise<void>,
): Promise<void> {
  const pair = await startMtlsPair(origin.port, { mesh, hasHeader });
  try {
    await work(pair);
    for (const recording of pair.recorder.connections) assertTls13(recording);
    assert.not.ok(pair.recorder.everything().includes(SECRET));
  } finally {
    await pair.stop();
    await origin.close();
  }
}

function tool(name: string): string {
  const found = findTool(name);
  assert.ok(found !== null, `${name} is missing`);
  return found ?? "";
}

/** Forged names of the client, however they are written; none of them may arrive. */
const FORGED: readonly (readonly [what: string, head: string, body: string])[] = [
  ["once", "l5d-client-id: forged\r\n", ""],
  ["in another case", "L5D-Client-ID: forged\r\n", ""],
  ["twice", "l5d-client-id: forged\r\nL5d-Client-Id: forged\r\n", ""],
  ["with our own words", `${OURS}\r\n`, ""],
  ["as hop-by-hop", "Connection: l5d-client-id\r\nl5d-client-id: forged\r\n", ""],
  [
    "in trailers",
    "Transfer-Encoding: chunked\r\nTrailer: l5d-client-id\r\n",
    "2\r\nhi\r\n0\r\nl5d-client-id: forged\r\n\r\n",
  ],
];

async function forgeNames(origin: RawOrigin, port: number): Promise<void> {
  for (const [what, fields, body] of FORGED) {
    const before = origin.received.join("").length;
    const head = `POST /${SECRET} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n${fields}`;
    const length = body === "" ? "Content-Length: 0\r\n" : "";
    const reply = await send(port, `${head}${length}\r\n${body}`);
    assert.match(reply.text, /^HTTP\/1\.1 200 /, what);
    const came = origin.received.join("").slice(before);
    assert.equal(clientIdsOf(came), [OURS], what);
    assert.not.match(came, /forged/, what);
  }
}

for (const [way, hasHeader] of WAYS) {
  test(`curl over HTTP/1 ${way}: TLS 1.3 only, and the application is told who calls, truly`, async () => {
    const origin = await fixedOrigin(OK);
    await through(origin, hasHeader, async ({ port, recorder }) => {
      const url = `http://127.0.0.1:${port}/${SECRET}`;
      const reply = await runTool(tool("curl"), ["-sS", "-m", "10", "-H", "Host: web", url]);
      assert.equal(reply, { status: 0, output: "ok" });
      const [head = ""] = headsOf(origin);
      assert.match(head, new RegExp(`^GET /${SECRET} HTTP/1.1\r\n`));
      assert.equal(clientIdsOf(head), [OURS]);
      assert.is(recorder.connections.length, 1);
      await forgeNames(origin, port);
    });
  });

  test(`curl over HTTP/2 ${way}: the same`, async () => {
    const origin = await http2Origin();
    const pair = await startMtlsPair(origin.port, { mesh, hasHeader });
    const url = `http://127.0.0.1:${pair.port}/${SECRET}`;
    const flags = ["-sS", "-m", "10", "--http2-prior-knowledge", "-H", "Host: web"];
    const reply = await runTool(tool("curl"), [...flags, "-H", "L5d-Client-Id: forged", url]);
    assert.equal(reply, { status: 0, output: "ok" });
    const { lines = [] } = origin.requests[0] ?? {};
    assert.equal(clientIdsOf(lines.join("\r\n")), [OURS]);
    for (const recording of pair.recorder.connections) assertTls13(recording);
    assert.not.ok(pair.recorder.everything().includes(SECRET));
    await pair.stop();
    await origin.close();
  });
}

test("forged names of the client do not arrive over HTTP/2, in trailers neither", async () => {
  const origin = await http2Origin();
  const pair = await startMtlsPair(origin.port, { mesh });
  const peer = await Http2Peer.connect(pair.port);
  const forged = ["l5d-client-id", "forged"] as const;
  const head = requestFields("/", [forged, forged], "POST");
  const stream = await peer.ask(head, "body", [forged, ["x-sum", "1"]]);
  assert.is(stream.status, 200);
  const request = origin.requests[0];
  assert.equal(clientIdsOf((request?.lines ?? []).join("\r\n")), [OURS]);
  const trailers = request?.stream.trailers ?? [];
  assert.equal(
    trailers.map(({ name }) => name),
    ["x-sum"],
  );
  peer.close();
  await pair.stop();
  await origin.close();
});

test("gRPC passes: unary and streamed calls, errors, cancellation", async () => {
  const server = await startServer();
  const pair = await startMtlsPair(server.port, { mesh, speaks: "h2:" });
  const client = startClient(pair.port, "web", ...GRPC_CASES);
  for (const name of GRPC_CASES) {
    const facts = await client.find(`case ${name}`, (fact) => fact["case"] === name);
    assert.is(facts["threw"], undefined, `case ${name}: ${facts["threw"]}`);
  }
  await client.exited;
  for (const recording of pair.recorder.connections) assertTls13(recording);
  server.child.kill("SIGKILL");
  await server.exited;
  await pair.stop();
});

const GRPC_CASES = [
  "unary",
  "large",
  "metadata",
  "clientStream",
  "serverStream",
  "pingPong",
  "fail",
  "deadline",
  "cancel",
];

const UPGRADE = `GET /${SECRET} HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
const SWITCHING =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/** Any byte may follow a 101. */
const FRAMES = `\x81\x05hello\0\xff\r\n\r\nGET /${SECRET} HTTP/1.1\r\n\r\n`;

/** Upgrades what asks for it and echoes what follows, or all that is not HTTP. */
function echoOrigin(): Promise<RawOrigin> {
  const echoed = new Map<number, number>();
  return rawOrigin((socket, text, connection) => {
    const isChat = text.startsWith("GET /");
    const head = isChat ? text.indexOf("\r\n\r\n") + 4 : 0;
    if (isChat && head === 3) return;
    if (isChat && !echoed.has(connection)) socket.write(SWITCHING);
    const from = echoed.get(connection) ?? head;
    echoed.set(connection, text.length);
    if (text.length > from) socket.write(Buffer.from(text.slice(from), "latin1"));
  });
}

for (const [way, hasHeader] of WAYS) {
  test(`an Upgrade, a CONNECT and raw TCP pass ${way}, in both directions`, async () => {
    const origin = await echoOrigin();
    await through(origin, hasHeader, async ({ port, forward }) => {
      const upgraded = await send(port, UPGRADE + FRAMES, {
        until: (text) => text.endsWith(FRAMES),
      });
      assert.is(upgraded.end, "open", upgraded.text);
      assert.match(upgraded.text, /^HTTP\/1.1 101 /);
      assert.equal(clientIdsOf(origin.received.join("")), [OURS]);
      const connect = "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n";
      const raw = `\x01\x02${SECRET}`;
      const tunnel = await send(port, connect + raw, { until: (text) => text.endsWith(raw) });
      assert.is(tunnel.end, "open", tunnel.text);
      const tcp = await send(forward, raw, { until: (text) => text.endsWith(raw) });
      assert.equal(tcp, { text: raw, end: "open" });
    });
  });
}

test("half-close is kept in each direction, and an early response is not lost", async () => {
  const origin = await rawOrigin((socket, text) => {
    if (text === "\x01you first") socket.end("bye");
    if (!text.startsWith("POST ") || text.length > 70_000) return;
    socket.end(
      "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge",
    );
  });
  await through(origin, false, async ({ forward, port }) => {
    // The application ends first; the client's last words still arrive.
    const { connect } = await import("node:net");
    const socket = connect({ port: forward, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    const ended = new Promise<void>((resolve) => socket.on("end", resolve));
    socket.write("\x01you first");
    await ended;
    assert.is(text, "bye");
    socket.end(" and I last");
    await eventually(() => origin.received[0] === "\x01you first and I last");
    // The client ends first, and its end comes at any moment of the way's being opened.
    for (let i = 0; i < 40; i++) {
      const reply = await send(forward, "\x01me first", { halfClose: true });
      assert.equal(reply, { text: "", end: "fin" }, `connection ${i + 1}`);
      assert.is(origin.received.at(-1), "\x01me first");
    }
    const head = "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 100000000\r\n\r\n";
    const early = await send(port, head + "x".repeat(50_000), {
      until: (text) => text.endsWith("large"),
    });
    assert.match(early.text, /^HTTP\/1\.1 413 /);
  });
});

test("5,000 small requests over HTTP/1 and HTTP/2 all succeed on a handful of connections", async () => {
  const origin = await fixedOrigin(OK);
  const pair = await startMtlsPair(origin.port, { mesh, speaks: "h1:" });
  for (const flags of [["--h1"], ["-m", "10"]]) {
    const finished = await runTool(tool("h2load"), [
      ...flags,
      "-n",
      "5000",
      "-c",
      "8",
      `--connect-to=127.0.0.1:${pair.port}`,
      "http://web/",
    ]);
    assert.match(finished.output, /5000 succeeded, 0 failed, 0 errored, 0 timeout/);
    assert.match(finished.output, /status codes: 5000 2xx/);
  }
  assert.ok(pair.recorder.connections.length <= 8, String(pair.recorder.connections.length));
  for (const recording of pair.recorder.connections) assertTls13(recording);
  await pair.stop();
  await origin.close();
});

test.run();
