// timeout: 150s
// Endpoints that fail, go and come back, under real requests: who is ejected, who waits, who is told.
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { CONSECUTIVE_MAX } from "../../src/balancer/health.ts";
import { FAILFAST_MS } from "../../src/proxy/limits.ts";
import { eventually, lapse, patient } from "../support/eventually.ts";
import { type Field, requestFields } from "../support/http2-fields.ts";
import { Http2Peer, http2Origin } from "../support/http2-peer.ts";
import { send } from "../support/raw.ts";
import { type Answer, ask, originOf, PAIRS, VERSIONS } from "../support/routed-peers.ts";
import { type RoutedRig, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/breaker");
test.timeout(60_000);

/** Back within a second of an endpoint's return, and what a loaded machine adds to it. */
const BACK_MS = 1_500;

let rig: RoutedRig;
const origins: { close(): Promise<void> }[] = [];

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

/** A backend that goes and comes back at the same port. */
class Returning {
  port = 0;
  #server: Server | null = null;

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end("ok"));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  static async gone(): Promise<Returning> {
    const backend = new Returning();
    await backend.up();
    await backend.down();
    return backend;
  }
}

for (const [client, speaks] of PAIRS) {
  test(`${client} to ${speaks}: one that answers 503 gets a few requests, then none but trials`, async () => {
    let answer: Answer = 503;
    const bad = await originOf(speaks, () => answer);
    const good = await originOf(speaks, () => 200);
    origins.push(bad, good);
    const name = `503-${client}-${speaks}`;
    await rig.publish([{ name, at: [bad, good] }]);
    const [ejected, returned] = [rig.count("endpoint_ejected"), rig.count("endpoint_returned")];
    // Many at once, or what is known of it keeps requests from it anyway, but for a trial now and then;
    // a busy machine lets them come one by one.
    await eventually(
      async () => {
        await Promise.all(Array.from({ length: 40 }, () => ask(client, rig.port, name)));
        return rig.count("endpoint_ejected") > ejected;
      },
      { withinMs: 25_000, what: "it is ejected" },
    );
    const seen = bad.requests.length;
    assert.ok(seen >= CONSECUTIVE_MAX);
    for (let i = 0; i < 20; i++) assert.is((await ask(client, rig.port, name)).status, 200);
    assert.ok(bad.requests.length <= seen + 1, "one may be a trial");
    answer = 200;
    // A trial may have failed meanwhile, and the next one waits for twice as long.
    await eventually(
      async () => {
        assert.is((await ask(client, rig.port, name)).status, 200);
        return rig.count("endpoint_returned") > returned;
      },
      { withinMs: 10_000, what: "it is in use again" },
    );
  });
}

test("when all answer 500 some are left in use, and one alone is never ejected", async () => {
  const alike = [await originOf("http1", () => 500), await originOf("http1", () => 500)];
  origins.push(...alike);
  const before = rig.count("endpoint_ejected");
  await rig.publish([{ name: "alone", at: alike.slice(0, 1) }]);
  for (let i = 0; i < 30; i++) assert.is((await ask("http1", rig.port, "alone")).status, 500);
  assert.is(rig.count("endpoint_ejected"), before);
  await rig.publish([{ name: "alike", at: alike }]);
  for (let i = 0; i < 40; i++) assert.is((await ask("http1", rig.port, "alike")).status, 500);
  assert.is(rig.count("no_endpoints"), 0);
});

test("limits of time count against an endpoint when they are the policy's, and not when a request asks for them", async () => {
  const silent = await originOf("http1", () => "silence");
  const good = await originOf("http1", () => 200);
  origins.push(silent, good);
  const routes = (requestTimeoutMs: number) => [route({ allowsFields: true, requestTimeoutMs })];
  const timeOut = async (fields: Field[]): Promise<void> => {
    for (let timeouts = 0; timeouts < CONSECUTIVE_MAX; ) {
      const told = await Promise.all(
        Array.from({ length: 40 }, () => ask("http1", rig.port, "limits", { fields })),
      );
      timeouts += told.filter(({ status }) => status === 504).length;
    }
  };
  const before = rig.count("endpoint_ejected");
  await rig.publish([{ name: "limits", at: [silent, good], routes: routes(0) }]);
  await timeOut([["l5d-timeout", "300ms"]]);
  assert.is(rig.count("endpoint_ejected"), before);
  await rig.publish([{ name: "limits", at: [silent, good], routes: routes(300) }]);
  await timeOut([]);
  assert.is(rig.count("endpoint_ejected"), before + 1);
});

