// A bundle becomes dist/outrigger-deno by `deno compile`, which downloads the runtime that it puts in
// front (denort). No package registry has that. Where it cannot be had, the bundle is checked as far as
// that goes without it, and kept, with a script that runs it on the Deno which is installed.
import { chmodSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { tryTool } from "./bundle.mjs";
import { denoPath, denoPermissions, fail } from "./runtimes.mjs";

const TARGETS = { x64: "x86_64-unknown-linux-gnu", arm64: "aarch64-unknown-linux-gnu" };
/** EX_UNAVAILABLE: no program was made, for want of something that is not ours. */
const EXIT_UNAVAILABLE = 69;
/** No deno.json, no package but those in the bundle, and no file in the folder for temporary ones. */
const FLAGS = ["--quiet", "--no-config", "--no-remote", "--no-npm", "--no-code-cache"];

export function compileDeno({ folder, entries, arch, out }) {
  const launcher = `${out}.sh`;
  for (const name of readdirSync(folder)) {
    // What the bundler tells of itself is not for running.
    if (name.endsWith(".json")) rmSync(join(folder, name));
  }
  rmSync(launcher, { force: true });
  const { failure } = compile({ folder, entries, arch, out }, {});
  if (failure === null) {
    if (arch === process.arch) expectProgram(out);
    rmSync(folder, { recursive: true, force: true });
    console.log(out);
    return;
  }
  checkGraph({ folder, entries, arch, out });
  writeLauncher(launcher, folder);
  console.error(
    [
      `outrigger: ${out} was not made: deno compile failed, most likely for want of its runtime.`,
      failure.replace(/^/gm, "  | "),
      "What was checked instead: all modules and threads are found, and all would be in the program.",
      `What runs: ${launcher}, that very bundle on the deno in PATH (or $DENO), with the same rights.`,
      "With DENORT_BIN=FILE, a denort of this version of Deno, nothing is downloaded.",
    ].join("\n"),
  );
  process.exit(EXIT_UNAVAILABLE);
}

/** Writes it under another name first: what is at `out` is a program, or nothing is. */
function compile({ folder, entries, arch, out }, env) {
  const [main, ...threads] = entries;
  const fresh = `${out}.fresh`;
  const flags = [
    ...["compile", ...FLAGS.filter((flag) => flag !== "--quiet"), ...denoPermissions],
    ...[`--target=${TARGETS[arch]}`, `--output=${fresh}`],
    ...threads.flatMap((thread) => ["--include", thread]),
  ];
  const result = tryTool(denoPath(), [...flags, main], folder, { NO_COLOR: "1", ...env });
  if (result.failure === null) renameSync(fresh, out);
  rmSync(fresh, { force: true });
  return result;
}

/** With Deno in place of its runtime the command runs to its end; what it writes is not a program. */
function checkGraph({ folder, entries, arch, out }) {
  const check = { folder, entries, arch, out };
  const { failure, output } = compile(check, { DENORT_BIN: denoPath() });
  rmSync(out, { force: true });
  if (failure !== null) fail(`deno compile failed\n${failure}`);
  const missing = readdirSync(folder).filter((name) => !output.includes(` ${name}`));
  if (missing.length > 0) fail(`deno compile leaves out ${missing.join(", ")}\n${output}`);
}

/** Whatever DENORT_BIN or the download was. */
function expectProgram(out) {
  const { failure, output } = tryTool(out, ["version"]);
  if (failure === null && output.startsWith("outrigger ")) return;
  rmSync(out, { force: true });
  fail(`what deno compile made does not run\n${failure ?? output}`);
}

function writeLauncher(path, folder) {
  const lines = [
    "#!/bin/sh",
    "# Runs the bundle beside this file on the deno in PATH, or on $DENO, as the compiled program would.",
    'here=$(dirname -- "$(readlink -f -- "$0")") || exit 1',
    "export DENO_NO_UPDATE_CHECK=1",
    "# What Deno finds out about a program it keeps here, for a faster start. Unless a place is named there",
    "# is none, as the program writes to no other folder than it is told, not even as root.",
    `export DENO_DIR="\${DENO_DIR:-/dev/null/none}"`,
    `exec "\${DENO:-deno}" run ${[...FLAGS, ...denoPermissions].join(" ")} \\`,
    `  "$here/${basename(folder)}/main.js" "$@"`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o755);
}
