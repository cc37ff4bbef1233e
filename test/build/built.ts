/**
 * The build of the runtime that runs the test, in a folder with nothing else in it. On Deno that is
 * the compiled program where its runtime can be had, and else the bundle with the script beside it.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ended } from "../container/command.ts";
import { type Build, runtimes, thisRuntime } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

/** `deno compile` downloads 40 MB where it can. */
const WITHIN_MS = 90_000;
/** bin/compile-deno.mjs: no program, but what was checked in its place. */
const STATUS_UNAVAILABLE = 69;

export type Built = Build & {
  /** What must be set for it to run. */
  readonly env: Readonly<Record<string, string>>;
  /** The one file; null: there is only a bundle. */
  readonly program: string | null;
  /** All that the build said. */
  readonly said: string;
};

/** Builds it, and takes it elsewhere. The folder is removed when the test has ended. */
export async function build(): Promise<Built> {
  const made = newFolder();
  const out = join(made, "outrigger");
  const line = ["node", "bin/build.mjs", `--runtime=${thisRuntime}`, `--out=${out}`];
  const { status, stdout, stderr } = await ended(line, { cwd: ROOT, withinMs: WITHIN_MS });
  const said = `${stdout}${stderr}`;
  const folder = newFolder();
  const here = join(folder, "outrigger");
  if (status === 0) {
    copyFileSync(out, here);
    return { line: [here], folder, env: {}, program: here, said };
  }
  const isBundled = thisRuntime === "deno" && status === STATUS_UNAVAILABLE;
  if (!isBundled || existsSync(out)) throw new Error(`the build failed: ${status}\n${said}`);
  console.log("not run: the compiled Deno program, whose runtime cannot be downloaded here");
  cpSync(`${out}.bundle`, `${here}.bundle`, { recursive: true });
  copyFileSync(`${out}.sh`, `${here}.sh`);
  // A user who may not look into the checkout must be able to start it.
  copyFileSync(runtimes.denoPath(), join(folder, "deno"));
  const env = { DENO: join(folder, "deno") };
  return { line: [`${here}.sh`], folder, env, program: null, said };
}

/**
 * Puts a command where a container would: a user of no name, no environment but `env`, and nothing to write to
 * but a folder in memory, SCRATCH.
 */
export function confined(env: Readonly<Record<string, string>>): string[] {
  const script = [
    `mount -t tmpfs -o size=16m,mode=1777 tmpfs ${SCRATCH}`,
    "for each in / /tmp /var/tmp /dev/shm /run /home; do",
    "  if mountpoint -q $each; then mount -o remount,bind,ro $each || exit 1; fi",
    "done",
    '! touch "$PWD/x" 2>/dev/null || exit 1',
    `exec setpriv --reuid=${STRANGER} --regid=${STRANGER} --clear-groups --no-new-privs env -i "$@"`,
  ].join("\n");
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", ...variables];
}

/** As in the image: no file knows of this user. */
const STRANGER = 65_532;

/** A folder that every Debian has, and nobody uses. */
export const SCRATCH = "/mnt";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-build-"));
  chmodSync(folder, 0o755);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
