#!/usr/bin/env node
// npm run soak -- NAME [flags] [--runtime bun|deno]: runs the long proof test/soak/NAME.ts.
// Without a name it lists them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, root, run, takeFlag, testCommandFor } from "./runtimes.mjs";

const args = process.argv.slice(2);
const runtime = takeFlag(args, "--runtime", "bun");
const [name, ...flags] = args;
const folder = join(root, "test/soak");
const names = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
      .map((file) => file.slice(0, -".ts".length))
      .sort()
  : [];

if (names.includes(name)) {
  ensureInstalled({ dev: true });
  run(testCommandFor(runtime, join(folder, `${name}.ts`), flags));
} else {
  console.log("npm run soak -- NAME [flags] [--runtime bun|deno]");
  for (const each of names) console.log(`  ${each.padEnd(20)} ${about(each)}`);
  if (name !== undefined) {
    console.error(`outrigger: no long proof is named ${JSON.stringify(name)}`);
    process.exitCode = 1;
  }
}

/** The first sentence of a file's first comment. */
function about(name) {
  const text = readFileSync(join(folder, `${name}.ts`), "utf8");
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? "";
  const plain = comment
    .replace(/^\s*\*/gm, " ")
    .replace(/\s+/g, " ")
    .trim();
  return /^.*?[.:](?= |$)/.exec(plain)?.[0] ?? plain;
}
