// timeout: 60s
import * as assert from "uvu/assert";
import type { RouteMatch } from "../../src/mesh/policy.ts";
import { eventually } from "../support/eventually.ts";
import { rawOrigin, send } from "../support/raw.ts";
import { ask, type Origin, originOf, PAIRS, VERSIONS } from "../support/routed-peers.ts";
import { type RoutedRig, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/routes");

let rig: RoutedRig;
const origins: Origin[] = [];

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

async function ok(speaks: "http1" | "http2" = "http1"): Promise<Origin> {
  const origin = await originOf(speaks, () => 200);
  origins.push(origin);
  return origin;
}

function prefix(path: string, method: string | null = null): RouteMatch {
  return { path: { kind: "prefix", path }, method };
}

test("the first route that matches counts, and its backends answer", async () => {
  const [own, api, reads] = [await ok(), await ok(), await ok()];
  const routes = [
    route({ matches: [prefix("/api")], backends: [{ service: "api", weight: 1 }] }),
    route({ matches: [prefix("/", "GET")], backends: [{ service: "reads", weight: 1 }] }),
    route(),
  ];
  await rig.publish([
    { name: "web", at: [own], routes },
    { name: "api", at: [api] },
    { name: "reads", at: [reads] },
  ]);
  for (const version of VERSIONS) {
    for (const path of ["/api", "/api/x?y", "/apis", "/api?q"]) {
      assert.is((await ask(version, rig.port, "web", { path })).status, 200);
    }
    assert.is((await ask(version, rig.port, "web", { method: "POST", path: "/apis" })).status, 200);
    assert.is((await ask(version, rig.port, "web", { method: "POST", path: "/api" })).status, 200);
  }
  const each = ["GET /api ", "GET /api/x?y ", "GET /api?q ", "POST /api "];
  assert.equal(api.requests, [...each, ...each]);
  assert.equal(reads.requests, ["GET /apis ", "GET /apis "]);
  assert.equal(own.requests, ["POST /apis ", "POST /apis "]);
  await rig.idle();
  assert.is(rig.recorded("api", 200), 8, "the labels are the backend's");
  assert.is(rig.recorded("web", 200), 2);
});

test("a request that no route matches is told 404, and gRPC NOT_FOUND", async () => {
  const origin = await ok();
  const exact: RouteMatch = { path: { kind: "exact", path: "/only" }, method: "POST" };
  await rig.publish([{ name: "strict", at: [origin], routes: [route({ matches: [exact] })] }]);
  const before = rig.count("refused_no_route");
  for (const version of VERSIONS) {
    const told = await ask(version, rig.port, "strict", { path: "/only" });
    assert.is(told.status, 404);
    assert.is(told.error, "no route matches");
    const posted = await ask(version, rig.port, "strict", { method: "POST", path: "/only" });
    assert.is(posted.status, 200);
    const other = { method: "POST", path: "/only/more", body: "content" };
    assert.is((await ask(version, rig.port, "strict", other)).status, 404);
  }
  const fields = [["content-type", "application/grpc"]] as const;
  const called = { method: "POST", path: "/pkg.Service/Call", fields };
  const told = await ask("http2", rig.port, "strict", called);
  assert.is(told.grpcStatus, "5");
  await rig.idle();
  assert.is(rig.count("refused_no_route") - before, 5);
  assert.is(rig.recorded("strict", 404), 5);
  assert.is(origin.requests.length, 2);
});

test("an HTTP/1 connection goes on after a 404", async () => {
  const origin = await ok();
  await rig.publish([{ name: "web", at: [origin], routes: [route({ matches: [prefix("/a")] })] }]);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`;
  const { text } = await send(rig.port, get("/b") + get("/a") + get("/c") + get("/a/b"), {
    until: (text) => text.split("HTTP/1.1").length === 5 && text.endsWith("200"),
  });
  const statuses = [...text.matchAll(/HTTP\/1\.1 ([0-9]+)/g)].map(([, status]) => status);
  assert.equal(statuses, ["404", "200", "404", "200"]);
});

test("requests are split by weight, and a weight of 0 gets none", async () => {
  const [most, few, none] = [await ok(), await ok("http2"), await ok()];
  const split = route({
    backends: [
      { service: "none", weight: 0 },
      { service: "most", weight: 80 },
      { service: "few", weight: 20 },
    ],
  });
  await rig.publish([
    { name: "web", at: [none], routes: [split] },
    { name: "most", at: [most] },
    { name: "few", at: [few] },
    { name: "none", at: [none] },
  ]);
  const count = 500;
  const get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
  const { text } = await send(rig.port, get.repeat(count), {
    until: (text) => text.split("HTTP/1.1 200").length === count + 1,
  });
  assert.is(text.split("HTTP/1.1 200").length, count + 1);
  // Five standard deviations, which are 8.9 each.
  assert.ok(Math.abs(few.requests.length - 100) <= 45, `${few.requests.length} of ${count}`);
  assert.is(most.requests.length, count - few.requests.length);
  assert.is(none.requests.length, 0);
});

test("the share of a backend that is not there, or has no endpoint, fails", async () => {
  const origin = await ok();
  for (const [client] of PAIRS) {
    for (const service of ["missing", "empty"]) {
      const backends = [
        { service, weight: 1 },
        { service: "good", weight: 0 },
      ];
      await rig.publish([
        { name: "web", at: [origin], routes: [route({ backends })] },
        { name: "good", at: [origin] },
        { name: "empty", at: [] },
      ]);
      const told = await ask(client, rig.port, "web");
      assert.is(told.status, 503);
      assert.is(told.error, "no endpoints available");
    }
    const backends = [{ service: "good", weight: 0 }];
    await rig.publish([
      { name: "web", at: [origin], routes: [route({ backends })] },
      { name: "good", at: [origin] },
    ]);
    assert.is((await ask(client, rig.port, "web")).status, 503, "no backend has a weight");
  }
  assert.is(origin.requests.length, 0);
  await rig.idle();
  assert.is(rig.recorded("empty", 503), PAIRS.length);
});

test("routes change with the snapshot, on connections that are open", async () => {
  const [one, two] = [await ok(), await ok()];
  const to = (service: string) => [route({ backends: [{ service, weight: 1 }] })];
  const publish = (service: string) =>
    rig.publish([
      { name: "web", at: [], routes: to(service) },
      { name: "one", at: [one] },
      { name: "two", at: [two] },
    ]);
  await publish("one");
  const get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
  let isMoved = false;
  const { connect } = await import("node:net");
  const socket = connect({ port: rig.port, host: "127.0.0.1" });
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (isMoved) return;
    isMoved = true;
    void publish("two").then(() => socket.write(get));
  });
  socket.write(get);
  await eventually(() => text.split("HTTP/1.1 200").length === 3);
  socket.destroy();
  assert.is(one.requests.length, 1);
  assert.is(two.requests.length, 1);
});

test("connections that are carried as they are go by the routes that ask for no path", async () => {
  const hello = await rawOrigin((socket, text) => {
    if (text.endsWith("\n")) socket.end(`split ${text}`);
  });
  const own = await rawOrigin((socket) => socket.end("own"));
  const routes = [
    route({ matches: [prefix("/")], backends: [{ service: "missing", weight: 1 }] }),
    route({ matches: [{ path: null, method: null }], backends: [{ service: "v2", weight: 1 }] }),
  ];
  const services = (chosen: typeof routes) => [
    { name: "forwarded", at: [own], routes: chosen },
    { name: "v2", at: [hello] },
  ];
  await rig.publish(services(routes));
  assert.is((await send(rig.forwardPort, "\x00\x01hi\n")).text, "split \x00\x01hi\n");
  const tunnel = "CONNECT forwarded:80 HTTP/1.1\r\nHost: forwarded:80\r\n\r\nhi\n";
  assert.match((await send(rig.port, tunnel)).text, /^HTTP\/1\.1 200 OK\r\n\r\nsplit hi\n$/);
  await rig.publish(services(routes.slice(0, 1)));
  assert.is((await send(rig.forwardPort, "\x00\x01hi\n")).text, "own");
  const [first] = routes;
  await rig.publish(services(first === undefined ? [] : [{ ...first, matches: [] }]));
  assert.is((await send(rig.forwardPort, "\x00\x01hi\n")).text, "", "no such backend");
  assert.match((await send(rig.port, tunnel)).text, /^HTTP\/1\.1 503 /);
  await rig.idle();
  await hello.close();
  await own.close();
});

test.run();
