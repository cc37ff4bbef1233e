// The program and its threads as flat, minified JavaScript, the same for both runtimes, made by
// Bun's bundler. Of node_modules only what is used is in it.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bunPath, childEnv, fail, root } from "./runtimes.mjs";

/** The program, and the files of workers/, where src/net/thread.ts looks for them by their names. */
const MAIN = "src/cli/main.ts";
const THREADS = ["acceptor", "proxy", "rpc-client", "rpc-server"];
/** What tinypool starts a thread with. It looks for that beside whichever file it is itself in. */
const POOL = "node_modules/tinypool/dist";
const POOL_ENTRY = "entry/worker.js";

/** What Bun says of the two bundles, in their folder. */
const METAFILES = ["main.meta.json", "pool.meta.json"];

/** Some tools download a runtime of 40 to 50 MB. */
const TOOL_TIMEOUT_MS = 300_000;

/** Writes the bundle to a folder, which is emptied. Returns its entries, the program first. */
export function bundle(folder) {
  rmSync(folder, { recursive: true, force: true });
  const flags = ["build", "--target=node", "--minify", `--outdir=${folder}`];
  const threads = THREADS.map((name) => `workers/${name}.ts`);
  runTool(bunPath(), [
    ...[...flags, "--splitting", "--root=.", "--entry-naming=[name].[ext]"],
    ...["--define", `OUTRIGGER_BUILD=${JSON.stringify(about())}`, MAIN, ...threads],
    `--metafile=${join(folder, METAFILES[0])}`,
  ]);
  const pool = [`--metafile=${join(folder, METAFILES[1])}`, join(POOL, POOL_ENTRY)];
  runTool(bunPath(), [...flags, `--root=${POOL}`, ...pool]);
  return ["main.js", ...THREADS.map((name) => `${name}.js`), POOL_ENTRY];
}

/** The files, from the root of the repository, that a bundle in `folder` is made of. */
export function bundledFiles(folder) {
  const files = METAFILES.flatMap((name) =>
    Object.entries(JSON.parse(readFileSync(join(folder, name), "utf8")).outputs).flatMap(
      ([, { inputs }]) => Object.entries(inputs),
    ),
  );
  const used = files.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
  return [...new Set(used)].sort();
}

/** What src/cli/version.ts says of a build. */
function about() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // A source archive has no git; whoever builds from one may know the commit.
  const commit = process.env.OUTRIGGER_COMMIT || commitOfCheckout();
  return { version, commit };
}

function commitOfCheckout() {
  const args = ["--git-dir", join(root, ".git"), "rev-parse", "HEAD"];
  const git = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return git.status === 0 ? git.stdout.trim() : "";
}

/** Runs a tool to its end, silently; what it says when it fails ends the build. */
export function runTool(command, args, cwd = root) {
  const { failure } = tryTool(command, args, cwd);
  if (failure !== null) fail(`${command} ${args[0]} failed\n${failure}`);
}

/** The same, but a failure is returned: what it said, or null. */
export function tryTool(command, args, cwd = root, env = {}) {
  const options = { cwd, env: { ...childEnv, ...env }, encoding: "utf8", timeout: TOOL_TIMEOUT_MS };
  const { status, error, stdout, stderr } = spawnSync(command, args, options);
  const failure = status === 0 ? null : (error?.message ?? `${stdout}${stderr}`).trimEnd();
  return { failure, output: `${stdout}${stderr}` };
}
