/** Two commits side by side, each in a folder of its own, to be measured by the bench of this one. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, unlinkSync } from "node:fs";
import process from "node:process";
import type { Contender } from "./contenders.ts";
import { findProgram } from "./programs.ts";
import { outriggerOn } from "./proxies/outrigger.ts";
import { ROOT, type Runtime, type ScriptCommand, scriptCommandOf } from "./runtimes.ts";

/** Instead of a commit: the files as they are, committed or not. */
const WORKING_TREE = ".";

const INSTALL_TIMEOUT_MS = 10 * 60_000;

export interface Checkout {
  /** Ends in a slash. */
  readonly root: string;
  /** The abbreviated commit, or "working tree". */
  readonly label: string;
  readonly command: ScriptCommand;
}

/** Checks `revision` out into `directory`, or takes the working tree for "."; throws if there is no
 * such commit. What was made goes when we end, whatever the reason. */
export async function checkOut(revision: string, directory: string): Promise<Checkout> {
  if (revision === WORKING_TREE) {
    return { root: ROOT, label: "working tree", command: await scriptCommandOf(ROOT) };
  }
  const commit = git(
    "rev-parse",
    "--verify",
    "--quiet",
    "--end-of-options",
    `${revision}^{commit}`,
  );
  process.prependListener("exit", () => remove(directory));
  git("worktree", "add", "--detach", "--force", directory, commit);
  const root = `${directory}/`;
  provideModules(root);
  return { root, label: commit.slice(0, 12), command: await scriptCommandOf(root) };
}

/** Returns the contender for each runtime of a checkout; `role` tells it from the other's. */
export function contendersOf(
  { root, label, command }: Checkout,
  role: "base" | "head",
  runtimes: readonly Runtime[],
): Contender[] {
  return runtimes.map((runtime) => {
    const contender = outriggerOn(runtime, root, command);
    return {
      ...contender,
      name: nameIn(role, runtime),
      version: () => `${contender.version()} at ${label}`,
    };
  });
}

export function nameIn(role: "base" | "head", runtime: Runtime): string {
  return `outrigger-${runtime}-${role}`;
}

/** The packages are ours, if the commit locks the same; else it installs its own, by its own means. */
function provideModules(root: string): void {
  if (lockFile(root) === lockFile(ROOT) && existsSync(`${ROOT}node_modules`)) {
    symlinkSync(`${ROOT}node_modules`, `${root}node_modules`);
    return;
  }
  const node = findProgram("node") ?? "node";
  const install = 'import("./bin/runtimes.mjs").then((bin) => bin.ensureInstalled())';
  execFileSync(node, ["-e", install], {
    ...{ cwd: root, stdio: ["ignore", "ignore", "inherit"], timeout: INSTALL_TIMEOUT_MS },
  });
}

function lockFile(root: string): string | null {
  const path = `${root}package-lock.json`;
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function remove(directory: string): void {
  try {
    unlinkSync(`${directory}/node_modules`); // a link to ours; if it is not one, this fails
  } catch {
    // It has packages of its own, which go with it.
  }
  try {
    git("worktree", "remove", "--force", "--force", directory);
  } catch {
    // It was never added.
  }
}

function git(...words: string[]): string {
  try {
    return execFileSync("git", words, {
      ...{ cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    }).trim();
  } catch (error) {
    throw new Error(`git ${words.join(" ")} failed: ${complaintOf(error)}`);
  }
}

function complaintOf(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return stderr || "no such commit, or no repository";
}
