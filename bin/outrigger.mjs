#!/usr/bin/env node
// outrigger ARGS: `npm start -- ARGS`, `bun run outrigger ARGS`, `deno task outrigger ARGS`.
// Node only finds a runtime: Bun, or with OUTRIGGER_RUNTIME=deno Deno. On either of them this very
// process becomes the program; both also stand in for `node` where there is none. (The task of
// deno.json cannot say `deno`: that is then node_modules/.bin/deno, which it would run as a script.)
import { commandFor, ensureInstalled, root, run } from "./runtimes.mjs";

const MAIN = "src/cli/main.ts";

ensureInstalled();
if (process.versions.bun || process.versions.deno) {
  // Not a literal, so that Deno looks for packages only now that they are installed.
  await import(new URL(`../${MAIN}`, import.meta.url).href);
} else {
  const runtime = process.env.OUTRIGGER_RUNTIME || "bun";
  run(commandFor(runtime, root + MAIN, process.argv.slice(2)));
}
