#!/usr/bin/env node
// npm run check: format and lint, types by tsc, types by Deno. Runs all three, then says which failed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { childEnv, denoPath, ensureInstalled, root } from "./runtimes.mjs";

ensureInstalled({ dev: true });
const tool = (name) => join(root, "node_modules/.bin", name);
const folders = ["src", "workers", "test", "bench"].filter((folder) => existsSync(root + folder));
const checks = {
  "biome ci": [tool("biome"), ["ci", "."]],
  tsc: [tool("tsc"), ["-p", "."]],
  "deno check": [denoPath(), ["check", "--quiet", ...folders]],
};
const failed = Object.entries(checks).filter(([name, [command, args]]) => {
  const { status } = spawnSync(command, args, { cwd: root, env: childEnv, stdio: "inherit" });
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${name}`);
  return status !== 0;
});
process.exit(failed.length > 0 ? 1 : 0);
