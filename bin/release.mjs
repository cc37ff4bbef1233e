#!/usr/bin/env node
// npm run release [-- --dry-run] [--version X.Y.Z]: the next version, by the commits since the last tag;
// its changelog, archives, lists of contents and sums, in dist/release. All of it is made in a clone, so
// that nothing but what is committed gets in, and nothing here changes until everything is made. Then,
// without --dry-run, the commit and the tag are taken over. What to push is printed, never pushed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeArtifacts } from "./release/artifacts.mjs";
import { changelogSection, parseCommit, withSection } from "./release/commits.mjs";
import { factsOf, git, problemOf } from "./release/repository.mjs";
import { mayHoldVersion, nextVersion, withVersion } from "./release/version.mjs";
import { fail, root, takeFlag } from "./runtimes.mjs";

const OUT = join(root, "dist/release");

const args = process.argv.slice(2);
const asked = takeFlag(args, "--version", null);
const isDry = args.includes("--dry-run");
const unknown = args.find((arg) => arg !== "--dry-run");
if (unknown !== undefined) fail(`${unknown}: expected --dry-run or --version X.Y.Z`);

const work = mkdtempSync(join(tmpdir(), "outrigger-release-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
try {
  release();
} catch (error) {
  fail(error.message);
}

function release() {
  const facts = factsOf(root);
  const { version, from, section } = planOf(facts);
  const since = facts.lastTag ?? "the beginning";
  console.log(`${facts.commits.length} commits since ${since}: ${version}\n\n${section}`);
  const clone = join(work, "clone");
  git(root, ["clone", "--quiet", "--local", "--no-tags", root, clone]);
  git(clone, ["checkout", "--quiet", "--detach", facts.head]);
  commitRelease({ clone, from, version, section, epochS: facts.epochS });
  check(clone);
  rmSync(OUT, { recursive: true, force: true });
  const leftOut = makeArtifacts({ clone, out: OUT, work, version, epochS: facts.epochS, say });
  console.log(`\n${readFileSync(join(OUT, "SHA256SUMS"), "utf8")}`);
  for (const line of leftOut) console.log(`left out: ${line}`);
  if (isDry) console.log(`dry run: nothing was committed or tagged; the files are in ${OUT}`);
  else takeOver({ clone, facts, version, section });
}

/** What is to be released, or why nothing is. */
function planOf(facts) {
  const problem = problemOf(facts);
  if (problem !== null) fail(problem);
  const commits = facts.commits.map(parseCommit);
  const last = facts.lastTag?.slice(1) ?? null;
  const { version: from } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const next = nextVersion({ current: from, last, asked, commits });
  if (next.problem !== undefined) fail(next.problem);
  const { version } = next;
  if (facts.tags.includes(`v${version}`)) fail(`there is a tag v${version} already`);
  const date = new Date(facts.epochS * 1_000).toISOString().slice(0, 10);
  return { version, from, section: changelogSection({ version, date, commits }) };
}

/**
 * Commits the changelog and the version. Its time is that of the commit before it: the same release, made
 * again, is the same commit, and its files are the same byte for byte.
 */
function commitRelease({ clone, from, version, section, epochS }) {
  const changelog = join(clone, "CHANGELOG.md");
  const before = existsSync(changelog) ? readFileSync(changelog, "utf8") : null;
  const after = withSection(before, section);
  if (after === null) fail(`CHANGELOG.md has ${version} already`);
  writeFileSync(changelog, after);
  for (const path of git(clone, ["ls-files"]).split("\n").filter(mayHoldVersion)) {
    const text = readFileSync(join(clone, path), "utf8");
    const next = withVersion(path, text, from, version);
    if (next !== null) writeFileSync(join(clone, path), next);
  }
  git(clone, ["add", "--all"]);
  const date = `@${epochS} +0000`;
  const env = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, ...identity() };
  const message = `chore(release): ${version}`;
  git(
    clone,
    ["-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "-m", message],
    env,
  );
}

/** Who makes it: as this repository's settings have it, which a clone does not get. */
function identity() {
  const [, name, email] = /^(.*) <(.*)> /.exec(git(root, ["var", "GIT_COMMITTER_IDENT"])) ?? [];
  return {
    ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email },
    ...{ GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email },
  };
}

/** With the packages that the lock file names, which this installs. */
function check(clone) {
  say("npm run check");
  const run = spawnSync(process.execPath, ["bin/check.mjs"], { cwd: clone, stdio: "inherit" });
  if (run.status !== 0) fail("the check failed; nothing is released");
}

function takeOver({ clone, facts, version, section }) {
  const now = factsOf(root);
  const problem = now.head === facts.head ? problemOf(now) : "there is a new commit";
  if (problem !== null) fail(`this has changed meanwhile: ${problem}`);
  git(root, ["fetch", "--quiet", "--no-tags", clone, "HEAD"]);
  git(root, ["merge", "--quiet", "--ff-only", "FETCH_HEAD"]);
  git(root, [
    "tag",
    "--annotate",
    `v${version}`,
    "-m",
    `outrigger ${version}\n\n${section}`,
    "--cleanup=verbatim",
  ]);
  console.log(`committed, and tagged v${version}. To publish it:`);
  console.log(`  git push origin ${facts.branch} v${version}`);
  console.log(`  and upload what is in ${OUT}`);
}

function say(step) {
  console.log(`… ${step}`);
}
