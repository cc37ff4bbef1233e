import http from "node:http";
import type { AddressInfo } from "node:net";
import * as assert from "uvu/assert";
import { startCrowd } from "../../bench/load/crowd.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/crowd");

const BODY = "x".repeat(64); // as the bench's origin answers

interface Seen {
  readonly port: number;
  readonly server: http.Server;
  /** Of the bodies of all requests. */
  bytes: number;
  connections: number;
  requests: number;
}

/** Answers a request that has come whole, by its number in the order of arrival. */
async function serve(statusOf: (request: number) => number): Promise<Seen> {
  const server = http.createServer((request, response) => {
    request.on("data", (chunk: Uint8Array) => {
      seen.bytes += chunk.length;
    });
    request.on("end", () => {
      seen.requests++;
      response.writeHead(statusOf(seen.requests), { "content-length": BODY.length });
      response.end(BODY);
    });
  });
  server.on("connection", () => {
    seen.connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const seen: Seen = { port, server, bytes: 0, connections: 0, requests: 0 };
  return seen;
}

test("each is opened, asked on the connection it has, and closed", async () => {
  const seen = await serve(() => 200);
  const crowd = startCrowd(seen.port, { connections: 40, openingAtOnce: 8, postBytes: 0 });
  try {
    assert.is(await crowd.open(), 0);
    const { failed, p50Ms, maxMs } = await crowd.ask(10);
    assert.is(failed, 0);
    assert.ok(p50Ms > 0 && maxMs >= p50Ms, `${p50Ms} ms, ${maxMs} ms`);
    assert.is(await crowd.close(), 0);
    assert.equal([seen.connections, seen.requests, seen.bytes], [40, 50, 0]);
  } finally {
    await crowd.stop();
    seen.server.close();
  }
});

test("all post at once, and who is refused has failed", async () => {
  const seen = await serve((request) => (request <= 3 ? 503 : 200));
  const crowd = startCrowd(seen.port, { connections: 20, openingAtOnce: 20, postBytes: 65_536 });
  try {
    assert.is(await crowd.open(), 3);
    assert.is(seen.bytes, 20 * 65_536);
    assert.is(await crowd.close(), 0);
  } finally {
    await crowd.stop();
    seen.server.close();
  }
});

test("what the other side has closed is told, and is not asked again", async () => {
  const seen = await serve(() => 200);
  const crowd = startCrowd(seen.port, { connections: 12, openingAtOnce: 4, postBytes: 0 });
  try {
    assert.is(await crowd.open(), 0);
    seen.server.closeAllConnections();
    seen.server.close();
    assert.is((await crowd.ask(6)).failed, 6);
    assert.is(await crowd.close(), 12);
  } finally {
    await crowd.stop();
  }
});

test.run();
