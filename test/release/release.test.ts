// timeout: 60s
/** What a release is made of and what it refuses, in repositories of the test's own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ROOT, read } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";
import { archives, notices, repository, type Sbom, sboms } from "./parts.ts";

const test = suite("release/release");
test.timeout(30_000);

const { factsOf, problemOf, git } = repository;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-release-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A repository with one commit, on `main`. */
function newRepository(): string {
  const folder = newFolder();
  git(folder, ["init", "--quiet", "--initial-branch=main"]);
  git(folder, ["config", "user.name", "Somebody"]);
  git(folder, ["config", "user.email", "somebody@example.com"]);
  git(folder, ["config", "commit.gpgsign", "false"]);
  commit(folder, "feat: first\n\nwhy");
  return folder;
}

function commit(folder: string, message: string): void {
  git(folder, ["commit", "--quiet", "--allow-empty", "-m", message]);
}

test("factsOf() has the commits since the last release, whatever other tags there are", () => {
  const folder = newRepository();
  assert.is(factsOf(folder).lastTag, null);
  assert.equal(
    factsOf(folder).commits.map(({ subject, body }) => [subject, body.trim()]),
    [["feat: first", "why"]],
  );
  git(folder, ["tag", "--annotate", "v0.1.0", "-m", "x"]);
  commit(folder, "fix: second");
  for (const tag of ["v0.2.0-rc.1", "vodka", "other", "v1"]) git(folder, ["tag", tag]);
  commit(folder, "fix: third\n\nBREAKING CHANGE: much\nmore");
  const facts = factsOf(folder);
  assert.is(facts.lastTag, "v0.1.0");
  assert.equal(
    facts.commits.map(({ subject }) => subject),
    ["fix: third", "fix: second"],
  );
  assert.match(facts.commits[0]?.body ?? "", "BREAKING CHANGE: much\nmore");
  assert.ok(facts.tags.includes("v0.1.0"));
  assert.is(problemOf(facts), null);
  git(folder, ["tag", "v0.1.1"]);
  assert.equal(factsOf(folder).commits, []);
});

test("problemOf() refuses what is not committed, other branches and shallow clones", () => {
  const folder = newRepository();
  writeFileSync(join(folder, "new"), "");
  assert.match(problemOf(factsOf(folder)) ?? "", "not committed:\n?? new");
  git(folder, ["add", "new"]);
  assert.match(problemOf(factsOf(folder)) ?? "", "A  new");
  commit(folder, "fix: new");
  assert.is(problemOf(factsOf(folder)), null);
  const clone = join(newFolder(), "clone");
  git(folder, ["clone", "--quiet", "--depth=1", `file://${folder}`, clone]);
  assert.match(problemOf(factsOf(clone)) ?? "", "shallow");
  git(folder, ["checkout", "--quiet", "-b", "other"]);
  assert.match(problemOf(factsOf(folder)) ?? "", "on other");
  git(folder, ["checkout", "--quiet", "--detach"]);
  assert.match(problemOf(factsOf(folder)) ?? "", "no branch");
});

test("npm run release knows its flags", async () => {
  const node = findTool("node");
  assert.ok(node, "node is not installed");
  const { status, output } = await runTool(node ?? "", [
    join(ROOT, "bin/release.mjs"),
    "--dry-run",
    "--push",
  ]);
  assert.is(status, 1);
  assert.is(output, "outrigger: --push: expected --dry-run or --version X.Y.Z\n");
});

/** The same files, made at another time, in another order and by another umask. */
function filesIn(parent: string, isOther: boolean): void {
  const folder = join(parent, "outrigger-1");
  mkdirSync(join(folder, "bin"), { recursive: true });
  const names = ["b", "a", "bin/run"];
  for (const name of isOther ? names.reverse() : names) {
    const path = join(folder, name);
    writeFileSync(path, `#!${name}\n`.repeat(1_000));
    const mode = name === "bin/run" ? 0o755 : 0o644;
    chmodSync(path, isOther ? mode & 0o700 : mode);
    if (isOther) utimesSync(path, 1_000_000_000, 1_000_000_000);
  }
  if (isOther) chmodSync(join(folder, "bin"), 0o700);
}

test("an archive is the same byte for byte, whoever makes it when", async () => {
  const [one, other] = [newFolder(), newFolder()];
  filesIn(one, false);
  filesIn(other, true);
  const archive = archives.archiveOf(one, "outrigger-1", 1_790_000_000);
  const again = archives.archiveOf(other, "outrigger-1", 1_790_000_000);
  assert.is(archives.sha256Of(archive), archives.sha256Of(again));
  assert.not.equal(archives.archiveOf(one, "outrigger-1", 1_790_000_001), archive);
  const path = join(one, "a.tar.gz");
  writeFileSync(path, archive);
  const { output } = await runTool("/bin/sh", ["-c", `TZ=UTC tar tvzf ${path}`]);
  const lines = output.trim().split("\n");
  assert.equal(
    lines.map((line) => line.replace(/ +/g, " ").split(" ").toSpliced(2, 1).join(" ")),
    [
      "drwxr-xr-x 0/0 2026-09-21 14:13 outrigger-1/",
      "-rw-r--r-- 0/0 2026-09-21 14:13 outrigger-1/a",
      "-rw-r--r-- 0/0 2026-09-21 14:13 outrigger-1/b",
      "drwxr-xr-x 0/0 2026-09-21 14:13 outrigger-1/bin/",
      "-rwxr-xr-x 0/0 2026-09-21 14:13 outrigger-1/bin/run",
    ],
  );
  assert.throws(() => archives.archiveOf(one, "nothing", 1), /tar failed/);
});

