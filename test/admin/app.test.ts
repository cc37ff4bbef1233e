import { createConnection } from "node:net";
import * as assert from "uvu/assert";
import { type AdminDeps, adminApp } from "../../src/admin/app.ts";
import type { EndpointsView } from "../../src/admin/endpoints-view.ts";
import type { LogLevel } from "../../src/lib/log.ts";
import { runtime } from "../../src/net/runtime.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/app");

const LOCAL_PATHS = ["/endpoints", "/config", "/log-level", "/proxy-log-level", "/shutdown"];
const LOCAL_METHOD: Readonly<Record<string, string>> = { "/shutdown": "POST" };
const FORBIDDEN = "Requests are only permitted from localhost.\n";

type Ask = {
  readonly method?: string;
  readonly host?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly peer?: string;
};

type Desk = {
  readonly ask: (path: string, options?: Ask) => Promise<Response>;
  readonly events: string[];
  ready: boolean;
  level: LogLevel;
};

const VIEW: EndpointsView = { services: [] };

function desk(changes: Partial<AdminDeps> = {}): Desk {
  const events: string[] = [];
  const app = adminApp({
    isReady: () => ({ ready: self.ready, reasons: self.ready ? [] : ["worker 1\nstarting"] }),
    metrics: () => "up 1\n",
    endpoints: () => VIEW,
    config: () => ({ workers: 2 }),
    logLevel: () => self.level,
    setLogLevel: (level) => {
      self.level = level;
    },
    shutdown: () => void events.push("shutdown"),
    boundPorts: () => [{ name: "outbound", address: "127.0.0.1:4140" }],
    log: {
      error: (message, fields) =>
        void events.push(`error: ${message}: ${String(fields?.["error"])}`),
      info: (message) => void events.push(message),
    },
    ...changes,
  });
  const ask = (path: string, options: Ask = {}): Promise<Response> => {
    const {
      method = "GET",
      host = "127.0.0.1:4191",
      headers = {},
      body,
      peer = "127.0.0.1",
    } = options;
    const all = new Headers(host === null ? headers : { host, ...headers });
    const url = `http://${host === null || host === "" ? "127.0.0.1:4191" : "127.0.0.1"}${path}`;
    const init = { method, headers: all, body: body ?? null, duplex: "half" };
    return app.fetch(new Request(url, init), peer);
  };
  const self: Desk = { ask, events, ready: true, level: "info" };
  return self;
}

async function answers(response: Response, status: number, body?: string): Promise<void> {
  assert.is(response.status, status);
  const text = await response.text();
  if (body !== undefined) assert.is(text, body);
}

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
      await new Promise((resolve) => setTimeout(resolve, 0));
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

test("what changes or tells something is for this host only", async () => {
  const admin = desk();
  const peers = [
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "::2",
    "fe80::1",
    "0.0.0.0",
    "",
    "localhost",
    "128.0.0.1",
  ];
  for (const path of LOCAL_PATHS) {
    for (const peer of peers) {
      for (const method of ["GET", "PUT", "POST", "DELETE"]) {
        await answers(await admin.ask(path, { method, peer }), 403, FORBIDDEN);
      }
    }
  }
  assert.equal(admin.events, []);
  for (const path of LOCAL_PATHS) {
    for (const peer of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
      const method = LOCAL_METHOD[path] ?? "GET";
      await answers(await admin.ask(path, { method, peer }), 200);
    }
  }
});

test("a foreign name is turned away though it points here", async () => {
  const admin = desk();
  const foreign = [
    "evil.example",
    "evil.example:4191",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost, evil.example",
    "localhost:1:2",
    "localhost:",
    "127.1",
    "0x7f000001",
    "[localhost]",
    "::1",
    "user@localhost",
    "localhost:99999",
    "[127.0.0.1]",
  ];
  for (const path of LOCAL_PATHS) {
    const method = LOCAL_METHOD[path] ?? "GET";
    for (const host of foreign) {
      await answers(await admin.ask(path, { method, host }), 403, FORBIDDEN);
    }
    for (const host of [
      "localhost",
      "LOCALHOST:4191",
      "127.0.0.1",
      "[::1]:4191",
      "10.0.0.7:4191",
      null,
    ]) {
      await answers(await admin.ask(path, { method, host }), 200);
    }
  }
  const rebound = adminApp({ ...depsOf(), config: () => "secret" });
  const request = new Request("http://evil.example/config", { headers: { host: "localhost" } });
  await answers(await rebound.fetch(request, "127.0.0.1"), 403, FORBIDDEN);
  await answers(
    await rebound.fetch(new Request("http://evil.example/config"), "::1"),
    403,
    FORBIDDEN,
  );
});

