import * as assert from "uvu/assert";
import { IN_FLIGHT_MAX } from "../../src/proxy/limits.ts";
import {
  DelayProbe,
  SAMPLE_EVERY_MS,
  SHED_AFTER_MS,
  SHED_DELAY_MS,
  SHED_ENDS_MS,
  Shedding,
} from "../../src/proxy/shedding.ts";
import { eventually } from "../support/eventually.ts";
import type { Field } from "../support/http2-fields.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { LoopRig } from "../support/loop-rig.ts";
import { seeded } from "../support/random.ts";
import { ask, originOf, VERSIONS } from "../support/routed-peers.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/shedding");

/** Samples one delay after the other, each taking its time, for `totalMs`; returns when that is over. */
function during(shedding: Shedding, delayMs: number, totalMs: number, startMs: number): number {
  let nowMs = startMs;
  while (nowMs < startMs + totalMs) {
    nowMs += Math.max(delayMs, SAMPLE_EVERY_MS);
    shedding.sample(delayMs, nowMs);
  }
  return nowMs;
}

test("nothing is refused by a worker that is busy but in time", () => {
  const shedding = new Shedding();
  during(shedding, SHED_DELAY_MS - 1, 60_000, 0);
  assert.is(shedding.share, 0);
});

test("a pause refuses nothing, however long, nor do many with good times between them", () => {
  const shedding = new Shedding();
  let nowMs = during(shedding, 1, 500, 0);
  for (const pauseMs of [50, 120, 800, 5_000, 30_000]) {
    nowMs += pauseMs;
    shedding.sample(pauseMs, nowMs);
    assert.is(shedding.share, 0, `${pauseMs} ms`);
    nowMs = during(shedding, 2, 200, nowMs);
  }
  for (let i = 0; i < 200; i++) {
    nowMs += SHED_DELAY_MS;
    shedding.sample(i % 4 === 3 ? 90 : SHED_DELAY_MS, nowMs);
    assert.is(shedding.share, 0);
  }
});

test("long waits for long refuse a little, then more, and never all", () => {
  const shedding = new Shedding();
  const nowMs = during(shedding, SHED_DELAY_MS, SHED_AFTER_MS, 0);
  assert.is(shedding.share, 0);
  shedding.sample(SHED_DELAY_MS, nowMs + SHED_DELAY_MS);
  assert.ok(shedding.share > 0 && shedding.share <= 0.05);
  during(shedding, 1_000, 60_000, nowMs + SHED_DELAY_MS);
  assert.ok(shedding.share > 0.8 && shedding.share < 1);
});

test("it ends by and by when waits are short again, and stays while they are in between", () => {
  const shedding = new Shedding();
  let nowMs = during(shedding, SHED_DELAY_MS, SHED_AFTER_MS + 5 * SHED_DELAY_MS, 0);
  const before = shedding.share;
  assert.ok(before > 0);
  nowMs = during(shedding, SHED_ENDS_MS + 1, 2_000, nowMs);
  assert.is(shedding.share, before);
  shedding.sample(1, nowMs);
  assert.ok(shedding.share > 0 && shedding.share < before);
  during(shedding, 1, 5_000, nowMs);
  assert.is(shedding.share, 0);
});

test("the share is the share of those refused", () => {
  const shedding = new Shedding();
  const { u32 } = seeded("share");
  shedding.share = 0.3;
  let refused = 0;
  for (let i = 0; i < 10_000; i++) if (shedding.refuses(u32)) refused++;
  assert.ok(Math.abs(refused / 10_000 - 0.3) < 0.03, String(refused));
});

