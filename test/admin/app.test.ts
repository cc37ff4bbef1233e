import * as assert from "uvu/assert";
import { answers, desk } from "../support/admin.ts";
import { settled } from "../support/later.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/app");

test("it lives, and says whether it is ready", async () => {
  const admin = desk();
  await answers(await admin.ask("/live"), 200, "live\n");
  for (const path of ["/ready", "/healthz/ready"]) {
    admin.ready = true;
    await answers(await admin.ask(path), 200, "ready\n");
    admin.ready = false;
    await answers(await admin.ask(path), 503, "not ready\n");
  }
  const verbose = "not ready\nreason: worker 1 starting\noutbound: 127.0.0.1:4140\n";
  await answers(await admin.ask("/ready?verbose"), 503, verbose);
});

test("probes and metrics are for everybody", async () => {
  const admin = desk();
  for (const path of ["/", "/live", "/ready", "/metrics"]) {
    const response = await admin.ask(path, { peer: "10.1.2.3", host: "pod.example:4191" });
    await answers(response, 200);
  }
});

test("metrics have the type that scrapers expect", async () => {
  const response = await desk().ask("/metrics");
  assert.is(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  await answers(response, 200, "up 1\n");
});

test("one build of the metrics at a time, shared by those who wait", async () => {
  let [builds, running, most] = [0, 0, 0];
  const admin = desk({
    metrics: async () => {
      builds += 1;
      running += 1;
      most = Math.max(most, running);
      await settled();
      running -= 1;
      return `build ${builds}\n`;
    },
  });
  const responses = await Promise.all(Array.from({ length: 1_000 }, () => admin.ask("/metrics")));
  for (const response of responses) await answers(response, 200, "build 1\n");
  await answers(await admin.ask("/metrics"), 200, "build 2\n");
  assert.equal([builds, most], [2, 1]);
});

test("a build that fails is tried again by the next", async () => {
  let isBroken = true;
  const admin = desk({
    metrics: () => {
      if (isBroken) throw new Error("broken");
      return "fine\n";
    },
  });
  await answers(await admin.ask("/metrics"), 500, "");
  isBroken = false;
  await answers(await admin.ask("/metrics"), 200, "fine\n");
});

test("an exception is an empty 500 and a line in the log", async () => {
  for (const thrown of [new Error("secret detail"), "secret detail"]) {
    const admin = desk({
      config: () => {
        throw thrown;
      },
    });
    await answers(await admin.ask("/config"), 500, "");
    assert.is(admin.events.length, 1);
    assert.match(admin.events[0] ?? "", /^error: the admin API failed: .*secret detail/);
  }
});

test("the log level is told and set", async () => {
  const admin = desk();
  for (const path of ["/log-level", "/proxy-log-level"]) {
    for (const body of ["debug", "warn\n", "error\r\n", "info"]) {
      await answers(await admin.ask(path, { method: "PUT", body }), 204, "");
      await answers(await admin.ask(path), 200, `${body.trim()}\n`);
    }
  }
});

test("a log level that is none, or a body that is large, is a 400", async () => {
  const admin = desk();
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
  });
  const bodies = [
    "",
    "trace",
    "DEBUG",
    "debug\ninfo",
    "debug\n\n",
    " debug",
    "warn,outrigger=debug",
    "(a+)+$",
    `debug${"\n".repeat(60)}`,
    "x".repeat(1_000_000),
    Uint8Array.of(0xff, 0xfe),
    endless,
  ];
  for (const body of bodies) {
    const response = await admin.ask("/log-level", { method: "PUT", body });
    await answers(response, 400, "expected one of: error, warn, info, debug\n");
  }
  const lying = { method: "PUT", body: "debug", headers: { "content-length": "1000000" } };
  await answers(await admin.ask("/log-level", lying), 400);
  assert.is(admin.level, "info");
});

test("HEAD is GET without its body", async () => {
  const admin = desk();
  for (const path of ["/", "/live", "/ready", "/metrics", "/endpoints", "/config", "/log-level"]) {
    const response = await admin.ask(path, { method: "HEAD" });
    const get = await admin.ask(path);
    assert.is(response.headers.get("content-type"), get.headers.get("content-type"));
    const { byteLength } = await get.arrayBuffer();
    assert.is(response.headers.get("content-length"), String(byteLength));
    await answers(response, 200, "");
  }
});

test("other methods are a 405 that says which there are", async () => {
  const admin = desk();
  const cases: [string, string, string][] = [
    ["/live", "POST", "GET, HEAD"],
    ["/metrics", "DELETE", "GET, HEAD"],
    ["/", "OPTIONS", "GET, HEAD"],
    ["/config", "PUT", "GET, HEAD"],
    ["/log-level", "POST", "GET, HEAD, PUT"],
    ["/shutdown", "GET", "POST"],
    ["/shutdown", "HEAD", "POST"],
    ["/quitquitquit", "PUT", "POST"],
    ["/live", "PATCH", "GET, HEAD"],
  ];
  for (const [path, method, allow] of cases) {
    const response = await admin.ask(path, { method });
    assert.is(response.headers.get("allow"), allow);
    await answers(response, 405, "");
  }
  assert.equal(admin.events, []);
});

test("a path that is not one of ours is an empty 404", async () => {
  const admin = desk();
  const paths = [
    "/x",
    "//metrics",
    "/metrics/",
    "/metrics%2f",
    "/metrics%00",
    "/METRICS",
    "/metrics;x",
    "/%2e%2e%2fconfig",
    "/env.json",
    "/__proto__",
    "/constructor",
    "/fault",
    "/%zz",
    "/*",
  ];
  for (const path of paths) {
    for (const method of ["GET", "POST", "HEAD"]) {
      await answers(await admin.ask(path, { method }), 404, "");
    }
  }
});

test("the page needs nothing from elsewhere and puts names in as text", async () => {
  const response = await desk().ask("/");
  const html = await response.text();
  const nonce = /nonce="([^"]+)"/.exec(html)?.[1] ?? "";
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.ok(
    policy.includes(`script-src 'nonce-${nonce}'`) && policy.includes("default-src 'none'"),
  );
  assert.not.match(
    html,
    /https?:|\bsrc=|@import|url\(|innerHTML|outerHTML|insertAdjacent|\son\w+=/,
  );
  assert.not.ok((await (await desk().ask("/")).text()).includes(nonce));
  // Its script at least is one.
  new Function(/<script[^>]*>([\s\S]*)<\/script>/.exec(html)?.[1] ?? "throw");
});

test("JSON is not to be taken for markup, and nothing is kept", async () => {
  const name = "<script>alert(1)</script>";
  const view = { services: [{ name, failure: null, requests: 0, endpoints: [] }] };
  const response = await desk({ endpoints: () => view }).ask("/endpoints");
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.is(response.headers.get("x-content-type-options"), "nosniff");
  assert.is(response.headers.get("cache-control"), "no-store");
  assert.equal(await response.json(), view);
});

test("faults can be staged where tests allow it", async () => {
  const staged: [number, string][] = [];
  const admin = desk({
    fault: (worker, kind) => {
      staged.push([worker, kind]);
      return worker < 2;
    },
  });
  const post = { method: "POST" };
  await answers(await admin.ask("/fault?worker=1&kind=throw", post), 204);
  await answers(await admin.ask("/fault?worker=2&kind=throw", post), 400);
  await answers(await admin.ask("/fault?worker=x&kind=throw", post), 400);
  await answers(await admin.ask("/fault?worker=1", { ...post, peer: "10.0.0.1" }), 403);
  assert.equal(staged, [
    [1, "throw"],
    [2, "throw"],
  ]);
});

test.run();
