/** Which version comes next, and what the changelog says of it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ROOT, read } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { type Commit, commits, versions } from "./parts.ts";

const test = suite("release/version");

const { parseCommit, bumpOf, changelogSection, withSection } = commits;
const { compareVersions, mayHoldVersion, nextVersion, parseVersion, withVersion } = versions;

const ID = "0123456789abcdef0123456789abcdef01234567";

function parsed(...subjects: readonly string[]): readonly Commit[] {
  return subjects.map((subject) => parseCommit({ id: ID, subject, body: "" }));
}

test("parseCommit() reads conventional messages, and takes others as they are", () => {
  const table: [string, string, Partial<Commit>][] = [
    ["feat(cli): a thing", "", { type: "feat", scope: "cli", text: "a thing", isBreaking: false }],
    ["fix: a: b", "", { type: "fix", scope: "", text: "a: b" }],
    ["feat(rpc)!: gone", "", { type: "feat", scope: "rpc", text: "gone", isBreaking: true }],
    ["fix(a): b", "why\n\nBREAKING CHANGE: c", { type: "fix", isBreaking: true }],
    ["fix(a): b", "no BREAKING CHANGE: c", { isBreaking: false }],
    ["Merge it", "", { type: "", scope: "", text: "Merge it", isBreaking: false }],
    ["feat:nothing", "", { type: "", text: "feat:nothing" }],
    ["", "", { type: "", text: "" }],
  ];
  for (const [subject, body, wanted] of table) {
    const commit = parseCommit({ id: ID, subject, body });
    assert.equal({ ...commit, ...wanted }, commit, subject);
  }
});

test("bumpOf() takes the greatest change, and none of what nobody sees", () => {
  assert.is(bumpOf(parsed("fix: a", "feat: b", "docs: c")), "minor");
  assert.is(bumpOf(parsed("fix: a", "chore!: b", "feat: c")), "major");
  assert.is(bumpOf(parsed("perf: a", "test: b")), "patch");
  assert.is(bumpOf(parsed("something else")), "patch");
  assert.is(bumpOf(parsed("docs: a", "test: b", "refactor: c")), null);
  assert.is(bumpOf([]), null);
});

test("nextVersion() follows the commits, or what was asked for if that is newer", () => {
  const table: [string | null, string | null, string[], string | null][] = [
    ["0.1.0", null, ["fix: a"], "0.1.1"],
    ["0.1.9", null, ["feat: a"], "0.2.0"],
    ["0.1.9", null, ["feat!: a"], "0.2.0"],
    ["1.4.2", null, ["feat!: a"], "2.0.0"],
    ["1.4.2", null, ["feat: a"], "1.5.0"],
    ["1.4.2", null, ["fix: a"], "1.4.3"],
    ["1.4.2", null, ["docs: a"], null],
    ["1.4.2", "1.4.3", ["docs: a"], "1.4.3"],
    ["1.4.2", "1.4.2", ["feat: a"], null],
    ["1.4.2", "1.4.10", [], "1.4.10"],
    ["1.4.2", "v2.0.0", ["feat: a"], null],
    ["1.4.2", "2.0", ["feat: a"], null],
    ["1.4.2", "2.0.0-rc.1", ["feat: a"], null],
    ["1.4.2", "01.5.0", ["feat: a"], null],
    [null, "0.0.1", [], "0.0.1"],
  ];
  for (const [last, asked, subjects, wanted] of table) {
    const next = nextVersion({
      current: last ?? "0.1.0",
      last,
      asked,
      commits: parsed(...subjects),
    });
    assert.is(next.version ?? null, wanted, `${last} ${asked} ${subjects}`);
    assert.is(typeof next.problem, wanted === null ? "string" : "undefined");
  }
});

test("the first release is of package.json's version; later ones start from the last tag's", () => {
  const feat = parsed("feat: a");
  assert.equal(nextVersion({ current: "0.1.0", last: null, asked: null, commits: feat }), {
    version: "0.1.0",
  });
  const apart = nextVersion({ current: "0.3.0", last: "0.2.0", asked: null, commits: feat });
  assert.match(apart.problem ?? "", /0\.3\.0.*v0\.2\.0/);
});

test("versions are compared as numbers", () => {
  assert.ok(compareVersions("0.10.0", "0.9.9") > 0);
  assert.ok(compareVersions("1.0.0", "0.99.99") > 0);
  assert.is(compareVersions("1.2.3", "1.2.3"), 0);
  for (const bad of ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.-3", " 1.2.3"]) {
    assert.is(parseVersion(bad), null, bad);
  }
});

test("changelogSection() groups what matters, and nothing in it is Markdown or HTML", () => {
  const section = changelogSection({
    version: "0.2.0",
    date: "2026-11-26",
    commits: parsed(
      "fix(rpc): b",
      "feat(cli): <b>*a*</b> [x](y) `z`",
      "feat!: c",
      "docs: hidden",
      "odd(x): d",
      "Something",
    ),
  });
  const lines = [
    "## 0.2.0 - 2026-11-26",
    ...["", "### Breaking", "", "- c (0123456)"],
    ...["", "### New", "", "- **cli**: \\<b\\>\\*a\\*\\</b\\> \\[x\\](y) \\`z\\` (0123456)"],
    ...["", "### Fixed", "", "- **rpc**: b (0123456)"],
    ...["", "### Other", "", "- **odd x**: d (0123456)", "- Something (0123456)", ""],
  ];
  assert.is(section, lines.join("\n"));
});

test("withSection() puts the newest first, and no version twice", () => {
  const of = (version: string): string =>
    changelogSection({ version, date: "2026-11-26", commits: parsed("fix: a") });
  const first = withSection(null, of("0.1.0")) ?? "";
  assert.match(first, /^# Changelog\n\n[^#]+\n\n## 0\.1\.0 - 2026-11-26\n/);
  const second = withSection(first, of("0.1.1")) ?? "";
  assert.ok(second.indexOf("## 0.1.1") < second.indexOf("## 0.1.0"));
  assert.ok(second.endsWith(first.slice(first.indexOf("## 0.1.0"))));
  assert.is(withSection(second, of("0.1.0")), null);
  assert.ok(withSection(second, of("0.1")) !== null, "0.1 is not 0.1.0");
});

test("withVersion() finds every place, and the files of npm stay as npm writes them", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  for (const path of ["package.json", "package-lock.json"]) {
    const text = read(path);
    const next = withVersion(path, text, version, "9.8.7") ?? "";
    assert.not.equal(next, text);
    assert.is(next.replaceAll('"9.8.7"', `"${version}"`), text, path);
  }
  for (const path of ["packaging/a/b.yaml", "Containerfile", "package.json"]) {
    assert.ok(mayHoldVersion(path), path);
  }
  for (const path of ["docs/a.md", "bench/package.json", "src/a.ts"]) {
    assert.not.ok(mayHoldVersion(path), path);
  }
  const yaml = "image: outrigger:0.1.0\nother: outrigger:0.1.01\nimage: ghcr.io/x/outrigger:0.1.0";
  const wanted = yaml.replaceAll(/0\.1\.0$/gm, "0.2.0");
  assert.is(withVersion("packaging/kubernetes/a.yaml", yaml, "0.1.0", "0.2.0"), wanted);
  assert.is(withVersion("packaging/a.yaml", "image: outrigger:latest", "0.1.0", "0.2.0"), null);
});

test("the image's version stands nowhere but where a release changes it", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  const tag = `outrigger:${version}`;
  for (const file of documents()) {
    const text = read(file);
    if (!text.includes(tag)) continue;
    assert.ok(mayHoldVersion(file), `${file} has ${tag}`);
    assert.not.ok(withVersion(file, text, version, "9.8.7")?.includes(tag), file);
  }
});

/** What people deploy or read, and not what is made or tested here. */
function documents(): readonly string[] {
  const folders = ["docs", "packaging", "src"].filter((folder) => existsSync(join(ROOT, folder)));
  const inside = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) =>
      join(folder, name),
    ),
  );
  return [...readdirSync(ROOT), ...inside].filter((file) => statSync(join(ROOT, file)).isFile());
}

test.run();