test("offered twice what it can do, a worker refuses about half and stays in time", () => {
  const shedding = new Shedding();
  const { u32 } = seeded("queue");
  const perMs = 10;
  let queued = 0;
  let ahead = 0;
  let isSent = false;
  const probe = new DelayProbe({
    now: () => clockMs,
    wake: () => {
      isSent = true;
      ahead = queued;
    },
    shedding,
  });
  let offered = 0;
  let refused = 0;
  let worstMs = 0;
  let clockMs = 0;
  for (; clockMs < 60_000; clockMs++) {
    const isSettled = clockMs > 20_000;
    for (let i = 0; i < 2 * perMs; i++) {
      const isRefused = shedding.share > 0 && shedding.refuses(u32);
      if (!isRefused) queued++;
      if (isSettled) offered++;
      if (isSettled && isRefused) refused++;
    }
    queued = Math.max(0, queued - perMs);
    ahead -= perMs;
    if (isSent && ahead <= 0) {
      isSent = false;
      probe.onWoken(clockMs);
    }
    probe.onTurn(clockMs, true);
    if (isSettled) worstMs = Math.max(worstMs, queued / perMs);
  }
  const share = refused / offered;
  assert.ok(share > 0.45 && share < 0.6, `${share}`);
  assert.ok(worstMs < 2.5 * SHED_DELAY_MS, `${worstMs} ms`);
});

test("the probe measures its own wake-up, one at a time, and only while there is work", () => {
  const shedding = new Shedding();
  const delays: number[] = [];
  shedding.sample = (delayMs) => void delays.push(delayMs);
  let clockMs = 0;
  let wakes = 0;
  const probe = new DelayProbe({ now: () => clockMs, wake: () => wakes++, shedding });
  probe.onTurn(1_000, false);
  assert.is(wakes, 0);
  clockMs = 5;
  probe.onTurn(1_000 + SAMPLE_EVERY_MS, true);
  probe.onTurn(1_001 + 2 * SAMPLE_EVERY_MS, true);
  assert.is(wakes, 1, "one is under way");
  clockMs = 12.5;
  probe.onWoken(2_000);
  probe.onWoken(2_000);
  assert.equal(delays, [7.5]);
  probe.onTurn(2_000, true);
  assert.is(wakes, 2);
  clockMs += SHED_DELAY_MS;
  probe.onTurn(2_000 + SHED_DELAY_MS, true);
  assert.equal(delays, [7.5, SHED_DELAY_MS], "its wait counts before it is over");
});

test("who is refused is told why, and what is under way goes on", async () => {
  const rig = new LoopRig(3);
  const origin = await originOf("http1", (_, path) => (path === "/slow" ? "silence" : 200));
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoint = {
    row: 0,
    series: 10,
    ip,
    port: origin.port,
    speaks: "http1",
    peer: null,
  } as const;
  const rest = { series: 1, failure: null, routes: [] };
  rig.publish([{ name: "web", endpoints: [endpoint], ...rest }]);
  const peer = await Http2Peer.connect(rig.port("http2"));
  const slow = peer.get("/slow");
  await eventually(() => origin.requests.length === 1);
  const { shedding } = rig.context;
  shedding.refuses = () => true;
  shedding.share = 0.5;
  for (const version of VERSIONS) {
    const told = await ask(version, rig.port(version), "web");
    assert.is(told.status, 503);
    assert.is(told.error, "this sidecar is overloaded");
  }
  const fields: Field[] = [["content-type", "application/grpc"]];
  const call = await ask("http2", rig.port("http2"), "web", { method: "POST", fields });
  assert.equal([call.status, call.grpcStatus], [200, "14"]);
  assert.is(rig.count("shed_delay"), 3);
  assert.is(rig.context.inFlight, 1, "the slow one");
  shedding.share = 0;
  assert.is((await ask("http1", rig.port("http1"), "web")).status, 200);
  assert.is(rig.context.inFlight, 1);
  peer.link.reset(slow, 8);
  await eventually(() => rig.context.inFlight === 0);
  peer.close();
  assert.equal(rig.faults, []);
  rig.stop();
  await origin.close();
});

test("the limit of requests in flight is the process's, in equal shares", () => {
  const rig = new LoopRig(4);
  const { context } = rig;
  assert.is(context.inFlightMax, IN_FLIGHT_MAX);
  context.inFlight = IN_FLIGHT_MAX - 1;
  assert.ok(context.enter());
  assert.not(context.enter());
  assert.is(context.tooMany, "overloaded");
  rig.stop();
});

test.run();
