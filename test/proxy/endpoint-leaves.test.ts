// timeout: 60s
/** Endpoints that leave a service while requests are on their way to them. */
import { connect, type Socket } from "node:net";
import * as assert from "uvu/assert";
import { Arena } from "../../src/net/arena.ts";
import { libc } from "../../src/net/libc.ts";
import { listen } from "../../src/net/listener.ts";
import { eventually } from "../support/eventually.ts";
import { later } from "../support/later.ts";
import { ask, originOf, VERSIONS } from "../support/routed-peers.ts";
import { startRouted } from "../support/routed-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/endpoint-leaves");

/** A port to which connecting takes for ever: its queue is full, and nobody accepts. */
async function deafPort(): Promise<{ readonly port: number; close(): void }> {
  const opened = listen(new Arena(1), { ip: Uint8Array.of(127, 0, 0, 1), port: 0 }, 0);
  if ("error" in opened) throw new Error(opened.error);
  const sockets: Socket[] = [];
  const dial = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: opened.port });
      sockets.push(socket);
      socket.on("error", () => resolve(false));
      socket.on("connect", () => resolve(true));
      later(100, () => resolve(false));
    });
  await eventually(async () => !(await dial()), { what: "the queue is full" });
  return {
    port: opened.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      libc.close(opened.fd);
    },
  };
}

test("who waits for a connection to an endpoint that leaves goes to one that stays", async () => {
  const rig = await startRouted();
  const deaf = await deafPort();
  const origin = await originOf("http2", () => 200);
  for (const version of VERSIONS) {
    await rig.publish([{ name: "web", at: [{ port: deaf.port, speaks: "sidecar" }] }]);
    const answers = [1, 2, 3].map(() => ask(version, rig.port, "web", { path: "/" }));
    await eventually(() => rig.pending() === answers.length);
    await rig.publish([{ name: "web", at: [origin] }]);
    for (const answer of answers) assert.is((await answer).status, 200, version);
  }
  // It has not failed: it has left.
  assert.is(rig.count("retried_connect"), 0);
  await rig.publish([{ name: "web", at: [{ port: deaf.port, speaks: "sidecar" }] }]);
  const lost = ask("http1", rig.port, "web", { path: "/" });
  await eventually(() => rig.pending() === 1);
  // It was the last: the next one is waited for, of a service that had some.
  await rig.publish([{ name: "web", at: [] }]);
  const late = ask("http2", rig.port, "web", { path: "/" });
  await eventually(() => rig.count("queue_waited") === 2);
  await rig.publish([{ name: "web", at: [origin] }]);
  for (const answer of [lost, late]) assert.is((await answer).status, 200);
  await rig.publish([]);
  assert.is((await ask("http1", rig.port, "web", { path: "/" })).status, 504, "nobody knows it");
  await rig.stop();
  await origin.close();
  deaf.close();
});

test.run();
