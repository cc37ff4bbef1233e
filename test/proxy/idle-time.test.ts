// Connections that an application closes when they have idled for a while: nobody's request is lost to
// that, also not one that cannot be sent twice.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { learnedIdleMs, safeIdleMs } from "../../src/proxy/idle-time.ts";
import { POOL_IDLE_MARGIN_MS, POOL_IDLE_MS } from "../../src/proxy/limits.ts";
import { lapse } from "../support/eventually.ts";
import { Http2Peer } from "../support/http2-peer.ts";
import { later } from "../support/later.ts";
import { type RoutedRig, startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/idle-time");

test("the first close counts for half, an earlier one at once, a later one a little", () => {
  assert.is(learnedIdleMs(0, 1_000), 500);
  assert.is(learnedIdleMs(1_000, 200), 200);
  assert.is(learnedIdleMs(200, 1_000), 225);
  assert.is(learnedIdleMs(200, 3_600_000), 288, "no more than is waited for");
  assert.is(learnedIdleMs(0, 3_600_000), POOL_IDLE_MS);
  assert.is(learnedIdleMs(500, 0), 500, "closed at once: that was not for its age");
  assert.is(learnedIdleMs(0, 19), 0);
});

test("a restart is forgotten", () => {
  let known = learnedIdleMs(POOL_IDLE_MS, 20);
  assert.is(known, 20);
  let seen = 0;
  for (; known < POOL_IDLE_MS - 100; seen++) known = learnedIdleMs(known, POOL_IDLE_MS);
  assert.ok(seen < 110, `${seen} connections`);
  for (let i = 0; i < 100; i++) known = learnedIdleMs(known, POOL_IDLE_MS);
  assert.is(known, POOL_IDLE_MS, "it is reached");
});

test("what is used is always younger than what was seen to be closed", () => {
  for (let known = 20; known <= POOL_IDLE_MS; known++) {
    const safe = safeIdleMs(known);
    assert.ok(safe < known && safe >= known * 0.75, `${known}: ${safe}`);
  }
  assert.is(safeIdleMs(POOL_IDLE_MS), POOL_IDLE_MS - POOL_IDLE_MARGIN_MS);
});

type Closing = { readonly server: Server; readonly port: number; accepted: number };

/** An application that closes a connection `idleMs()` after each response; it keeps quiet about it. */
async function closing(idleMs: () => number): Promise<Closing> {
  const server = createServer((socket: Socket) => {
    state.accepted++;
    let asked = 0;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      if (!chunk.toString("latin1").endsWith("\r\n\r\n")) return;
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      const latest = ++asked;
      later(idleMs(), () => {
        if (asked === latest) socket.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const state: Closing = { server, port, accepted: 0 };
  return state;
}

let rig: RoutedRig;
test.before(async () => {
  rig = await startRouted();
});
test.after(() => rig.stop());

/** Sends requests to each service, one `everyMs` after the other's answer; returns outcomes. */
async function steadily(
  services: readonly string[],
  method: string,
  everyMs: () => number,
  times: number,
): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>();
  await Promise.all(
    services.map(async (service) => {
      const peer = await Http2Peer.connect(rig.port);
      for (let i = 0; i < times; i++) {
        const { outcome } = await peer.ask([
          [":method", method],
          [":scheme", "http"],
          [":authority", service],
          [":path", "/"],
        ]);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        await lapse(everyMs());
      }
      peer.close();
    }),
  );
  return outcomes;
}

/** Names of twenty services, each with an application of its own. */
async function publishAll(
  name: string,
  idleMs: () => number,
): Promise<{ names: string[]; specs: { name: string; at: Closing[] }[] }> {
  const backends = await Promise.all(Array.from({ length: 20 }, () => closing(idleMs)));
  const specs = backends.map((backend, i) => ({ name: `${name}-${i}`, at: [backend] }));
  return { names: specs.map((spec) => spec.name), specs };
}

test("backends that close idle connections cost no POST, and after learning no repeat", async () => {
  const fixed = await publishAll("fixed", () => 400);
  const random = await publishAll("random", () => 300 + Math.random() * 500);
  const keeps = await closing(() => 60_000);
  const specs = [...fixed.specs, ...random.specs];
  await rig.publish([...specs, { name: "keeps", at: [keeps] }]);
  // Just when they are closed, and around it. Much shorter, and a loaded machine is late by as much.
  const [justThen, around] = [() => 396 + Math.random() * 8, () => 200 + Math.random() * 600];
  const all = async (method: string, times: number): Promise<number> => {
    const told = await Promise.all([
      steadily(fixed.names, method, justThen, times),
      steadily(random.names, method, around, times),
    ]);
    for (const each of told) assert.equal([...each], [["200 ended", 20 * times]], method);
    return rig.count("retried_reused");
  };
  const kept = async (): Promise<void> => {
    await steadily(["keeps"], "POST", () => 5, 20);
    assert.ok(keeps.accepted <= 5, `${keeps.accepted} connections for 20 requests`);
    const soFar = keeps.accepted;
    // Nobody knows yet that it keeps them.
    await steadily(["keeps"], "POST", () => 150, 2);
    assert.ok(keeps.accepted > soFar, "what cannot be repeated takes no chance");
    await lapse(POOL_IDLE_MS + 500);
    const before = keeps.accepted;
    await steadily(["keeps"], "POST", () => 300, 4);
    assert.is(keeps.accepted, before + 1, "now it is known");
  };
  const closed = async (): Promise<void> => {
    const before = await all("POST", 5);
    assert.is((await all("GET", 4)) - before, 0, "none had to be repeated");
  };
  await Promise.all([kept(), closed()]);
  for (const { at } of specs) for (const { server } of at) server.close();
  keeps.server.close();
});

test.run();
