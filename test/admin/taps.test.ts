import { pack } from "msgpackr";
import * as assert from "uvu/assert";
import { type TapBatch, Taps } from "../../src/admin/taps.ts";
import { TAP_ALL, TAPPERS_MAX, type TapOrder } from "../../src/mesh/tap.ts";
import { answers, desk, FORBIDDEN } from "../support/admin.ts";
import { suite } from "../support/test.ts";

const test = suite("admin/taps");

function rig() {
  const orders: (readonly TapOrder[])[] = [];
  const taps = new Taps(
    (each) => void orders.push(each),
    () => 0,
  );
  return { taps, orders, ids: () => (orders.at(-1) ?? []).map(({ id }) => id) };
}

function batch(id: number, events: readonly object[], dropped = 0): TapBatch {
  return { id, dropped, events: new Uint8Array(pack(events)).buffer };
}

async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const { value } = await reader.read();
  return new TextDecoder().decode(value);
}

test("a batch is a line for each event, after what was dropped", async () => {
  const { taps, ids } = rig();
  const reader = taps.open(TAP_ALL)?.getReader();
  assert.ok(reader);
  assert.is(await nextText(reader), "\n");
  let read = 0;
  taps.take(batch(ids()[0] ?? 0, [{ path: "/a" }, { path: "/b" }], 7), () => read++);
  assert.is(await nextText(reader), '{"dropped":7}\n{"path":"/a"}\n{"path":"/b"}\n');
  assert.is(read, 1);
  await reader.cancel();
  assert.is(taps.count, 0);
  assert.equal(ids(), []);
});

test("a batch that the client does not take is neither unpacked nor read", async () => {
  const { taps, ids } = rig();
  const reader = taps.open(TAP_ALL)?.getReader();
  assert.ok(reader);
  let read = 0;
  const long = [{ path: "/".repeat(70_000) }];
  for (let i = 0; i < 4; i++) taps.take(batch(ids()[0] ?? 0, long), () => read++);
  assert.is(read, 1);
  assert.is(await nextText(reader), "\n");
  for (let i = 1; i <= 4; i++) {
    assert.ok((await nextText(reader)).includes("////"));
    // What the client took makes room for the next.
    await Promise.resolve();
    assert.is(read, Math.min(i + 1, 4));
  }
  await reader.cancel();
});

test("a few may tap, and a place is free when one leaves", async () => {
  const { taps, ids } = rig();
  const streams = Array.from({ length: TAPPERS_MAX }, () => taps.open(TAP_ALL));
  assert.is(ids().length, TAPPERS_MAX);
  assert.is(taps.open(TAP_ALL), null);
  await streams[1]?.cancel();
  assert.is(ids().length, TAPPERS_MAX - 1);
  const again = taps.open(TAP_ALL);
  assert.ok(again);
  taps.end();
  assert.is(taps.count, 0);
  // Whoever listened sees the end.
  const reader = again.getReader();
  await reader.read();
  assert.is((await reader.read()).done, true);
});

test("what comes for a tap that is over goes nowhere", () => {
  const { taps } = rig();
  taps.take(batch(99, [{}]), () => assert.unreachable());
});

test("the admin API lets only this host and no foreign page tap", async () => {
  const { taps, orders } = rig();
  const { ask } = desk({ taps });
  await answers(await ask("/tap", { peer: "10.0.0.1" }), 403, FORBIDDEN);
  await answers(await ask("/tap", { host: "evil.example" }), 403, FORBIDDEN);
  await answers(await ask("/tap", { headers: { "sec-fetch-site": "cross-site" } }), 403);
  await answers(await ask("/tap", { headers: { origin: "http://evil.example" } }), 403);
  await answers(await ask("/tap", { method: "POST" }), 405);
  await answers(await ask("/tap?status=9"), 400);
  assert.equal(orders, []);
  await answers(await ask("/tap", { method: "HEAD" }), 200, "");
  assert.equal(orders, []);
  for (let i = 0; i < TAPPERS_MAX; i++) assert.is((await ask("/tap?to=web")).status, 200);
  await answers(await ask("/tap"), 503, `${TAPPERS_MAX} taps are open already\n`);
  assert.equal(
    orders.at(-1)?.map(({ to }) => to),
    Array(TAPPERS_MAX).fill("web"),
  );
  taps.end();
});

test.run();
