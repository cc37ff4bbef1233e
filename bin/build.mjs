#!/usr/bin/env node
// npm run build [-- --runtime bun|deno] [--arch x64|arm64] [--out FILE]: the program in one file,
// dist/outrigger-bun. `deno task compile` is the same with --runtime deno.
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { bundle, runTool } from "./bundle.mjs";
import { compileDeno } from "./compile-deno.mjs";
import { otherBun } from "./other-bun.mjs";
import { bunPath, ensureInstalled, fail, root, takeFlag } from "./runtimes.mjs";

const ARCHS = ["x64", "arm64"];

const args = process.argv.slice(2);
const runtime = takeFlag(args, "--runtime", "bun");
const arch = takeFlag(args, "--arch", process.arch);
const out = resolve(takeFlag(args, "--out", join(root, "dist", `outrigger-${runtime}`)));
if (args.length > 0)
  fail(`${args[0]}: expected --runtime bun|deno, --arch x64|arm64 or --out FILE`);
if (!ARCHS.includes(arch))
  fail(`--arch: ${JSON.stringify(arch)} is not one of ${ARCHS.join(", ")}`);

const compile = { bun: compileBun, deno: compileDeno }[runtime];
if (compile === undefined) fail(`--runtime: ${JSON.stringify(runtime)} is not one of bun, deno`);

ensureInstalled();
mkdirSync(dirname(out), { recursive: true });
const folder = `${out}.bundle`;
// What is there from an earlier build must not be taken for this one's.
rmSync(out, { force: true });
compile({ folder, entries: bundle(folder), arch, out });

function compileBun({ folder, entries, arch, out }) {
  const target = [`--target=bun-linux-${arch}`];
  if (arch !== process.arch) target.push(`--compile-executable-path=${otherBun(arch)}`);
  const flags = [
    ...["build", "--compile", ...target, "--root=.", `--outfile=${out}`],
    // Bytecode halves the time to start; without splitting, a program with it does not start at all.
    ...["--minify", "--splitting", "--bytecode", "--format=esm"],
    // A folder that somebody happens to start it in must not configure it.
    ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
  ];
  runTool(bunPath(), [...flags, ...entries], folder);
  rmSync(folder, { recursive: true, force: true });
  console.log(out);
}
