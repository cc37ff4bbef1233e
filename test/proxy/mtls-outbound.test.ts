// timeout: 120s
/**
 * No way back to plaintext: a request for an endpoint that must be `web` is refused when who answers
 * is another workload or a stranger, speaks another TLS or none at all, lies or is silent; and not
 * one byte of it is ever on the wire, however it came to us.
 */
import * as assert from "uvu/assert";
import { eventually, patient } from "../support/eventually.ts";
import {
  type FalseServer,
  serverOf,
  startImpostors,
  startMockeries,
} from "../support/false-servers.ts";
import type { Field } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { count, makeMesh, stopAll } from "../support/mtls-rig.ts";
import { type Program, startProgram } from "../support/program.ts";
import { send } from "../support/raw.ts";
import { suite } from "../support/test.ts";
import { startTlsServer } from "../support/tls-peer.ts";

const test = suite("proxy/mtls-outbound");
test.timeout(20_000);

const mesh = await makeMesh();
const servers = [...(await startImpostors(mesh)), ...(await startMockeries(mesh))];
const good = await startTlsServer(serverOf(mesh.web));
const other = named("another-workload");
const program: Program = await startProgram([
  "--workers=1",
  "--name=caller",
  `--identity-dir=${mesh.callerDir}`,
  ...servers.map(({ name, port }) => `--upstream=${name}=sidecar:web@127.0.0.1:${port}`),
  // With the transport header, which would be the first plaintext to get out.
  `--upstream=headed=sidecar:web:8080@127.0.0.1:${other.port}`,
  "--forward=127.0.0.1:0=another-workload:80",
]);
test.after(async () => {
  await stopAll(program);
  await Promise.all([...servers, good].map((server) => server.close()));
});

function named(name: string): FalseServer {
  const found = servers.find((server) => server.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** What must be nowhere but inside TLS, and there only for `web`. */
const SECRET = "xyzzy-of-the-request";

function assertNothingLeft(): void {
  for (const server of servers) server.assertNothingCame();
}

for (const { name, status, errorType } of servers) {
  test(`HTTP/1 to ${name}: ${status}, and nothing is sent`, async () => {
    const startMs = performance.now();
    for (const [head, body] of [
      [`GET /${SECRET} HTTP/1.1\r\nHost: ${name}\r\n`, ""],
      [`POST / HTTP/1.1\r\nHost: ${name}\r\nContent-Length: ${SECRET.length}\r\n`, SECRET],
    ]) {
      const request = `${head}Connection: close\r\n\r\n${body}`;
      const { text } = await send(program.port("outbound"), request);
      assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
      assert.match(text, /\r\nproxy-status: outrigger; error=/i);
      if (errorType !== null) assert.match(text, new RegExp(`error=${errorType};`));
    }
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < patient(2 * 1_000 + 1_500), `took ${tookMs} ms`);
    assertNothingLeft();
  });
}

for (const name of ["another-workload", "tls12", "plain-http", "silent"]) {
  test(`HTTP/2, gRPC, Upgrade and CONNECT to ${name}: refused, and nothing is sent`, async () => {
    const port = program.port("outbound");
    const peer = await Http2Peer.connect(port);
    const fields: readonly Field[] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":authority", name],
      [":path", `/${SECRET}`],
    ];
    const plain = await peer.ask(fields, SECRET);
    assert.match(String(plain.status), /^50[24]$/);
    const call = await peer.ask(
      [...fields, ["content-type", "application/grpc"], ["te", "trailers"]],
      SECRET,
    );
    assert.is(call.status, 200);
    // UNAVAILABLE.
    assert.match(call.value("grpc-status") ?? "", /^14?$|^4$/);
    peer.close();
    const upgrade = `GET /${SECRET} HTTP/1.1\r\nHost: ${name}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    const upgraded = await send(port, upgrade, { until: (text) => text.includes("\r\n\r\n") });
    assert.match(upgraded.text, /^HTTP\/1.1 50[234] /);
    const connect = `CONNECT ${name}:80 HTTP/1.1\r\nHost: ${name}:80\r\n\r\n${SECRET}`;
    const tunnel = await send(port, connect, { until: (text) => text.includes("\r\n\r\n") });
    assert.match(tunnel.text, /^HTTP\/1.1 50[234] /);
    assertNothingLeft();
  });
}

test("raw TCP to another workload is closed, and nothing is sent", async () => {
  const reply = await send(program.port("forward"), SECRET);
  assert.is(reply.text, "");
  assert.ok(reply.end === "fin" || reply.end === "reset", reply.end);
  assertNothingLeft();
});

test("the transport header is not shown to another workload either", async () => {
  const request = `GET /${SECRET} HTTP/1.1\r\nHost: headed\r\nConnection: close\r\n\r\n`;
  const { text } = await send(program.port("outbound"), request);
  assert.match(text, /^HTTP\/1.1 502 /);
  assertNothingLeft();
});

test("an endpoint that is a stranger is passed over for one that is who it should be", async () => {
  const mixed = await startProgram([
    "--workers=1",
    "--name=caller",
    `--identity-dir=${mesh.callerDir}`,
    `--upstream=mixed=sidecar:web@127.0.0.1:${other.port},sidecar:web@127.0.0.1:${good.port}`,
  ]);
  for (let i = 0; i < 10; i++) {
    const request = `GET /${SECRET} HTTP/1.1\r\nHost: mixed\r\n\r\n`;
    void send(mixed.port("outbound"), request, { withinMs: 1_000 });
  }
  await eventually(() => good.text().startsWith("PRI * HTTP/2.0"), { withinMs: 5_000 });
  assertNothingLeft();
  await stopAll(mixed);
});

for (const [name, counter] of [
  ["another-workload", "tls_client_untrusted"],
  ["tls12", "tls_client_failed"],
] as const) {
  test(`${counter} counts each dial that was refused, once`, async () => {
    const server = named(name);
    const request = `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
    const before = [await count(program, counter), server.connections()] as const;
    await send(program.port("outbound"), request);
    const dials = server.connections() - before[1];
    assert.ok(dials >= 1);
    assert.is((await count(program, counter)) - before[0], dials);
  });
}

test.run();
