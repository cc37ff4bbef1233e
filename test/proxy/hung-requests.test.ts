// timeout: 60s
// Which requests leave an endpoint that hangs.
import * as assert from "uvu/assert";
import { UNANSWERED_MS } from "../../src/proxy/limits.ts";
import { eventually, lapse } from "../support/eventually.ts";
import { send } from "../support/raw.ts";
import { OK_HTTP1, recordingOrigin } from "../support/recording-origin.ts";
import {
  type Answer,
  ask,
  type Origin,
  originOf,
  PAIRS,
  type Told,
} from "../support/routed-peers.ts";
import { type At, type RoutedRig, retry, route, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/hung-requests");
test.timeout(30_000);

/** So long the last of them waits: the first trial is sent a second before the first may leave. */
const WITHIN_MS = UNANSWERED_MS * 4;

type Pool = {
  readonly name: string;
  readonly hung: Pick<Origin, "port" | "requests" | "givenUp" | "close">;
  readonly well: Origin;
};

/** The first endpoint answers `/first` and nothing else, and dies in the end. */
async function poolOf(name: string, speaks: "http1" | "http2"): Promise<Pool> {
  const hung = await originOf(speaks, (_, path): Answer => (path === "/first" ? 200 : "silence"));
  return { name, hung, well: await originOf(speaks, () => 200) };
}

/** The same, but that it says that it has begun. */
async function interimPool(name: string): Promise<Pool> {
  const requests: string[] = [];
  const told = await recordingOrigin(({ target }) => {
    requests.push(target);
    if (target === "/first") return OK_HTTP1;
    return target === "/stay" ? "HTTP/1.1 103 Early Hints\r\n\r\n" : null;
  });
  const hung = { port: told.port, requests, givenUp: () => 0, close: () => told.close() };
  return { name, hung, well: await originOf("http1", () => 200) };
}

/** Requests go on, so that others of the pool are seen to answer. */
async function goOn(rig: RoutedRig, names: readonly string[], isOver: () => boolean) {
  const told: Promise<Told>[] = [];
  const waiting = new Set<number>();
  const isStuck = () => [...waiting].some((sentMs) => performance.now() - sentMs > 1_000);
  while (!isOver() || isStuck()) {
    for (const name of names) {
      const sentMs = performance.now();
      waiting.add(sentMs);
      const asked = ask("http1", rig.port, name, { path: "/on", withinMs: WITHIN_MS });
      told.push(asked);
      void asked.finally(() => waiting.delete(sentMs));
    }
    await lapse(50);
  }
  for (const { status } of await Promise.all(told)) assert.is(status, 200);
}

function count({ requests }: Pick<Origin, "requests">, path: string): number {
  return requests.filter((each) => each.includes(path)).length;
}

test("what may be done twice leaves, whatever is spoken; nothing else does", async () => {
  const rig = await startRouted();
  const pairs = await Promise.all(
    PAIRS.map(async ([client, speaks], i) => ({ client, ...(await poolOf(`${i}`, speaks)) })),
  );
  const limited = await poolOf("limited", "http1");
  const interim = await interimPool("interim");
  const all: Pool[] = [...pairs, limited, interim];
  const routesOf = ({ name }: Pool) => {
    if (name === "limited") return [route({ retry: retry(1, { tryTimeoutMs: 60_000 }) })];
    // A policy that says nothing of a try's time changes nothing.
    return name === "0" ? [route()] : [];
  };
  const publish = (at: (pool: Pool) => readonly At[]) =>
    rig.publish(all.map((pool) => ({ name: pool.name, at: at(pool), routes: routesOf(pool) })));
  const at = (speaks: Origin["speaks"], { port }: { port: number }) => ({ port, speaks });
  await publish(({ hung, well }) => [at(well.speaks, hung)]);
  for (const { name } of all) await ask("http1", rig.port, name, { path: "/first" });

  const send6 = (path: string, method: string, body = "") =>
    pairs.flatMap(({ client, name }) =>
      Array.from({ length: 6 }, () =>
        ask(client, rig.port, name, { path, method, body, withinMs: WITHIN_MS }),
      ),
    );
  const moving = [...send6("/get", "GET"), ...send6("/put", "PUT", "content")];
  const posts = send6("/post", "POST", "x");
  const [stay, early] = ["limited", "interim"].map((name) =>
    ask("http1", rig.port, name, { path: "/stay", withinMs: 2 * WITHIN_MS }),
  );
  const upgrade = "GET /up HTTP/1.1\r\nHost: 0\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";
  const up = send(rig.port, upgrade, { until: (text) => text !== "", withinMs: WITHIN_MS });
  const isThere = () => all.every(({ hung }) => hung.requests.length >= 2);
  await eventually(() => isThere() && pairs.every(({ hung }) => hung.requests.length >= 19));
  await eventually(() => pairs.some(({ hung }) => count(hung, "/up") === 1));

  await publish(({ hung, well }) => [at(well.speaks, hung), at(well.speaks, well)]);
  let isOver = false;
  const names = [...pairs, interim].map(({ name }) => name);
  const others = goOn(rig, names, () => isOver);
  const limitedOthers = Array.from({ length: 100 }, async (_, i) => {
    await lapse(50 * i);
    return await ask("http1", rig.port, "limited", { path: "/on", withinMs: 2 * WITHIN_MS });
  });
  for (const { status, tookMs } of await Promise.all(moving)) {
    assert.is(status, 200);
    assert.ok(tookMs < WITHIN_MS, `${tookMs}`);
  }
  isOver = true;
  await others;
  let moved = count(interim.hung, "/on");
  for (const { hung, well } of pairs) {
    for (const path of ["/get", "/put"]) {
      assert.equal([count(hung, path), count(well, path)], [6, 6], path);
    }
    assert.is(well.requests.filter((each) => each === "PUT /put content").length, 6);
    for (const path of ["/post", "/up"]) assert.is(count(well, path), 0);
    const left = 12 + count(hung, "/on");
    assert.is(hung.givenUp(), left, "each was given up where it waited");
    moved += left;
  }
  assert.is(rig.count("retried_unanswered"), moved);
  assert.is(limited.hung.givenUp(), 0, "its route gives it a time");
  assert.is(count(interim.well, "/stay"), 0, "its response had begun");

  // What waits is told when its endpoint is gone.
  await Promise.all(all.map(({ hung }) => hung.close()));
  for (const { status } of await Promise.all(posts)) assert.is(status, 502);
  for (const { well } of pairs) assert.is(count(well, "/post"), 0);
  // Broken off after more than the time to find an endpoint, what may be repeated still gets one.
  assert.match((await up).text, /^HTTP\/1\.1 200 /);
  assert.is((await stay)?.status, 200, "by its policy");
  assert.match(`${(await early)?.status}`, /^(103|502)$/);
  for (const { status } of await Promise.all(limitedOthers)) assert.is(status, 200);
  await rig.stop();
  await Promise.all(all.map(({ well }) => well.close()));
});

test("they leave as well while snapshots come faster than requests", async () => {
  const rig = await startRouted();
  const { hung, well, name } = await poolOf("often", "http1");
  const publish = (at: readonly At[]) => rig.publish([{ name, at, routes: [] }]);
  await publish([hung]);
  await ask("http1", rig.port, name, { path: "/first" });
  const moving = [1, 2].map(() => ask("http1", rig.port, name, { withinMs: WITHIN_MS }));
  await eventually(() => hung.requests.length === 3);
  let isOver = false;
  const others = (async () => {
    while (!isOver) {
      await publish([hung, well]);
      await lapse(100);
    }
  })();
  const on: Promise<Told>[] = [];
  const isStuck = (): boolean => rig.count("retried_unanswered") < 2 && on.length < 30;
  while (isStuck()) {
    on.push(ask("http1", rig.port, name, { path: "/on", withinMs: WITHIN_MS }));
    await lapse(400);
  }
  for (const { status } of await Promise.all(moving)) assert.is(status, 200);
  for (const { status } of await Promise.all(on)) assert.is(status, 200);
  isOver = true;
  await others;
  await hung.close();
  await rig.stop();
  await well.close();
});

test.run();
