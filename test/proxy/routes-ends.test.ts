import * as assert from "uvu/assert";
import type { Route } from "../../src/mesh/policy.ts";
import type { Service } from "../../src/mesh/snapshot.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { requestFields } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { LoopRig } from "../support/loop-rig.ts";
import { seeded } from "../support/random.ts";
import { rawOrigin } from "../support/raw.ts";
import {
  type Answer,
  ask,
  originOf,
  PAIRS,
  VERSIONS,
  type Version,
} from "../support/routed-peers.ts";
import { retry, route } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/routes-ends");

function service(
  name: string,
  row: number,
  port: number,
  speaks: Version,
  routes: readonly Route[] = [],
): Service {
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoint = { row, series: 10 + row, ip, port, speaks, peer: null };
  return { name, series: 1, endpoints: [endpoint], failure: null, routes };
}

/** Nothing is in flight, and no timer is left: clients are gone, and so are the origin's connections. */
async function assertEmpty(rig: LoopRig): Promise<void> {
  const { context, loop, rows } = rig;
  await eventually(() => loop.timers.count === 0, { what: "no timer" });
  assert.is(context.inFlight, 0);
  assert.is(context.clients.size, 0);
  assert.is(rows.pending(0), 0);
  assert.is(loop.timers.count, 0);
  assert.equal(rig.faults, []);
}

const ENDS: readonly {
  readonly what: string;
  readonly route: Partial<Route>;
  readonly answer: (before: number) => Answer;
  readonly status: number;
}[] = [
  {
    what: "a response in time",
    route: { requestTimeoutMs: 5_000, responseTimeoutMs: 5_000 },
    answer: () => 200,
    status: 200,
  },
  { what: "a timeout", route: { requestTimeoutMs: 50 }, answer: () => "silence", status: 504 },
  { what: "a cut", route: { responseTimeoutMs: 50 }, answer: () => "half", status: 200 },
  {
    what: "tries that fail, and one that does not",
    route: { requestTimeoutMs: 5_000, retry: retry(2, { tryTimeoutMs: 5_000 }) },
    answer: (before) => (before < 2 ? 503 : 200),
    status: 200,
  },
  {
    what: "no try left",
    route: { retry: retry(1, { tryTimeoutMs: 30 }) },
    answer: (before) => (before === 0 ? "silence" : 500),
    status: 500,
  },
  {
    what: "no route",
    route: { matches: [{ path: null, method: "PUT" }] },
    answer: () => 200,
    status: 404,
  },
];

test("whatever comes of a request, nothing of it stays behind", async () => {
  const rig = new LoopRig(1);
  for (const [client, speaks] of PAIRS) {
    for (const end of ENDS) {
      const origin = await originOf(speaks, end.answer);
      rig.publish([service("web", 0, origin.port, speaks, [route(end.route)])]);
      const told = await ask(client, rig.port(client), "web");
      assert.is(told.status, end.status, `${client} to ${speaks}: ${end.what}`);
      await origin.close();
      await assertEmpty(rig);
    }
  }
  rig.stop();
});

test("a client that goes away in the pause takes its timer with it", async () => {
  const rig = new LoopRig(2);
  const origin = await originOf("http1", () => 503);
  const slow = retry(3, { backoffMinMs: 30_000, backoffMaxMs: 60_000 });
  const limits = { requestTimeoutMs: 60_000, retry: slow };
  rig.publish([service("web", 0, origin.port, "http1", [route(limits)])]);
  const peer = await Http2Peer.connect(rig.port("http2"));
  const ids = Array.from({ length: 20 }, () => peer.get("/"));
  await eventually(() => rig.count("retried_status") === ids.length);
  await eventually(() => rig.rows.pending(0) === 0);
  assert.ok(rig.loop.timers.count >= ids.length);
  for (const id of ids.slice(0, 10)) peer.link.reset(id, 8);
  await eventually(() => rig.context.inFlight === 10);
  peer.close();
  await origin.close();
  await assertEmpty(rig);
  assert.is(rig.count("client_aborted"), ids.length);
  rig.stop();
});

test("a response that came in time counts, though the worker looks at it too late", async () => {
  const rig = new LoopRig(3);
  for (const limits of [
    { requestTimeoutMs: 120 },
    { responseTimeoutMs: 120 },
    { retry: retry(1, { tryTimeoutMs: 120 }) },
  ]) {
    for (const client of VERSIONS) {
      let answer: (() => void) | null = null;
      const origin = await rawOrigin((socket) => {
        answer = () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
      rig.publish([service("web", 0, origin.port, "http1", [route(limits)])]);
      const told = ask(client, rig.port(client), "web");
      await eventually(() => answer !== null);
      const goOn = rig.pauseTurns();
      (answer as (() => void) | null)?.();
      await lapse(200);
      goOn();
      const { status, body, isWhole } = await told;
      assert.equal({ status, body, isWhole }, { status: 200, body: "ok", isWhole: true });
      assert.is(origin.received.length, 1);
      await origin.close();
    }
  }
  await assertEmpty(rig);
  rig.stop();
});

test("a try has its limit though the rest in it and the limit were over in one turn", async () => {
  let isPaused = false;
  const rig: LoopRig = new LoopRig(4, (turn) => {
    turn();
    if (isPaused || rig.count("retried_refused") === 0) return;
    // Longer than the rest, and than what a try may take.
    isPaused = true;
    void lapse(400).then(rig.pauseTurns());
  });
  const answers: readonly Answer[] = ["refuse", "silence", 200];
  const origin = await originOf("http2", (before) => answers[before] ?? 500);
  const limits = { retry: retry(1, { tryTimeoutMs: 300 }) };
  rig.publish([service("web", 0, origin.port, "http2", [route(limits)])]);
  assert.is((await ask("http1", rig.port("http1"), "web")).status, 200);
  assert.is(rig.count("retried_timeout"), 1);
  await origin.close();
  await assertEmpty(rig);
  rig.stop();
});

test("a split has the shares that its weights say, and equal seeds have equal ones", async () => {
  const { u32 } = seeded("split");
  const seed = u32();
  const counts: number[][] = [];
  const count = 400;
  for (let run = 0; run < 2; run++) {
    const rig = new LoopRig(seed);
    const origins = [await originOf("http2", () => 200), await originOf("http2", () => 200)];
    const [one, two] = origins.map(({ port }) => port);
    const backends = [
      { service: "one", weight: 1 },
      { service: "two", weight: 3 },
    ];
    rig.publish([
      { ...service("web", 2, 1, "http2", [route({ backends })]), endpoints: [] },
      service("one", 0, one ?? 0, "http2"),
      service("two", 1, two ?? 0, "http2"),
    ]);
    const peer = await Http2Peer.connect(rig.port("http2"));
    for (let left = count; left > 0; left -= 100) {
      const ids = Array.from({ length: 100 }, () => peer.request(requestFields("/")));
      for (const id of ids) assert.is((await peer.over(id)).outcome, "200 ended");
    }
    peer.close();
    counts.push(origins.map(({ requests }) => requests.length));
    for (const origin of origins) await origin.close();
    await assertEmpty(rig);
    rig.stop();
  }
  const [first = [], second = []] = counts;
  assert.equal(first, second);
  // Five standard deviations, which are 8.7 each.
  assert.ok(Math.abs((first[0] ?? 0) - count / 4) <= 44, `${first} of ${count}, seed ${seed}`);
  assert.is((first[0] ?? 0) + (first[1] ?? 0), count);
});

test.run();
