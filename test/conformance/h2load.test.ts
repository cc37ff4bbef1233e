// timeout: 300s
// exclusive
/**
 * h2load through the program: 100 connections of 100 streams to an HTTP/2 origin, fewer to an HTTP/1
 * origin, which needs a connection for each request in flight. Every request succeeds and the memory
 * of the program stays bounded. A million requests are `npm run soak -- h2load`.
 */
import * as assert from "uvu/assert";
import { startProgram } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { findTool, residentMiB } from "../support/tool.ts";
import { type Load, readResult, runH2load } from "./h2load.ts";
import { type Origin, startNginx } from "./nginx.ts";

/** Enough requests that a leak of a kilobyte for each would show. */
const ROUNDS = 6;

/**
 * Resident memory after all rounds. Not a bound on growth from one round to the next: a collector
 * lets garbage pile up for many rounds, to 400 MiB on Bun, which counts the arena of 128 MiB as live
 * heap and collects when as much again is new.
 */
const RESIDENT_MIB_MAX = 512;

const TO_HTTP2: Load = { requests: 20_000, connections: 100, streams: 100 };
const TO_HTTP1: Load = { requests: 20_000, connections: 20, streams: 20 };

const test = suite("conformance/h2load");
test.timeout(140_000);

let origin: Origin | null = null;
test.before(async () => {
  origin = await startNginx();
});
test.after(async () => {
  await origin?.stop();
});

test("readResult() tells what was asked from what succeeded", () => {
  const output = [
    "finished in 441.12ms, 45339.14 req/s, 2.95MB/s",
    "requests: 20 total, 19 started, 18 done, 17 succeeded, 1 failed, 1 errored, 0 timeout",
    "status codes: 16 2xx, 0 3xx, 0 4xx, 1 5xx",
  ].join("\n");
  const want = { total: 20, succeeded: 17, status2xx: 16, requestsPerSecond: 45339.14 };
  assert.equal(readResult(output), want);
  assert.throws(() => readResult("could not connect"), /no report/);
});

for (const [name, load] of [
  ["h2", TO_HTTP2],
  ["h1", TO_HTTP1],
] as const) {
  for (const listener of ["inbound", "outbound"] as const) {
    test(`every request succeeds, ${listener} to ${name}, and memory is bounded`, async () => {
      const path = findTool("h2load");
      if (path === null) throw new Error("h2load is missing: install nghttp2-client");
      const endpoint = `${name}:127.0.0.1:${name === "h1" ? origin?.http1Port : origin?.http2Port}`;
      const flag = listener === "inbound" ? `--app=${endpoint}` : `--upstream=web=${endpoint}`;
      const program = await startProgram(["--workers=1", flag]);
      try {
        for (let round = 1; round <= ROUNDS; round++) {
          const authority = ["--header=:authority: web"];
          const result = await runH2load(path, program.port(listener), load, authority);
          const seen = `round ${round}: ${JSON.stringify(result)} ${program.log().slice(-2_000)}`;
          assert.is(result.total, load.requests, seen);
          assert.is(result.succeeded, load.requests, seen);
          assert.is(result.status2xx, load.requests, seen);
        }
        const resident = residentMiB(program);
        assert.ok(resident < RESIDENT_MIB_MAX, `${resident} MiB after ${ROUNDS} rounds`);
        assert.is(program.child.exitCode, null, program.log());
      } finally {
        program.child.kill("SIGKILL");
        await program.exited;
      }
    });
  }
}

test.run();