test("a client that sends slowly, or not at all, tells nothing of the endpoint", async () => {
  const pair = [await originOf("http1", () => 200), await originOf("http1", () => 200)];
  origins.push(...pair);
  const name = "uploads";
  await rig.publish([{ name, at: pair, routes: [route({ requestTimeoutMs: 500 })] }]);
  const timeouts = rig.count("route_timeout");
  const head = `POST / HTTP/1.1\r\nHost: ${name}\r\nContent-Length: 2\r\n\r\n`;
  const stalled = Array.from({ length: 2 * CONSECUTIVE_MAX }, () => connect(rig.port, "127.0.0.1"));
  for (const socket of stalled) socket.write(`${head}x`);
  const slow = connect(rig.port, "127.0.0.1");
  slow.write(`${head}x`);
  await lapse(300);
  slow.end("y");
  let told = "";
  for await (const chunk of slow) told += chunk;
  assert.match(told, /^HTTP\/1.1 200 /);
  const costUs = Math.max(...pair.map(({ port }) => rig.costUs(port)));
  assert.ok(costUs > 0 && costUs < 200_000, `${costUs} µs`);
  await eventually(() => rig.count("route_timeout") === timeouts + stalled.length);
  assert.equal(
    pair.map(({ port }) => rig.failing(port)),
    [0, 0],
  );
  for (const socket of stalled) socket.destroy();
});

test("a gRPC service that says UNAVAILABLE, in its trailers or alone, is ejected", async () => {
  const grpc = (code: string, isAlone: boolean) =>
    http2Origin((request) => {
      request.whenEnded(() => {
        const type: Field = ["content-type", "application/grpc"];
        const status: Field = ["grpc-status", code];
        if (isAlone) return request.respond(200, [type, status], "");
        request.respond(200, [type], "told", "open");
        request.link.headers(request.stream.id, [status], "end");
      });
    });
  for (const isAlone of [true, false]) {
    const bad = await grpc("14", isAlone);
    const good = await grpc("0", false);
    origins.push(bad, good);
    const name = `grpc-${isAlone}`;
    await rig.publish([
      {
        name,
        at: [
          { port: bad.port, speaks: "http2" },
          { port: good.port, speaks: "http2" },
        ],
      },
    ]);
    const ejected = rig.count("endpoint_ejected");
    const call = (): Promise<unknown> =>
      ask("http2", rig.port, name, {
        method: "POST",
        fields: [["content-type", "application/grpc"]],
      });
    await eventually(
      async () => {
        await Promise.all(Array.from({ length: 40 }, call));
        return rig.count("endpoint_ejected") > ejected;
      },
      { withinMs: 25_000, what: `it is ejected, ${isAlone}` },
    );
  }
});

test("requests that find nobody wait, and all are served when somebody is there", async () => {
  const backend = await Returning.gone();
  await rig.publish([{ name: "waits", at: [backend] }]);
  const waited = rig.count("queue_waited");
  const answers = Array.from({ length: 10 }, (_, i) =>
    ask(VERSIONS[i % 2] ?? "http1", rig.port, "waits", { method: "POST", body: "once" }),
  );
  await eventually(() => rig.count("queue_waited") >= waited + 10, { what: "they wait" });
  await backend.up();
  const upMs = performance.now();
  for (const told of await Promise.all(answers)) assert.is(told.status, 200);
  assert.ok(performance.now() - upMs < patient(BACK_MS), `${performance.now() - upMs} ms`);
  await backend.down();
});

