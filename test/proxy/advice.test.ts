// When endpoints say when to come again, and when requests say how long they wait.
import * as assert from "uvu/assert";
import type { Route } from "../../src/mesh/policy.ts";
import { HELD_MAX_MS, THROTTLED_MAX_MS } from "../../src/proxy/limits.ts";
import { eventually, patient } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import { http2Origin, type OriginRequest } from "../support/http2-peer.ts";
import { later } from "../support/later.ts";
import { fixedOrigin } from "../support/raw.ts";
import { ask, originOf, VERSIONS } from "../support/routed-peers.ts";
import { type RoutedRig, retry, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/advice");

let rig: RoutedRig;
const origins: { close(): Promise<void> }[] = [];
let number = 0;

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

type At = { readonly port: number; readonly speaks?: "http1" | "http2" };

async function publish(at: readonly At[], parts: Partial<Route> | null = null): Promise<string> {
  const name = `advice-${++number}`;
  await rig.publish([{ name, at, routes: parts === null ? [] : [route(parts)] }]);
  return name;
}

/** An origin of HTTP/1 that says `lines` with each response. */
async function saying(status: number, lines: string): Promise<At> {
  const origin = await fixedOrigin(`HTTP/1.1 ${status} X\r\n${lines}Content-Length: 0\r\n\r\n`);
  origins.push(origin);
  return origin;
}

async function grpc(respond: (request: OriginRequest, before: number) => void) {
  let asked = 0;
  const origin = await http2Origin((request) => {
    request.whenEnded(() => respond(request, asked++));
  });
  origins.push(origin);
  return { port: origin.port, speaks: "http2" as const, asked: () => asked };
}

const GRPC: readonly Field[] = [["content-type", "application/grpc"]];
const trailersOnly =
  (status: number, ...more: Field[]) =>
  (request: OriginRequest): void =>
    request.respond(200, [...GRPC, ["grpc-status", `${status}`], ...more]);

test("Retry-After holds the endpoint, within a bound of ours", async () => {
  for (const [status, lines, min, max] of [
    [503, "Retry-After: 20\r\n", 15_000, 20_000],
    [503, "retry-after: 999999999\r\n", HELD_MAX_MS - 5_000, HELD_MAX_MS],
    [503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n", HELD_MAX_MS - 5_000, HELD_MAX_MS],
    [429, "Retry-After: 3600\r\n", THROTTLED_MAX_MS - 3_000, THROTTLED_MAX_MS],
    [503, "Retry-After: 0\r\n", 0, 0],
    [503, "Retry-After: -5\r\n", 0, 0],
    [503, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0, 0],
    [503, "Retry-After: soon\r\n", 0, 0],
    [503, "", 0, 0],
    [500, "Retry-After: 20\r\n", 0, 0],
    [200, "Retry-After: 20\r\n", 0, 0],
  ] as const) {
    const pair = [await saying(status, lines), await saying(status, lines)];
    const name = await publish(pair);
    assert.is((await ask("http1", rig.port, name, { method: "POST" })).status, status, lines);
    const heldMs = Math.max(...pair.map(({ port }) => rig.heldMs(port)));
    assert.ok(heldMs >= min && heldMs <= max, `${status} ${lines}: ${heldMs} ms`);
  }
});

test("one client that is told to come later does not have the others meet at one endpoint", async () => {
  const taken = [0, 0, 0, 0];
  const at = await Promise.all(
    taken.map(async (_, i) => {
      const origin = await originOf(
        "http1",
        (_before, path) => {
          if (path === "/greedy") return 429;
          taken[i] = (taken[i] ?? 0) + 1;
          return 200;
        },
        "Retry-After: 60\r\n",
      );
      origins.push(origin);
      return origin;
    }),
  );
  const name = await publish(at);
  const greedy = { method: "POST", path: "/greedy" };
  for (let i = 0; i < 40; i++) await ask("http1", rig.port, name, greedy);
  assert.is(at.filter(({ port }) => rig.heldMs(port) > 0).length, 2);
  // One that was slow a moment ago on a busy machine is forgiven within seconds.
  await eventually(
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => ask("http1", rig.port, name)));
      return taken.filter((count) => count >= 20).length === 2;
    },
    { withinMs: 15_000 },
  );
  assert.is(taken.filter((count) => count === 0).length, 2, taken.join(" "));
});

