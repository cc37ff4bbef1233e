// timeout: 60s
import { connect } from "node:net";
import * as assert from "uvu/assert";
import { Arena } from "../../src/net/arena.ts";
import { libc } from "../../src/net/libc.ts";
import { listen } from "../../src/net/listener.ts";
import { eventually, lapse } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { fixedOrigin, send } from "../support/raw.ts";
import { ask, type Origin, originOf, PAIRS } from "../support/routed-peers.ts";
import { type RoutedRig, retry, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/routes-timeouts");
const LIMIT_MS = 80;
/** On a loaded machine a timer is late, but never so late. */
const LATE_MS = 2_000;

let rig: RoutedRig;
const origins: Origin[] = [];

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

async function originWith(...parts: Parameters<typeof originOf>): Promise<Origin> {
  const origin = await originOf(...parts);
  origins.push(origin);
  return origin;
}

function isInTime(tookMs: number): void {
  assert.ok(tookMs >= LIMIT_MS - 1 && tookMs < LIMIT_MS + LATE_MS, `${tookMs} ms`);
}

for (const [client, speaks] of PAIRS) {
  const title = `${client} to ${speaks}`;

  test(`${title}: without a response in time the client is told 504, and the backend is left`, async () => {
    const origin = await originWith(speaks, () => "silence");
    for (const limit of [{ requestTimeoutMs: LIMIT_MS }, { responseTimeoutMs: LIMIT_MS }]) {
      await rig.publish([{ name: "web", at: [origin], routes: [route(limit)] }]);
      const before = rig.count("route_timeout");
      const gone = origin.givenUp();
      const told = await ask(client, rig.port, "web", { method: "POST", body: "content" });
      assert.is(told.status, 504);
      assert.is(told.error, "request timed out");
      isInTime(told.tookMs);
      assert.is(rig.count("route_timeout") - before, 1);
      await eventually(() => origin.givenUp() === gone + 1);
      await rig.idle();
    }
    assert.is(origin.requests.length, 2);
  });

  test(`${title}: a response that is not over in time is cut`, async () => {
    const origin = await originWith(speaks, () => "half");
    await rig.publish([
      { name: "web", at: [origin], routes: [route({ requestTimeoutMs: LIMIT_MS })] },
    ]);
    const before = rig.count("route_timeout");
    const told = await ask(client, rig.port, "web");
    assert.is(told.status, 200);
    assert.not(told.isWhole);
    isInTime(told.tookMs);
    assert.is(rig.count("route_timeout") - before, 1);
    await eventually(() => origin.givenUp() === 1);
    await rig.idle();
  });

  test(`${title}: what is answered in time is not touched, however long the connection lives`, async () => {
    const origin = await originWith(speaks, () => 200);
    await rig.publish([
      { name: "web", at: [origin], routes: [route({ requestTimeoutMs: LIMIT_MS })] },
    ]);
    const before = rig.count("route_timeout");
    if (client === "http2") {
      const peer = await Http2Peer.connect(rig.port);
      assert.is((await peer.over(peer.get("/"))).outcome, "200 ended");
      await lapse(LIMIT_MS + 100);
      assert.is((await peer.over(peer.get("/"))).outcome, "200 ended");
      peer.close();
    } else {
      const get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
      let text = "";
      const socket = connect({ port: rig.port, host: "127.0.0.1" });
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      socket.write(get);
      await lapse(LIMIT_MS + 80);
      socket.write(get);
      await eventually(() => text.split("HTTP/1.1 200").length === 3);
      socket.destroy();
    }
    assert.is(rig.count("route_timeout"), before);
  });
}

test("the request's own time counts for the request timeout and not for the response's", async () => {
  const origin = await originWith("http1", () => 200);
  for (const [limit, status] of [
    [{ requestTimeoutMs: LIMIT_MS }, 504],
    [{ responseTimeoutMs: LIMIT_MS }, 200],
  ] as const) {
    await rig.publish([{ name: "web", at: [origin], routes: [route(limit)] }]);
    let text = "";
    const socket = connect({ port: rig.port, host: "127.0.0.1" });
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.write("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nab");
    await lapse(LIMIT_MS + 100);
    socket.write("cd");
    await eventually(() => text.startsWith("HTTP/1.1"));
    socket.destroy();
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
  }
  await rig.idle();
});

test("gRPC is told DEADLINE_EXCEEDED, before its response begins and in its midst", async () => {
  const fields: Field[] = [["content-type", "application/grpc"]];
  for (const answer of ["silence", "half"] as const) {
    const origin = await originWith("http2", () => answer);
    await rig.publish([
      { name: "web", at: [origin], routes: [route({ requestTimeoutMs: LIMIT_MS })] },
    ]);
    const told = await ask("http2", rig.port, "web", { method: "POST", body: "x", fields });
    assert.is(told.status, 200);
    assert.is(told.grpcStatus, "4", answer);
    await eventually(() => origin.givenUp() === 1);
  }
});

test("an endpoint that does not accept is given up with the request", async () => {
  const full = listen(new Arena(1), { ip: Uint8Array.of(127, 0, 0, 1), port: 0 }, 0);
  if ("error" in full) throw new Error(full.error);
  const { fd, port } = full;
  // Beyond its backlog a listener that accepts nothing lets SYNs go unanswered.
  const fillers = Array.from({ length: 4 }, () => connect({ port, host: "127.0.0.1" }));
  for (const filler of fillers) filler.on("error", () => {});
  await lapse(100);
  for (const [client, speaks] of PAIRS) {
    const routes = [route({ requestTimeoutMs: LIMIT_MS })];
    await rig.publish([{ name: "web", at: [{ port, speaks }], routes }]);
    const told = await ask(client, rig.port, "web");
    assert.is(told.status, 504);
    assert.is(told.error, "request timed out");
    isInTime(told.tookMs);
    await rig.idle();
  }
  for (const filler of fillers) filler.destroy();
  libc.close(fd);
});

test("the timeout also ends a pause between two tries", async () => {
  const origin = await originWith("http1", () => 503);
  const slow = retry(3, { backoffMinMs: 5_000, backoffMaxMs: 10_000 });
  await rig.publish([
    { name: "web", at: [origin], routes: [route({ requestTimeoutMs: LIMIT_MS, retry: slow })] },
  ]);
  for (const [client] of PAIRS) {
    const told = await ask(client, rig.port, "web");
    assert.is(told.status, 504);
    isInTime(told.tookMs);
  }
  assert.is(origin.requests.length, PAIRS.length);
  assert.is(rig.pending(), 0);
});

test("a tunnel has no limit of time once it is there", async () => {
  const switching = await fixedOrigin(
    "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello",
  );
  const limits = { requestTimeoutMs: LIMIT_MS, responseTimeoutMs: LIMIT_MS };
  const web = { name: "web", at: [{ port: switching.port }], routes: [route(limits)] };
  await rig.publish([web]);
  const upgrade = "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";
  const connected = `CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n${upgrade}`;
  for (const bytes of [upgrade, connected]) {
    const { text, end } = await send(rig.port, bytes, { withinMs: LIMIT_MS + 150 });
    assert.match(text, /hello$/);
    assert.is(end, "timeout", "it is open");
  }
  await rig.idle();
  await switching.close();
});

test.run();
