import * as assert from "uvu/assert";
import { adminApp } from "../../src/admin/app.ts";
import { answers, depsOf, desk, FORBIDDEN } from "../support/admin.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/guard");

const LOCAL_PATHS = ["/endpoints", "/config", "/log-level", "/proxy-log-level", "/shutdown"];
const LOCAL_METHOD: Readonly<Record<string, string>> = { "/shutdown": "POST" };
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

test.run();