test("one that took no connection for a moment is back by what it answers on one that it kept", async () => {
  const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const held: Socket[] = [];
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      if (data.toString().includes("/held")) held.push(socket);
      else socket.write(ok);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await rig.publish([{ name: "kept", at: [server.address() as AddressInfo] }]);
  const first = ask("http1", rig.port, "kept", { path: "/held" });
  await eventually(() => held.length === 1);
  server.close();
  const waited = rig.count("queue_waited");
  const second = ask("http1", rig.port, "kept");
  await eventually(() => rig.count("queue_waited") > waited, { what: "it is refused, and waits" });
  held[0]?.write(ok);
  for (const told of [first, second]) assert.is((await told).status, 200);
  const asked = { withinMs: 2 * FAILFAST_MS };
  const before = rig.count("queue_waited");
  for (let i = 0; i < 20; i++) assert.is((await ask("http1", rig.port, "kept", asked)).status, 200);
  assert.is(rig.count("queue_waited"), before, "nobody waits for one that answers");
  for (const socket of held) socket.destroy();
});

test("who waits for long is told, then everybody is at once, until somebody is there again", async () => {
  const backend = await Returning.gone();
  const name = "failfast";
  const entered = rig.count("failfast_entered");
  await rig.publish([{ name, at: [backend] }]);
  const first = await ask("http1", rig.port, name);
  assert.is(first.status, 504);
  assert.is(first.error, "service in fail-fast");
  assert.ok(first.tookMs >= FAILFAST_MS - 100 && first.tookMs < FAILFAST_MS + 2_000);
  // That may be a moment after the first was told.
  await eventually(() => rig.count("failfast_entered") > entered);
  // One of them may be sent to see whether it is back, and is told what came of that.
  const at = await Promise.all(
    VERSIONS.flatMap((each) => [1, 2, 3].map(() => ask(each, rig.port, name))),
  );
  for (const { status, tookMs } of at) {
    assert.ok(status === 503 || status === 502, String(status));
    assert.ok(tookMs < patient(1_500), `${tookMs} ms`);
  }
  assert.ok(at.some(({ error }) => error === "service unavailable"));
  assert.ok(rig.count("failfast_entered") > 0 && rig.count("failfast_refused") > 0);
  const grpc = await ask("http2", rig.port, name, {
    method: "POST",
    fields: [["content-type", "application/grpc"]],
  });
  assert.is(grpc.status, 200);
  assert.is(grpc.grpcStatus, "14");
  await backend.up();
  const upMs = performance.now();
  await eventually(async () => (await ask("http1", rig.port, name)).status === 200);
  assert.ok(performance.now() - upMs < patient(BACK_MS), `${performance.now() - upMs} ms`);
  for (let i = 0; i < 5; i++) assert.is((await ask("http2", rig.port, name)).status, 200);
  await backend.down();
});

test("an opaque connection waits as well", async () => {
  const backend = await Returning.gone();
  await rig.publish([{ name: "forwarded", at: [backend] }]);
  const get = "GET / HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n";
  const waited = rig.count("queue_waited");
  const reply = send(rig.forwardPort, get, { until: (text) => text.endsWith("ok") });
  await eventually(() => rig.count("queue_waited") > waited);
  await backend.up();
  assert.match((await reply).text, /^HTTP\/1.1 200/);
  await backend.down();
});

test("a client that goes away waits no more, and nothing is left of it", async () => {
  const backend = await Returning.gone();
  await rig.publish([{ name: "web", at: [backend] }]);
  const waited = rig.count("queue_waited");
  const peer = await Http2Peer.connect(rig.port);
  peer.request(requestFields("/"));
  await eventually(() => rig.count("queue_waited") > waited);
  peer.close();
  const leftMs = performance.now();
  await rig.idle();
  assert.ok(performance.now() - leftMs < FAILFAST_MS - 1_000, "it is not kept until it is told");
  await backend.up();
  await eventually(async () => (await ask("http1", rig.port, "web")).status === 200);
  await backend.down();
});

test.run();