function depsOf(): AdminDeps {
  return {
    isReady: () => ({ ready: true, reasons: [] }),
    metrics: () => "",
    endpoints: () => VIEW,
    config: () => null,
    logLevel: () => "info",
    setLogLevel: () => {},
    shutdown: () => {},
    boundPorts: () => [],
    log: { error: () => {}, info: () => {} },
  };
}

test("a foreign page cannot change anything", async () => {
  const admin = desk();
  const foreign: Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "https://127.0.0.1:4191" },
    { origin: "http://127.0.0.1:8080" },
    { origin: "http://localhost:4191" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of foreign) {
    for (const [path, method] of [
      ["/shutdown", "POST"],
      ["/quitquitquit", "POST"],
      ["/log-level", "PUT"],
    ]) {
      const body = "debug";
      const ask = {
        method: method ?? "",
        headers: { ...headers, "content-type": "text/plain" },
        body,
      };
      await answers(await admin.ask(path ?? "", ask), 403, FORBIDDEN);
    }
  }
  assert.equal([admin.events, admin.level], [[], "info"]);
  const own = { origin: "http://127.0.0.1:4191", "sec-fetch-site": "same-origin" };
  await answers(await admin.ask("/log-level", { method: "PUT", headers: own, body: "debug" }), 204);
});

test("shutdown is asked for once, however many ask", async () => {
  const admin = desk();
  for (const path of ["/shutdown", "/shutdown", "/quitquitquit"]) {
    await answers(await admin.ask(path, { method: "POST" }), 200, "shutdown\n");
  }
  assert.is(admin.events.filter((event) => event === "shutdown").length, 1);
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

test("another spelling of a path is guarded like the path", async () => {
  const admin = desk();
  for (const path of [
    "/%63onfig",
    "/x/../config",
    "/./config",
    "/config?x=/live",
    "/config#/live",
  ]) {
    const response = await admin.ask(path, { peer: "10.0.0.1" });
    assert.ok(response.status === 403 || response.status === 404, `${path}: ${response.status}`);
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

/** Sends bytes as they are and returns the status line and the head that came back. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = createConnection(port, "127.0.0.1");
  let answer = "";
  const head = new Promise<string>((resolve, reject) => {
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
      if (answer.includes("\r\n\r\n")) resolve(answer.toLowerCase());
    });
    socket.on("error", reject).on("close", () => resolve(answer.toLowerCase()));
  });
  socket.write(bytes);
  return await head.finally(() => socket.destroy());
}

test("odd heads on the wire get an answer and no secret", async () => {
  const failures: string[] = [];
  const log = { error: (message: string) => void failures.push(message), info: () => {} };
  const app = adminApp({ ...depsOf(), log, config: () => "secret" });
  const server = await runtime.serveHttp({ host: "127.0.0.1", port: 0, fetch: app.fetch });
  try {
    const refused = [
      "GET /config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
      "GET http://localhost/config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET /x/../config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET //config HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: \r\n\r\n",
      "GET /config HTTP/1.1\r\nHost: a b@@[\r\n\r\n",
      "GET /config/../../config HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ];
    for (const bytes of refused) {
      assert.match(await raw(server.port, bytes), /^http\/1\.1 40[034] (?![\s\S]*secret)/, bytes);
    }
    const health = "GET /live HTTP/1.0\r\n\r\n";
    assert.match(await raw(server.port, health), /^http\/1\.[01] 200 /);
    const head = "HEAD /live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert.match(await raw(server.port, head), /content-length: 5\r\n/);
    assert.equal(failures, []);
  } finally {
    await server.close();
  }
});

test("it serves over a socket, with the peer that the kernel saw", async () => {
  const app = adminApp(depsOf());
  const server = await runtime.serveHttp({ host: "127.0.0.1", port: 0, fetch: app.fetch });
  try {
    const base = `http://127.0.0.1:${server.port}`;
    await answers(await fetch(`${base}/live`), 200, "live\n");
    await answers(await fetch(`${base}/log-level`), 200, "info\n");
    await answers(await fetch(`${base}/log-level`, { method: "PUT", body: "debug" }), 204);
    await answers(await fetch(`${base}/log-level`, { method: "PUT", body: "x".repeat(1e6) }), 400);
    await answers(await fetch(`${base}/nothing`), 404, "");
    await answers(await fetch(`${base}/live`, { method: "HEAD" }), 200, "");
  } finally {
    await server.close();
  }
});

test.run();
