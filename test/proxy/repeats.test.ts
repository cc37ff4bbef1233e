// timeout: 60s
// What is sent once more although no policy asks for it: nobody can have acted on it, or it may be
// done twice and the connection broke before a byte of the response.
import * as assert from "uvu/assert";
import { RETRIES_PER_SECOND_MIN, RETRIES_SAVED_MAX, TRIES_MAX } from "../../src/proxy/limits.ts";
import { eventually, patient } from "../support/eventually.ts";
import { requestFields } from "../support/http2-fields.ts";
import { Http2Peer, http2Origin } from "../support/http2-peer.ts";
import { rawOrigin, send } from "../support/raw.ts";
import { type Answer, ask, type Origin, originOf, PAIRS } from "../support/routed-peers.ts";
import { type RoutedRig, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/repeats");

let rig: RoutedRig;
const origins: { close(): Promise<void> }[] = [];
/** Each test has a service of its own, for the budget is the service's. */
let number = 0;

test.before(async () => {
  rig = await startRouted();
});
test.after(async () => {
  await rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

async function originsOf(speaks: Origin["speaks"], answers: readonly Answer[]): Promise<Origin[]> {
  const all = await Promise.all(answers.map((answer) => originOf(speaks, () => answer)));
  origins.push(...all);
  return all;
}

async function publish(
  at: readonly { readonly port: number; readonly speaks?: Origin["speaks"] }[],
): Promise<string> {
  const name = `repeats-${++number}`;
  await rig.publish([{ name, at }]);
  return name;
}

function sends(of: readonly Origin[]): number {
  return of.reduce((sum, { requests }) => sum + requests.length, 0);
}

for (const [client, speaks] of PAIRS) {
  const title = `${client} to ${speaks}`;

  test(`${title}: a 503 goes to another endpoint, if it may be done twice and there is one`, async () => {
    const [away, well] = await originsOf(speaks, [503, 200]);
    if (away === undefined || well === undefined) throw new Error("no origins");
    const name = await publish([away, well]);
    const before = rig.count("retried_unavailable");
    let told = 0;
    for (let round = 0; round < 20; round++) {
      const [get, post] = await Promise.all(
        ["GET", "POST"].map((method) => ask(client, rig.port, name, { method })),
      );
      assert.is(get?.status, 200);
      if (post?.status === 503) told++;
    }
    const again = rig.count("retried_unavailable") - before;
    assert.is(away.requests.length, told + again, "what went elsewhere, and what may not");
    assert.is(sends([away, well]), 40 + again);
    const alone = await publish([away]);
    assert.is((await ask(client, rig.port, alone)).status, 503);
    assert.is(rig.count("retried_unavailable") - before, again);
  });

  test(`${title}: what may be done twice goes to another endpoint, and what may not does not`, async () => {
    const seen = new Set<string>();
    const dieFirst = (_: number, path: string): Answer => {
      if (seen.has(path)) return 200;
      seen.add(path);
      return "die";
    };
    const both = [await originOf(speaks, dieFirst), await originOf(speaks, dieFirst)];
    origins.push(...both);
    const name = await publish(both);
    for (const method of ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
      for (let i = 0; i < 4; i++) {
        const path = `/${method}/${i}`;
        assert.is((await ask(client, rig.port, name, { method, path })).status, 200);
        const at = both.map(
          ({ requests }) => requests.filter((each) => each.includes(path)).length,
        );
        assert.equal(at, [1, 1], path);
      }
    }
    const before = sends(both);
    for (let i = 0; i < 10; i++) {
      const asked = { method: "POST", path: `/${i}`, body: "x" };
      const told = await ask(client, rig.port, name, asked);
      assert.is(told.status, 502);
      assert.is(told.error, "closed before a response");
    }
    assert.is(sends(both) - before, 10, "each POST went once");
    await rig.idle();
  });

  test(`${title}: once, if the other breaks off as well`, async () => {
    const both = await originsOf(speaks, ["die", "die", "die"]);
    const name = await publish(both);
    const told = await ask(client, rig.port, name);
    assert.is(told.status, 502);
    assert.is(told.error, "closed before a response, twice");
    assert.is(sends(both), 2);
    assert.is(new Set(both.map(({ requests }) => requests.length)).size, 2, "two endpoints");
    const alone = await originsOf(speaks, ["die"]);
    const other = await publish(alone);
    assert.is((await ask(client, rig.port, other)).status, 502);
    assert.is(sends(alone), 2, "where there is no other, the same");
    await rig.idle();
  });
}

for (const [what, text] of [
  ["half a status line", "HTTP/1.1 20"],
  ["an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ["half a head", "HTTP/1.1 200 OK\r\nContent-Le"],
] as const) {
  test(`not after ${what}`, async () => {
    let asked = 0;
    const origin = await rawOrigin((socket, received) => {
      if (!received.endsWith("\r\n\r\n")) return;
      asked++;
      socket.end(text);
    });
    origins.push(origin);
    const name = await publish([origin, { port: origin.port }]);
    const told = await ask("http2", rig.port, name);
    assert.is(told.status === 103 ? 502 : told.status, 502);
    assert.is(asked, 1);
  });
}

test("not after 100 Continue, for then the client has sent its content", async () => {
  let asked = 0;
  const origin = await rawOrigin((socket, received) => {
    if (!received.endsWith("\r\n\r\n")) return;
    asked++;
    socket.end("HTTP/1.1 100 Continue\r\n\r\n");
  });
  origins.push(origin);
  const name = await publish([origin]);
  const head = `PUT / HTTP/1.1\r\nHost: ${name}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
  const { text } = await send(rig.port, head, { until: (told) => told.includes(" 502 ") });
  assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 502 /);
  assert.is(asked, 1);
});

test("a response that comes early and breaks off is passed on, and not asked for again", async () => {
  let asked = 0;
  const origin = await rawOrigin((socket, received) => {
    if (!received.includes("\r\n\r\n") || asked > 0) return;
    asked++;
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly", () =>
      socket.resetAndDestroy(),
    );
  });
  origins.push(origin);
  const name = await publish([origin]);
  const head = `PUT / HTTP/1.1\r\nHost: ${name}\r\nContent-Length: 100000\r\n\r\nabc`;
  const { text, end } = await send(rig.port, head);
  assert.is.not(end, "timeout");
  assert.ok(text === "" || /^HTTP\/1\.1 (?:200 OK|502 )/.test(text), text);
  assert.is(asked, 1);
  await rig.idle();
});

test("an upgrade whose connection dies is asked for once more", async () => {
  let asked = 0;
  const origin = await rawOrigin((socket, received) => {
    if (!received.endsWith("\r\n\r\n")) return;
    if (asked++ === 0) return void socket.destroy();
    socket.write("HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello");
  });
  origins.push(origin);
  const name = await publish([origin]);
  const head = `GET / HTTP/1.1\r\nHost: ${name}\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n`;
  const { text } = await send(rig.port, head, { until: (told) => told.endsWith("hello") });
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.is(asked, 2);
  await rig.idle();
});

test("retries that nobody asked for are in the budget", async () => {
  const both = await originsOf("http1", ["die", "die"]);
  const name = await publish(both);
  const startMs = performance.now();
  const exceeded = rig.count("retry_budget_exceeded");
  const peer = await Http2Peer.connect(rig.port);
  const count = 400;
  for (let round = 0; round < count / 100; round++) {
    const ids = Array.from({ length: 100 }, () =>
      peer.request(requestFields("/").map(([n, v]) => [n, n === ":authority" ? name : v] as const)),
    );
    for (const id of ids) assert.is((await peer.over(id)).outcome, "502 ended");
  }
  peer.close();
  const seconds = (performance.now() - startMs) / 1_000;
  const most = RETRIES_SAVED_MAX + 0.2 * count + RETRIES_PER_SECOND_MIN * seconds + 1;
  const retries = sends(both) - count;
  assert.ok(retries <= most && retries >= RETRIES_SAVED_MAX, `${retries} of ${most}`);
  assert.ok(rig.count("retry_budget_exceeded") > exceeded);
});

test("who refuses is asked once, while there are others", async () => {
  const all = await originsOf("http2", ["refuse", "refuse", 200]);
  const name = await publish(all);
  for (let i = 0; i < 20; i++) {
    const client = i % 2 === 0 ? "http1" : "http2";
    const told = await ask(client, rig.port, name, { method: "POST", body: "content" });
    assert.is(told.status, 200);
  }
  const [one, two, good] = all;
  assert.is(good?.requests.length, 20);
  assert.ok((one?.requests.length ?? 0) <= 20 && (two?.requests.length ?? 0) <= 20);
});

test("there is an end to it when all refuse, and a rest before they are asked again", async () => {
  const all = await originsOf("http2", ["refuse", "refuse"]);
  const name = await publish(all);
  const plain = await ask("http1", rig.port, name, { method: "POST", body: "content" });
  assert.is(plain.status, 502);
  assert.is(plain.error, "request refused by the endpoint");
  assert.ok(plain.tookMs >= 25 && plain.tookMs < patient(2_000), `${plain.tookMs} ms`);
  assert.is(sends(all), 1 + TRIES_MAX);
  // Who speaks HTTP/2 is told that it may still be sent again.
  const peer = await Http2Peer.connect(rig.port);
  const id = peer.request(requestFields("/").map(([n, v]) => [n, n === ":authority" ? name : v]));
  assert.is((await peer.over(id)).outcome, "reset 7");
  peer.close();
  assert.is(sends(all), 2 * (1 + TRIES_MAX));
  await rig.idle();
});

test("content that comes while a refused request rests is not lost", async () => {
  const first = "a".repeat(65_535);
  const rest = "b".repeat(60_000);
  let refused = 0;
  let whole = "";
  const origin = await http2Origin((request) => {
    if (refused++ === 0) {
      const { link, stream } = request;
      void eventually(() => stream.body.length === first.length).then(() =>
        link.reset(stream.id, 7),
      );
      return;
    }
    request.whenEnded(() => {
      whole = request.stream.body;
      request.respond(200);
    });
  });
  origins.push(origin);
  const name = await publish([{ port: origin.port, speaks: "http2" }]);
  const before = rig.count("retried_refused");
  const peer = await Http2Peer.connect(rig.port);
  const fields = requestFields("/").map(([n, v]) => [n, n === ":authority" ? name : v] as const);
  const id = peer.request(
    fields.map(([n, v]) => [n, n === ":method" ? "POST" : v]),
    first,
    "open",
  );
  await eventually(() => rig.count("retried_refused") > before);
  peer.link.body(id, rest, "end");
  assert.is((await peer.over(id)).outcome, "200 ended");
  assert.ok(whole === first + rest, `${whole.length} bytes`);
  peer.close();
  await rig.idle();
});

test.run();
