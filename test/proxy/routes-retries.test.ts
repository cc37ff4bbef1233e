// timeout: 60s
import { connect } from "node:net";
import * as assert from "uvu/assert";
import { RETRIES_MAX, RETRIES_PER_SECOND_MIN, RETRIES_SAVED_MAX } from "../../src/proxy/limits.ts";
import { REPLAYED_BYTES_MAX } from "../../src/proxy/saved-request.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { requestFields } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { rawOrigin, send } from "../support/raw.ts";
import {
  type Answer,
  ask,
  type Origin,
  originOf,
  PAIRS,
  VERSIONS,
} from "../support/routed-peers.ts";
import { type RoutedRig, retry, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/routes-retries");

let rig: RoutedRig;
const origins: Origin[] = [];
/** Each test has a service of its own, for the budget is the service's. */
let number = 0;

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

async function originWith(
  speaks: Origin["speaks"],
  answer: (before: number, path: string) => Answer,
): Promise<Origin> {
  const origin = await originOf(speaks, answer);
  origins.push(origin);
  return origin;
}

/** Publishes a service of these endpoints whose requests are retried; returns its name. */
async function retried(
  at: readonly { readonly port: number; readonly speaks?: Origin["speaks"] }[],
  policy = retry(2),
): Promise<string> {
  const name = `retried-${++number}`;
  await rig.publish([{ name, at, routes: [route({ retry: policy })] }]);
  return name;
}

for (const [client, speaks] of PAIRS) {
  const title = `${client} to ${speaks}`;

  test(`${title}: a status of the route's is tried again, and the client sees only the last`, async () => {
    const origin = await originWith(speaks, (before) => (before < 2 ? 503 : 200));
    const name = await retried([origin]);
    const before = rig.count("retried_status");
    const told = await ask(client, rig.port, name, { method: "POST", path: "/p", body: "content" });
    assert.is(told.status, 200);
    assert.is(told.body, "200");
    assert.equal(origin.requests, new Array(3).fill("POST /p content"));
    await rig.idle();
    assert.is(rig.count("retried_status") - before, 2);
    assert.is(rig.recorded(name, 200), 1);
    assert.is(rig.recorded(name, 503), 0);
  });

  test(`${title}: when no try is left the last response comes through as it is`, async () => {
    const origin = await originWith(speaks, () => 502);
    const name = await retried([origin], retry(2, { statuses: [{ from: 502, to: 502 }] }));
    const before = rig.count("retry_limit_exceeded");
    const told = await ask(client, rig.port, name);
    assert.is(told.status, 502);
    assert.is(told.body, "502");
    assert.is(told.error, null);
    assert.is(origin.requests.length, 3);
    await rig.idle();
    assert.is(rig.count("retry_limit_exceeded") - before, 1);
    assert.is(rig.recorded(name, 502), 1);
  });

  test(`${title}: a status that is not the route's comes through at once`, async () => {
    const origin = await originWith(speaks, (_, path) => Number(path.slice(1)));
    const name = await retried([origin], retry(2, { statuses: [{ from: 502, to: 503 }] }));
    for (const status of [200, 404, 500, 501, 504]) {
      const told = await ask(client, rig.port, name, { path: `/${status}` });
      assert.is(told.status, status);
    }
    assert.is(origin.requests.length, 5);
  });

  test(`${title}: a try that takes too long is given up for another one`, async () => {
    const origin = await originWith(speaks, (before) => (before === 0 ? "silence" : 200));
    const name = await retried([origin], retry(1, { tryTimeoutMs: 100 }));
    const before = rig.count("retried_timeout");
    const told = await ask(client, rig.port, name);
    assert.is(told.status, 200);
    assert.ok(told.tookMs >= 99, `${told.tookMs} ms`);
    await eventually(() => origin.givenUp() === 1);
    assert.is(rig.count("retried_timeout") - before, 1);
    assert.ok(rig.costUs(origin.port) > 90_000, "the lost try counts for the endpoint");
    await rig.idle();
  });

  test(`${title}: content that is too long to be kept is sent once`, async () => {
    const origin = await originWith(speaks, () => 503);
    const name = await retried([origin]);
    for (const [length, sends] of [
      [REPLAYED_BYTES_MAX + 1, 1],
      [REPLAYED_BYTES_MAX, 3],
      [REPLAYED_BYTES_MAX - 1, 3],
    ] as const) {
      const before = origin.requests.length;
      const body = "x".repeat(length);
      const told = await ask(client, rig.port, name, { method: "POST", body });
      assert.is(told.status, 503);
      assert.is(told.body, "503");
      assert.equal(origin.requests.slice(before), new Array(sends).fill(`POST / ${body}`));
    }
  });

  test(`${title}: a backend that breaks off before a response is tried again by its status`, async () => {
    const origin = await originWith(speaks, (before) => (before === 0 ? "break" : 200));
    const name = await retried([origin]);
    assert.is((await ask(client, rig.port, name, { method: "POST", body: "x" })).status, 200);
    assert.is(origin.requests.length, 2);
    await rig.idle();
    const half = await originWith(speaks, () => "half");
    const other = await retried([half], retry(2, { tryTimeoutMs: 60 }));
    if (client === "http1") {
      const socket = connect({ port: rig.port, host: "127.0.0.1" });
      let text = "";
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      socket.write(`GET / HTTP/1.1\r\nHost: ${other}\r\n\r\n`);
      await eventually(() => text.includes("half"));
      await lapse(150);
      assert.is(text.split("HTTP/1.1").length, 2, "a response that has begun is not tried again");
      socket.resetAndDestroy();
    } else {
      const peer = await Http2Peer.connect(rig.port);
      const id = peer.request(requestFields("/").map(to(other)));
      await eventually(() => peer.link.stream(id).body === "half");
      await lapse(150);
      assert.is(
        peer.link.stream(id).outcome,
        "200",
        "a response that has begun is not tried again",
      );
      peer.close();
    }
    await rig.idle();
    assert.is(half.requests.length, 1);
  });
}

function to(authority: string) {
  return <F extends readonly [string, string, ...unknown[]]>(
    field: F,
  ): readonly [string, string] =>
    field[0] === ":authority" ? [field[0], authority] : [field[0], field[1]];
}

test("another endpoint is preferred, and without one the same is asked again", async () => {
  for (const speaks of VERSIONS) {
    const [one, other] = [await originWith(speaks, () => 503), await originWith(speaks, () => 503)];
    const twice = await retried([one, other], retry(1));
    for (let i = 1; i <= 5; i++) {
      assert.is((await ask("http2", rig.port, twice)).status, 503);
      assert.is(one.requests.length, i);
      assert.is(other.requests.length, i);
    }
    const thrice = await retried([one, other], retry(2));
    assert.is((await ask("http1", rig.port, thrice)).status, 503);
    assert.is(one.requests.length + other.requests.length, 13);
  }
});

test("the last try has no time of its own", async () => {
  const origin = await originWith("http1", (before) => (before < 2 ? "silence" : "silence"));
  const policy = retry(2, { tryTimeoutMs: 40 });
  const name = `retried-${++number}`;
  await rig.publish([
    { name, at: [origin], routes: [route({ retry: policy, requestTimeoutMs: 500 })] },
  ]);
  for (const client of VERSIONS) {
    const told = await ask(client, rig.port, name);
    assert.is(told.status, 504);
    assert.ok(told.tookMs >= 499, `${told.tookMs} ms`);
  }
  assert.is(origin.requests.length, 6);
});

test("a retry chooses its backend anew, and a backend without endpoints counts as 503", async () => {
  const good = await originWith("http1", () => 200);
  const backends = [
    { service: "empty", weight: 1 },
    { service: "good", weight: 2 },
  ];
  const policy = retry(99, { statuses: [{ from: 503, to: 503 }] });
  await rig.publish([
    { name: "split", at: [], routes: [route({ backends, retry: policy })] },
    { name: "empty", at: [] },
    { name: "good", at: [good] },
  ]);
  // Each fails with 3^-17.
  for (let i = 0; i < 10; i++) assert.is((await ask("http1", rig.port, "split")).status, 200);
  assert.is(good.requests.length, 10);
});

test("interim responses that were passed on do not keep a request from being tried again", async () => {
  let asked = 0;
  const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  const origin = await rawOrigin((socket, text) => {
    if (!text.endsWith("\r\n\r\n")) return;
    const status = asked++ === 0 ? "503 No" : "200 OK";
    socket.write(`${hint}HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
  });
  const name = await retried([{ port: origin.port }]);
  const { text } = await send(rig.port, `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`, {
    until: (text) => /HTTP\/1\.1 [2-5]/.test(text),
  });
  assert.match(text, /^HTTP\/1\.1 103 .*HTTP\/1\.1 103 .*HTTP\/1\.1 200 OK\r\n/s);
  await origin.close();
});

test("a client that goes away in the pause leaves nothing behind", async () => {
  const origin = await originWith("http1", () => 503);
  const name = await retried([origin], retry(2, { backoffMinMs: 4_000, backoffMaxMs: 8_000 }));
  const aborted = rig.count("client_aborted");
  const socket = connect({ port: rig.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
  await eventually(() => origin.requests.length === 1);
  await eventually(() => rig.pending() === 0);
  socket.resetAndDestroy();
  await rig.idle();
  const peer = await Http2Peer.connect(rig.port);
  const id = peer.request(requestFields("/").map(to(name)));
  await eventually(() => origin.requests.length === 2);
  await eventually(() => rig.pending() === 0);
  peer.link.reset(id, 8);
  await rig.idle();
  peer.close();
  assert.is(rig.count("client_aborted") - aborted, 2);
  assert.is(rig.recorded(name, 0), 2);
  assert.is(origin.requests.length, 2);
});

test("a snapshot that comes in the pause is the one that the next try goes by", async () => {
  const old = await originWith("http1", () => 503);
  const fresh = await originWith("http2", () => 200);
  const policy = retry(1, { backoffMinMs: 150, backoffMaxMs: 300 });
  for (const client of VERSIONS) {
    const name = await retried([old], policy);
    const before = old.requests.length;
    const answer = ask(client, rig.port, name);
    await eventually(() => old.requests.length === before + 1);
    await rig.publish([{ name, at: [fresh], routes: [] }]);
    assert.is((await answer).status, 200);
    const gone = await retried([old], policy);
    const lost = ask(client, rig.port, gone);
    await eventually(() => old.requests.length === before + 2);
    await rig.publish([]);
    const told = await lost;
    assert.is(told.status, 503);
    assert.is(told.error, "no endpoints available");
  }
  assert.is(fresh.requests.length, 2);
});

test("retries are no more than a share of a service's requests and a few more", async () => {
  const origin = await originWith("http1", () => 503);
  const name = await retried([origin], retry(3, { backoffMinMs: 0, backoffMaxMs: 0 }));
  const startMs = performance.now();
  const exceeded = rig.count("retry_budget_exceeded");
  const count = 400;
  const peer = await Http2Peer.connect(rig.port);
  const ids = Array.from({ length: 100 }, () => 0);
  for (let round = 0; round < count / ids.length; round++) {
    for (const [i] of ids.entries()) ids[i] = peer.request(requestFields("/").map(to(name)));
    for (const id of ids) assert.is((await peer.over(id)).outcome, "503 ended");
  }
  peer.close();
  const seconds = (performance.now() - startMs) / 1_000;
  const most = RETRIES_SAVED_MAX + 0.2 * count + RETRIES_PER_SECOND_MIN * seconds + 1;
  const retries = origin.requests.length - count;
  assert.ok(retries <= most, `${retries} retries of ${most} allowed`);
  assert.ok(retries >= RETRIES_SAVED_MAX, `${retries} retries`);
  assert.ok(rig.count("retry_budget_exceeded") > exceeded);
});

test("there is an end to tries, whatever the policy says", async () => {
  const origin = await originWith("http1", () => 503);
  const name = await retried([origin], retry(1_000_000, { backoffMinMs: 0, backoffMaxMs: 0 }));
  assert.is((await ask("http1", rig.port, name)).status, 503);
  assert.is(origin.requests.length, 1 + RETRIES_MAX);
});

test("a drain waits for the next try", async () => {
  const leaving = await startRouted();
  const origin = await originWith("http1", (before) => (before < 2 ? 503 : 200));
  const policy = retry(2, { backoffMinMs: 150, backoffMaxMs: 600 });
  await leaving.publish([{ name: "web", at: [origin], routes: [route({ retry: policy })] }]);
  const answers = VERSIONS.map((client) => ask(client, leaving.port, "web"));
  await eventually(() => origin.requests.length === 2 && leaving.pending() === 0);
  const drained = leaving.drain();
  for (const answer of answers) assert.is((await answer).status, 200);
  await drained;
});

test.run();
