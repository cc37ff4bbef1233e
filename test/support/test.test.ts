import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { suite } from "./test.ts";

const test = suite("support/test");
const isDeno = process.versions["deno"] !== undefined;

test("suite() counts each kind of fault and ends the process", () => {
  const fixture = fileURLToPath(new URL("fixtures/faults.ts", import.meta.url));
  const args = isDeno ? ["run", "--allow-all", fixture] : [fixture];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, SEED: "7" },
  });
  assert.is(status, 1);
  const counts = stdout.split("\n").filter((line) => /passed, [0-9]+ failed$/.test(line));
  assert.equal(counts, [
    "suite fine: 2 passed, 0 failed",
    "suite slow: 1 passed, 2 failed",
    "suite hooked: 0 passed, 1 failed",
    "suite after: 1 passed, 1 failed",
    "suite each: 0 passed, 1 failed",
    "suite only: 1 passed, 1 failed",
    "suite empty: 0 passed, 1 failed",
    "suite forgotten: 0 passed, 1 failed",
  ]);
  assert.match(stdout, "not ended within 50 ms");
  assert.match(stdout, "no ground to stand on");
  assert.match(stdout, /^SEED=7$/m);
});

test.run();
