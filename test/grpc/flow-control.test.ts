// timeout: 180s
// exclusive
/**
 * Flow control from end to end: while a gRPC client does not read a stream of 64 MiB, the server
 * comes to a halt and neither sidecar holds what the client does not take. Then everything arrives.
 */
import * as assert from "uvu/assert";
import { lapse } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { residentMiB } from "../support/tool.ts";
import { type GrpcServer, runCase, startClient, throughSidecars } from "./peers.ts";

const OK = 0;
const STREAM_BYTES = 64 << 20;

/** Three hops with windows of 64 KiB to 1 MiB, socket buffers, and what Node's streams take. */
const WRITTEN_BYTES_MAX = 24 << 20;
const GROWTH_MIB_MAX = 64;

/** Without a halt the server would send all in well under a second. */
const HALT_MS = 2_000;

const test = suite("grpc/flow-control");
test.timeout(90_000);

function writtenBy(server: GrpcServer): number {
  const reports = server.facts.map((fact) => Number(fact["written"] ?? 0));
  return Math.max(0, ...reports);
}

test("a slow reader pauses the server, both sidecars stay small, and nothing is lost", async () => {
  const between = await throughSidecars();
  const { server, sidecars } = between;
  if (sidecars === null) throw new Error("there are no sidecars");
  try {
    // Connections, tables and the code itself are there before it is weighed.
    await runCase(between.port, "serverStream");
    const before = [sidecars.a, sidecars.b].map(residentMiB);
    const client = startClient(between.port, "web", "slow");
    await client.find("the client stopped reading", (fact) => fact["paused"] === true);
    await lapse(HALT_MS);
    const written = writtenBy(server);
    await lapse(HALT_MS);
    assert.is(writtenBy(server), written, "the server goes on writing");
    assert.ok(written < WRITTEN_BYTES_MAX, `the server could write ${written} bytes`);
    const halted = [sidecars.a, sidecars.b].map(residentMiB);
    client.child.stdin?.write("go on\n");
    const facts = await client.find("the whole stream", (fact) => fact["case"] === "slow");
    assert.equal(facts, { case: "slow", code: OK, size: STREAM_BYTES });
    const after = [sidecars.a, sidecars.b].map(residentMiB);
    for (const [i, name] of ["A", "B"].entries()) {
      for (const resident of [halted, after]) {
        const grown = (resident[i] ?? 0) - (before[i] ?? 0);
        assert.ok(grown < GROWTH_MIB_MAX, `${name} grew by ${grown} MiB`);
      }
    }
    await client.exited;
  } finally {
    await between.stop();
  }
});

test.run();