test("who is held is not asked while there are others", async () => {
  const [held, good] = [
    await saying(503, "Retry-After: 30\r\n"),
    await originOf("http1", () => 200),
  ];
  origins.push(good);
  const name = await publish([held, good], { retry: retry(1) });
  for (let i = 0; i < 20; i++) assert.is((await ask("http1", rig.port, name)).status, 200);
  assert.is(good.requests.length, 20);
});

test("a retry waits for its endpoint where there is no other, and not for ever", async () => {
  const policy = { retry: retry(1, { backoffMinMs: 1, backoffMaxMs: 2 }) };
  const soon = await publish([await saying(503, "Retry-After: 1\r\n")], policy);
  const before = rig.count("retried_status");
  const waited = await ask("http1", rig.port, soon);
  assert.is(waited.status, 503);
  assert.ok(waited.tookMs >= 999, `${waited.tookMs} ms`);
  assert.is(rig.count("retried_status") - before, 1);
  const late = await publish([await saying(503, "Retry-After: 4\r\n")], policy);
  const forbidden = rig.count("retry_forbidden");
  const told = await ask("http1", rig.port, late);
  assert.is(told.status, 503);
  assert.ok(told.tookMs < patient(900), `${told.tookMs} ms`);
  assert.is(rig.count("retry_forbidden") - forbidden, 1);
  assert.is(rig.count("retried_status") - before, 1);
});

test("gRPC: a call that failed with nothing but a head is tried again by what it amounts to", async () => {
  const asked = { method: "POST", path: "/s/m", body: "x", fields: GRPC };
  for (const [from, status, tries] of [
    [503, 14, 3],
    [500, 13, 3],
    [429, 8, 3],
    [504, 4, 3],
    [914, 14, 3],
    [901, 1, 3],
    [503, 7, 1],
    [503, 0, 1],
  ] as const) {
    const origin = await grpc(trailersOnly(status));
    const statuses = [{ from, to: from }];
    const name = await publish([origin], { retry: retry(2, { statuses }) });
    const told = await ask("http2", rig.port, name, asked);
    assert.is(told.grpcStatus, `${status}`);
    assert.is(origin.asked(), tries, `${from} and ${status}`);
  }
});

test("gRPC: the server says when, or never", async () => {
  const policy = { retry: retry(1, { backoffMinMs: 1, backoffMaxMs: 2 }) };
  const asked = { method: "POST", path: "/s/m", body: "x", fields: GRPC };
  const later = await grpc(trailersOnly(14, ["grpc-retry-pushback-ms", "300"]));
  const told = await ask("http2", rig.port, await publish([later], policy), asked);
  assert.is(told.grpcStatus, "14");
  assert.ok(told.tookMs >= 299, `${told.tookMs} ms`);
  assert.is(later.asked(), 2);
  for (const value of ["-1", "never", "99999999999999"]) {
    const never = await grpc(trailersOnly(14, ["grpc-retry-pushback-ms", value]));
    assert.is(
      (await ask("http2", rig.port, await publish([never], policy), asked)).grpcStatus,
      "14",
    );
    assert.is(never.asked(), 1, value);
    assert.is(rig.heldMs(never.port), 0);
  }
});

