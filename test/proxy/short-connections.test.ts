/**
 * Short connections of careless clients (support/short-connection.ts), many at once. Each that waits gets
 * all of its answers, in their order and nobody else's, and then the end: no edge of epoll and no wake-up
 * is lost on the way from acceptor to worker to backend.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as assert from "uvu/assert";
import { startProgram } from "../support/program.ts";
import { seeded } from "../support/random.ts";
import { carryOut, planOf } from "../support/short-connection.ts";
import { suite } from "../support/test.ts";

const CONNECTIONS = 1_500;
/** At once. */
const LANES = 48;

const test = suite("proxy/short-connections");
test.timeout(60_000);

test("every short connection gets its answers and its end, from whichever worker", async () => {
  const origin = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.end(`<${request.url}:${Buffer.concat(chunks).toString()}>`));
  });
  origin.on("clientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => void origin.listen(0, "127.0.0.1", resolve));
  const { port } = origin.address() as AddressInfo;
  const program = await startProgram([`--upstream=web=127.0.0.1:${port}`, "--workers=3"]);
  const random = seeded("short-connections");
  const wrong: string[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < CONNECTIONS && wrong.length === 0) {
      const error = await carryOut(program.port("outbound"), planOf(random, begun++));
      if (error !== null) wrong.push(error);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const metrics = await (await program.admin("/metrics")).text();
  program.child.kill("SIGKILL");
  await program.exited;
  origin.closeAllConnections();
  origin.close();
  assert.equal(wrong, []);
  assert.match(metrics, /^outrigger_worker_faults_total 0$/m);
  assert.match(metrics, /^outrigger_descriptor_violations_total 0$/m);
});

test.run();
