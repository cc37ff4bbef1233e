import net from "node:net";
import * as assert from "uvu/assert";
import { runOpenLoop } from "../../bench/load/open-loop.ts";
import { valueAt } from "../../bench/percentiles.ts";
import { suite } from "../support/test.ts";

const test = suite("bench/open-loop");

/** Answers every request at once, but for one time in which it stands still; returns its port. */
async function answerBut(stallFromMs: number, stallMs: number): Promise<net.Server> {
  let firstMs: number | null = null;
  let hasStalled = false;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      firstMs ??= performance.now();
      if (!hasStalled && performance.now() - firstMs >= stallFromMs) {
        hasStalled = true;
        // The whole process, as for a garbage collection.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
      }
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

test("a stall is charged to every request that was due in it", async () => {
  const stallMs = 400;
  const server = await answerBut(1_300, stallMs);
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  let begun = 0;
  const load = await runOpenLoop({ port, host: "any", seconds: 1 }, 200, 1, 2, () => begun++);
  server.close();
  assert.is(begun, 1);
  assert.is(load.errors, 0);
  assert.is(load.requests, 200, "those of the warm-up are not counted");
  // 80 of 200 requests were due in it and waited from 400 ms down to 0, evenly: a client that sends
  // only when it was answered would have had a single late one for each of its connections.
  const at = (percent: number): number => valueAt(load.latenciesMs, percent) ?? Number.NaN;
  assert.ok(at(95) >= 0.7 * stallMs, `p95 ${at(95)} ms`);
  assert.ok(at(75) >= 0.25 * stallMs, `p75 ${at(75)} ms`);
  assert.ok(at(100) >= 0.95 * stallMs, `max ${at(100)} ms`);
  assert.ok(at(50) <= 0.25 * stallMs, `p50 ${at(50)} ms`);
  assert.is(valueAt(load.latenciesMs, 99), null, "200 samples do not tell it");
});

test.run();