test("gRPC: the deadline of the call is the request's, where there is a route", async () => {
  const silent = await grpc(() => {});
  for (const parts of [{}, { requestTimeoutMs: 10_000 }]) {
    const name = await publish([silent], parts);
    const fields: Field[] = [...GRPC, ["grpc-timeout", "120m"]];
    const asked = { method: "POST", path: "/s/m", body: "x", fields };
    const told = await ask("http2", rig.port, name, asked);
    assert.is(told.grpcStatus, "4");
    assert.is(told.error, "request timed out");
    assert.ok(told.tookMs >= 119 && told.tookMs < patient(3_000), `${told.tookMs} ms`);
  }
});

test("what a request asks for counts where its route allows that, and nowhere else", async () => {
  const silent = await originOf("http2", () => "silence");
  const failing = await originOf("http2", (before) => (before < 2 ? 503 : 200));
  origins.push(silent, failing);
  for (const client of VERSIONS) {
    const allowed = await publish([silent], { allowsFields: true, requestTimeoutMs: 5_000 });
    for (const name of ["l5d-timeout", "l5d-request-timeout", "l5d-response-timeout"]) {
      const told = await ask(client, rig.port, allowed, { fields: [[name, "60ms"]] });
      assert.is(told.status, 504);
      assert.ok(told.tookMs < patient(2_000), `${name}: ${told.tookMs} ms`);
    }
    const strict = await publish([silent], { requestTimeoutMs: 250 });
    const told = await ask(client, rig.port, strict, { fields: [["l5d-timeout", "10ms"]] });
    assert.ok(told.status === 504 && told.tookMs >= 249, `${told.tookMs} ms`);
    const bad = await publish([silent], { allowsFields: true, requestTimeoutMs: 250 });
    for (const value of ["", "10", "-1ms", "1.5s", "never"]) {
      const late = await ask(client, rig.port, bad, { fields: [["l5d-timeout", value]] });
      assert.ok(late.status === 504 && late.tookMs >= 249, `${value}: ${late.tookMs} ms`);
    }
  }
  const fields: Field[] = [
    ["l5d-retry-http", "503,gateway-error"],
    ["l5d-retry-limit", "2"],
  ];
  const plain = await publish([failing], {});
  assert.is((await ask("http2", rig.port, plain, { fields })).status, 503);
  const open = await publish([failing], { allowsFields: true });
  assert.is((await ask("http2", rig.port, open, { fields })).status, 200);
  assert.is(failing.requests.length, 3);
});

test("a response on which nothing moves is cut, and one that moves slowly is not", async () => {
  const dripping = await grpc((request) => {
    request.head(200);
    const drip = (left: number): void => {
      request.link.body(request.stream.id, "x", left === 0 ? "end" : "open");
      if (left > 0) later(60, () => drip(left - 1));
    };
    drip(5);
  });
  const slow = await publish([dripping], { idleTimeoutMs: 200 });
  const half = await originOf("http1", () => "half");
  const silent = await originOf("http2", () => "silence");
  origins.push(half, silent);
  const stuck = await publish([half], { idleTimeoutMs: 100 });
  const mute = await publish([silent], { idleTimeoutMs: 100 });
  for (const client of VERSIONS) {
    await rig.publish([
      { name: slow, at: [dripping], routes: [route({ idleTimeoutMs: 200 })] },
      { name: stuck, at: [half], routes: [route({ idleTimeoutMs: 100 })] },
      { name: mute, at: [silent], routes: [route({ idleTimeoutMs: 100 })] },
    ]);
    const whole = await ask(client, rig.port, slow);
    assert.is(whole.body, "xxxxxx");
    const cut = await ask(client, rig.port, stuck);
    assert.is(cut.isWhole, false);
    assert.is(cut.body, "half");
    const told = await ask(client, rig.port, mute);
    assert.is(told.status, 504);
    assert.is(told.error, "idle for too long");
    assert.ok(told.tookMs >= 99 && told.tookMs < patient(1_500), `${told.tookMs} ms`);
  }
  await eventually(() => silent.givenUp() === 2);
});

test.run();
