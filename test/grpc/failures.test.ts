// timeout: 180s
/**
 * What a gRPC client is told when the server dies in the middle of its call, or was never there:
 * UNAVAILABLE, which it may try again, and never a cut connection.
 */
import * as assert from "uvu/assert";
import { suite } from "../support/test.ts";
import { startTwoSidecars } from "../support/two-sidecars.ts";
import { direct, runCase, startClient, throughSidecars } from "./peers.ts";

const UNAVAILABLE = 14;
/** Told at once, or after it was waited for (DEADLINE_EXCEEDED, as Linkerd has it). */
const AWAY: readonly number[] = [UNAVAILABLE, 4];

const test = suite("grpc/failures");
test.timeout(60_000);

for (const [way, startWay] of [
  ["directly", direct],
  ["through two sidecars", throughSidecars],
] as const) {
  for (const [title, name, began] of [
    ["before it answers", "hang", "Hang"],
    ["after a first message", "hangLate", "HangLate"],
  ] as const) {
    test(`a server killed ${title} is UNAVAILABLE, ${way}`, async () => {
      const between = await startWay();
      try {
        const client = startClient(between.port, "web", name);
        await between.server.find(`${began} began`, (fact) => fact["began"] === began);
        if (name === "hangLate") {
          // The client must have got the message before the server goes.
          await client.find("the first message", (fact) => fact["first"] === true);
        }
        between.server.child.kill("SIGKILL");
        const facts = await client.find("the end", (fact) => fact["case"] === name);
        assert.is(facts["code"], UNAVAILABLE, JSON.stringify(facts));
        if (name === "hangLate") assert.is(facts["count"], 1);
        await client.exited;
      } finally {
        await between.stop();
      }
    });
  }
}

/** A port on which nothing listens, and that the kernel gives to nobody. */
const DEAD_PORT = 9;

for (const [title, authority] of [
  ["no sidecar at the other end", "gone"],
  ["no application behind the far sidecar", "web"],
] as const) {
  test(`${title} is told in a response of trailers only`, async () => {
    const sidecars = await startTwoSidecars({
      app: `h2:127.0.0.1:${DEAD_PORT}`,
      argsOfA: [`--upstream=gone=sidecar:127.0.0.1:${DEAD_PORT}`],
    });
    try {
      const { code } = await runCase(sidecars.port, "unary", authority);
      assert.ok(AWAY.includes(Number(code)), String(code));
      const facts = await runCase(sidecars.port, "bare", authority);
      const headers = facts["headers"] as Record<string, unknown>;
      assert.is(headers[":status"], 200);
      assert.ok(AWAY.includes(Number(headers["grpc-status"])), String(headers["grpc-status"]));
      assert.match(String(headers["content-type"]), /^application\/grpc/);
      assert.equal([facts["endsThere"], facts["bodyBytes"]], [true, 0]);
    } finally {
      await sidecars.stop();
    }
  });
}

test.run();
