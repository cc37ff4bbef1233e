// exclusive
/**
 * The soak `memory` in short: requests of both versions and connections of all kinds; each must get
 * its answer, no descriptor may be left, and memory stays bounded. Whether it is flat is seen only in
 * millions (`npm run soak -- memory`): before, engines still compile.
 */
import * as assert from "uvu/assert";
import { memoryRun } from "../support/memory-run.ts";
import { suite } from "../support/test.ts";

/** Two kilobytes lost with each request, or 32 with each connection, would be more. */
const GROWTH_MIB_MAX = 64;

const test = suite("worker/memory");
test.timeout(60_000);

test("thousands of requests and connections leave little behind", async () => {
  const figures = await memoryRun({ requests: 40_000, connections: 2_000, steps: 4 });
  const { failed, missing, descriptorsMore, violations, stepsMiB } = figures;
  const left = { failed, missing, descriptorsMore, violations };
  assert.equal(left, { failed: 0, missing: 0, descriptorsMore: 0, violations: 0 });
  const [first = 0] = stepsMiB;
  const last = stepsMiB.at(-1) ?? 0;
  assert.ok(last - first < GROWTH_MIB_MAX, `resident MiB: ${stepsMiB.join(", ")}`);
});

test.run();
