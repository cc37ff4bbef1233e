// timeout: 60s
/**
 * Bytes that are copied in user space, and Atomics, for each request: a worker's data path on the test's
 * own thread, with the language's own functions counted. What the kernel copies is in
 * system-calls.test.ts.
 */
import type { Service, Speaks } from "../../src/mesh/snapshot.ts";
import { assertWithin, type Budget } from "../support/budget.ts";
import {
  askOnNewConnections,
  ClosedLoop,
  http1Origin,
  type Origin,
} from "../support/closed-loop.ts";
import { ClosedLoopHttp2, http2Origin } from "../support/closed-loop-http2.ts";
import { counting, takeCounts } from "../support/counted-memory.ts";
import { LoopRig } from "../support/loop-rig.ts";
import { ANSWER, answerOf, CONTENT, GET, LAST, postOf } from "../support/plain-messages.ts";
import { suite } from "../support/test.ts";

const KIB = 1_024;
/** The hand-off ring is looked at in each turn, and how many there are is a matter of time. */
const PER_TURN = [0.05, 8] as const;
const test = suite("budget/copies");
const rig = new LoopRig(1, counting);
const origins: Origin[] = [];

/** Has the rig know the service `web` at `origin`. */
function publish(origin: Origin, speaks: Speaks): void {
  const ip = Uint8Array.of(127, 0, 0, 1);
  const endpoint = { row: origins.length, series: 10, ip, port: origin.port, speaks, peer: null };
  const service: Service = {
    name: "web",
    series: 1,
    endpoints: [endpoint],
    failure: null,
    routes: [],
  };
  origins.push(origin);
  rig.publish([service]);
}

test.after(async () => {
  rig.stop();
  await Promise.all(origins.map((origin) => origin.close()));
});

/** What `requests` of one kind cost each, on eight kept connections of HTTP/1. */
async function measure(what: string, request: string, budget: Budget): Promise<void> {
  const loop = await ClosedLoop.open(rig.port("http1"), 8, request);
  await loop.run(24);
  takeCounts();
  await loop.run(200);
  report(what, 200, budget);
  loop.close();
}

function report(what: string, requests: number, budget: Budget): void {
  const { bytes, atomics } = takeCounts();
  const counts = new Map(atomics);
  for (const count of bytes.values()) counts.set("bytes", (counts.get("bytes") ?? 0) + count);
  assertWithin(budget, counts, requests, what);
}

test("HTTP/1: each head twice or once, little content once", async () => {
  publish(await http1Origin(ANSWER), "http1");
  await measure("HTTP/1", GET, {
    bytes: [250, 290],
    store: [1.9, 2.3],
    load: PER_TURN,
    others: [0, 0.3],
  });
});

test("a response of 48 KiB is not copied", async () => {
  publish(await http1Origin(answerOf(48 * KIB)), "http1");
  await measure("48 KiB down", GET, {
    bytes: [190, 230],
    store: [1.9, 2.3],
    load: PER_TURN,
    others: [0, 0.3],
  });
});

test("a request of 48 KiB is copied once, to be sent again", async () => {
  publish(await http1Origin(ANSWER), "http1");
  await measure("48 KiB up", postOf(48 * KIB), {
    bytes: [49_300, 49_900],
    store: [2.9, 3.3],
    load: PER_TURN,
    others: [0, 0.3],
  });
});

test("HTTP/1, a new connection for each request", async () => {
  publish(await http1Origin(ANSWER), "http1");
  await askOnNewConnections(rig.port("http1"), 16, 4, LAST);
  takeCounts();
  await askOnNewConnections(rig.port("http1"), 100, 4, LAST);
  report("new connection", 100, {
    bytes: [310, 370],
    store: [3.9, 4.3],
    load: [9.5, 14],
    compareExchange: [3.9, 4.3],
    add: [1.9, 2.1],
    others: [0, 0.3],
  });
});

test("HTTP/2 on both sides", async () => {
  publish(await http2Origin(CONTENT), "http2");
  const loop = await ClosedLoopHttp2.open(rig.port("http2"), 10, "web");
  await loop.run(50);
  takeCounts();
  await loop.run(500);
  report("HTTP/2", 500, { bytes: [200, 245], store: [1.9, 2.3], load: PER_TURN, others: [0, 0.3] });
  loop.close();
});

test.run();
