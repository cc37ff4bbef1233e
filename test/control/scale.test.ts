// timeout: 60s
/** The short form of the soak `control-scale`: fewer endpoints and sidecars, and for two seconds. */
import * as assert from "uvu/assert";
import { thisRuntime } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { runTool } from "../support/tool.ts";

const test = suite("control/scale");
test.timeout(50_000);

test("everybody who watches is told of each change, and memory has a bound", async () => {
  const size = { endpoints: 1_000, sidecars: 60, services: 20, seconds: 2, runtime: thisRuntime };
  const flags = Object.entries(size).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { status, output } = await runTool("node", ["bin/soak.mjs", "control-scale", ...flags]);
  assert.match(output, /^1000 endpoints announced .*\n60 sidecars have their lists/m);
  assert.match(output, /^20 changes, told \d{3,} times/m);
  assert.match(output, /\nall is well\n$/);
  assert.is(status, 0);
});

test.run();
