// What git says of the repository, and why that may be no state to release.
import { spawnSync } from "node:child_process";

/** Releases are made of this branch. */
const BRANCH = "main";

/** Runs git, returns what it prints without the last line feed; throws with what it says. */
export function git(root, args, env = {}) {
  const run = spawnSync("git", args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  if (run.status === 0) return run.stdout.replace(/\n$/, "");
  throw new Error(`git ${args[0]}: ${run.error?.message ?? run.stderr.trim()}`);
}

function tryGit(root, args) {
  try {
    return git(root, args);
  } catch {
    return null;
  }
}

/** All that a release depends on. */
export function factsOf(root) {
  const match = ["--match", "v[0-9]*.[0-9]*.[0-9]*", "--exclude", "*-*"];
  const lastTag = tryGit(root, ["describe", "--tags", "--abbrev=0", ...match]);
  const range = lastTag === null ? ["HEAD"] : [`${lastTag}..HEAD`];
  const log = git(root, ["log", "--no-merges", "--format=%H%x1f%s%x1f%b%x1e", ...range]);
  return {
    head: git(root, ["rev-parse", "HEAD"]),
    epochS: Number(git(root, ["log", "-1", "--format=%ct"])),
    branch: tryGit(root, ["symbolic-ref", "--short", "HEAD"]),
    changes: git(root, ["status", "--porcelain"]).split("\n").filter(Boolean),
    isShallow: git(root, ["rev-parse", "--is-shallow-repository"]) === "true",
    tags: git(root, ["tag", "--list"]).split("\n"),
    lastTag,
    commits: log.split("\x1e").map(commitOf).filter(Boolean),
  };
}

function commitOf(text) {
  const [id = "", subject, body = ""] = text.trimStart().split("\x1f");
  return subject === undefined ? null : { id, subject, body };
}

/** Why this is not to be released; null if it may be. */
export function problemOf({ branch, changes, isShallow }) {
  if (isShallow) return "the clone is shallow, without the commits since the last tag";
  if (branch !== BRANCH) return `on ${branch ?? "no branch"}; releases are made of ${BRANCH}`;
  if (changes.length === 0) return null;
  return `the tree has changes that are not committed:\n${changes.slice(0, 10).join("\n")}`;
}