test("sha256sum accepts the sums, and notices a change", async () => {
  const folder = newFolder();
  const paths = ["b.tar.gz", "a.cdx.json"].map((name) => join(folder, name));
  for (const path of paths) writeFileSync(path, path);
  const sums = archives.sumsOf(paths);
  assert.match(sums, /^[0-9a-f]{64} {2}a\.cdx\.json\n[0-9a-f]{64} {2}b\.tar\.gz\n$/);
  writeFileSync(join(folder, "SHA256SUMS"), sums);
  const check = ["-c", `cd ${folder} && sha256sum --check --strict SHA256SUMS`];
  assert.is((await runTool("/bin/sh", check)).status, 0);
  writeFileSync(join(folder, "b.tar.gz"), "other");
  assert.is((await runTool("/bin/sh", check)).status, 1);
});

const INPUTS = [
  "src/cli/main.ts",
  "node_modules/hono/dist/index.js",
  "node_modules/tslib/tslib.es6.mjs",
  "node_modules/tsyringe/dist/a.js",
  "node_modules/tsyringe/node_modules/tslib/tslib.es6.js",
  "node_modules/@bufbuild/protobuf/a.js",
];
const RUNTIME = "node_modules/@oven/bun-linux-aarch64";

/** What npm says of this very repository. */
async function listed(): Promise<object> {
  const npm = findTool("npm");
  assert.ok(npm, "npm is not installed");
  const flags = [
    "--sbom-format=cyclonedx",
    "--omit=dev",
    "--package-lock-only",
    "--no-update-notifier",
  ];
  const command = `cd "$0" && exec "$1" sbom ${flags.join(" ")} 2>/dev/null`;
  const { output } = await runTool("/bin/sh", ["-c", command, ROOT, npm ?? ""]);
  return JSON.parse(output) as object;
}

test("a list of contents has what is in the binary and nothing else, made twice the same", async () => {
  const lock = JSON.parse(read("package-lock.json"));
  const make = (npm: unknown): Sbom =>
    sboms.sbomFor({
      ...{ npm, lock, inputs: INPUTS, runtime: RUNTIME, version: "1.2.3" },
      binary: { name: "outrigger-1.2.3.tar.gz", sha256: "0".repeat(64) },
      timestamp: "2026-11-26T00:00:00.000Z",
    });
  const npm = await listed();
  const one = make(npm);
  // npm gives each list a number by chance and the hour.
  assert.equal(one, make({ ...npm, serialNumber: "another" }));
  assert.match(
    one.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/,
  );
  const of = (path: string): string => lock.packages[`node_modules/${path}`].version;
  const wanted = [
    `@bufbuild/protobuf@${of("@bufbuild/protobuf")}`,
    `@oven/bun-linux-aarch64@${of("bun")}`,
    `hono@${of("hono")}`,
    `tslib@${of("tsyringe/node_modules/tslib")}`,
    `tslib@${of("tslib")}`,
    `tsyringe@${of("tsyringe")}`,
  ];
  const refs = one.components.map((component) => component["bom-ref"]);
  assert.equal(refs, wanted);
  for (const { hashes } of one.components)
    assert.match(hashes[0]?.content ?? "", /^[0-9a-f]{128}$/);
  assert.is(one.components[1]?.type, "platform");
  assert.match(one.components[0]?.licenses[0]?.expression ?? "", "Apache-2.0");
  for (const { ref, dependsOn } of one.dependencies) {
    for (const each of [ref, ...dependsOn]) assert.ok([...refs, "outrigger@1.2.3"].includes(each));
  }
  const own = one.dependencies.find(({ ref }) => ref === "outrigger@1.2.3");
  assert.ok(own?.dependsOn.includes(`hono@${of("hono")}`));
  assert.ok(own?.dependsOn.includes(`@oven/bun-linux-aarch64@${of("bun")}`));
});

test("usedPackages() tells a package within a package from one beside it", () => {
  assert.equal(sboms.usedPackages(INPUTS), [
    "node_modules/@bufbuild/protobuf",
    "node_modules/hono",
    "node_modules/tslib",
    "node_modules/tsyringe",
    "node_modules/tsyringe/node_modules/tslib",
  ]);
});

test("the licences of all that is in a binary go along, and of nothing else", () => {
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { version: string }>;
  };
  const inputs = ["src/cli/main.ts", "node_modules/hono/dist/hono.js", "node_modules/tslib/a.js"];
  const runtimePath = "node_modules/@oven/bun-linux-x64";
  const of = { root: ROOT, lock, inputs, runtimePath, runtime: "bun" } as const;
  const text = notices.noticesFor(of);
  const { version } = lock.packages[runtimePath] ?? {};
  assert.match(
    text,
    `bun ${version} (MIT)\n\nhttps://github.com/oven-sh/bun/blob/bun-v${version}/`,
  );
  assert.match(text, /^hono \d\S+ \(MIT\)\n\nMIT License\n\nCopyright \(c\) /m);
  assert.match(text, /^tslib \d\S+ \(0BSD\)\n\n.*Copyright \(c\) Microsoft/ms);
  assert.not.match(text, /^tinypool /m);
});

test.run();
