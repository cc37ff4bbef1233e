/** Rules of CONTRIBUTING.md that a machine can check, so that review is about substance. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  cyclesIn,
  functionsIn,
  importsOf,
  ROOT,
  read,
  resolveImport,
  sourcesIn,
  withoutComments,
} from "./support/sources.ts";
import { suite } from "./support/test.ts";

const test = suite("tidy");

/** Lowest first. Folders of one rank do not import each other. */
const RANKS: readonly (readonly string[])[] = [
  ["lib", "mesh", "proto"],
  ["codec", "shared"],
  ["net", "protocol"],
  ["metrics"],
  ["balancer", "discovery", "identity"],
  ["proxy", "rpc"],
  ["worker"],
  ["acceptor"],
  ["admin", "control"],
  ["cli"],
];

/** They import no module of the runtime and no package. */
const PURE: readonly string[] = ["codec", "mesh", "protocol"];

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;

/** Files and functions that are one long table and read best in one piece: `file` or `file: head`. */
const TABLES: readonly string[] = [];

const sources = sourcesIn("src");
const entries = sourcesIn("workers");
const tests = sourcesIn("test");
const everything = [...sources, ...entries, ...tests, ...sourcesIn("bench")];

function rankOf(folder: string): number {
  return RANKS.findIndex((folders) => folders.includes(folder));
}

/** `src/net/bun.ts` is in `net`; what lies outside of `src/` is in no folder. */
function folderOf(file: string): string {
  const [top, folder = "", ...rest] = file.split("/");
  return top === "src" && rest.length > 0 ? folder : "";
}

/** What is wrong with the imports of one file, from what its text says. */
function importFaults(file: string, text: string): string[] {
  const from = folderOf(file);
  const faults: string[] = [];
  for (const specifier of importsOf(text)) {
    if (!specifier.startsWith(".")) {
      if (PURE.includes(from))
        faults.push(`${file}: ${from}/ is pure, it may not import ${specifier}`);
      continue;
    }
    const to = folderOf(resolveImport(file, specifier));
    if (to === from && to !== "") continue;
    if (rankOf(to) === -1) faults.push(`${file}: src/ may not import ${specifier}`);
    else if (rankOf(to) >= rankOf(from)) faults.push(`${file}: ${from}/ may not import ${to}/`);
  }
  return faults;
}

/** The lines of files that match, comments aside. */
function uses(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    withoutComments(read(file))
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

function outside(files: readonly string[], ...folders: readonly string[]): string[] {
  return files.filter((file) => !folders.some((folder) => file.startsWith(folder)));
}

test("every folder of src has a rank, and CONTRIBUTING.md states the ranks", () => {
  const folders = new Set(sources.map(folderOf));
  assert.equal(
    [...folders].filter((folder) => rankOf(folder) === -1),
    [],
  );
  const stated = RANKS.map((rank) => `\`${rank.join(", ")}\``).join(" ← ");
  assert.ok(read("CONTRIBUTING.md").replace(/\s+/g, " ").includes(stated), stated);
});

test("imports point down the ranks, and pure folders import nothing else", () => {
  assert.equal(
    sources.flatMap((file) => importFaults(file, read(file))),
    [],
  );
});

/** Packages and files that are loaded at once with a file: what it imports and what that imports. */
function loadedWith(file: string): ReadonlySet<string> {
  const packages = new Set<string>();
  const seen = new Set([file]);
  for (const each of seen) {
    for (const specifier of importsOf(read(each), { withTypes: false, withDynamic: false })) {
      if (specifier.startsWith(".")) seen.add(resolveImport(each, specifier));
      else packages.add(specifier);
    }
  }
  return new Set([...packages, ...seen]);
}

test("a sidecar loads nothing at its start that only other commands need", () => {
  const needless = [
    ...["@peculiar/x509", "reflect-metadata", "yaml", "@bufbuild/protobuf"],
    ...["src/cli/man/page.ts", "src/cli/completion/bash.ts", "src/cli/demo.ts"],
  ];
  const atOnce = loadedWith("src/cli/main.ts");
  // A health check is a process every few seconds.
  assert.not.ok(atOnce.has("src/cli/run.ts"), "nor does any other command what a sidecar needs");
  const loaded = new Set([...atOnce, ...loadedWith("src/cli/run.ts")]);
  assert.ok(loaded.has("msgpackr/pack"), "the walk goes deep");
  assert.equal(
    needless.filter((name) => loaded.has(name)),
    [],
  );
  assert.ok(loadedWith("src/cli/demo.ts").has("@peculiar/x509"), "the walk finds it");
  assert.ok(loadedWith("src/cli/print-command.ts").has("src/cli/man/page.ts"), "and files");
});

test("the rules of imports catch what breaks them", () => {
  const table: [string, string, number][] = [
    ["src/net/a.ts", 'import { a } from "../shared/a.ts";', 0],
    ["src/net/a.ts", 'import { a } from "../net/b.ts";', 0],
    ["src/net/a.ts", 'import {\n  a,\n  b,\n} from "../proxy/b.ts";', 1],
    ["src/net/a.ts", 'import type { A } from "../protocol/b.ts";', 1],
    ["src/net/a.ts", 'export { a } from "../cli/b.ts";', 1],
    ["src/net/a.ts", 'const a = await import("../cli/b.ts");', 1],
    ["src/net/a.ts", 'import "../cli/b.ts";', 1],
    ["src/net/a.ts", 'import { a } from "../../test/a.ts";', 1],
    ["src/net/a.ts", 'import { a } from "node:net";', 0],
    ["src/codec/http1/a.ts", 'import { a } from "../../lib/a.ts";', 0],
    ["src/codec/http1/a.ts", 'import { a } from "node:buffer";', 1],
    ["src/protocol/a.ts", 'import { a } from "hono";', 1],
    ["src/mesh/a.ts", '/*\nimport { a } from "hono";\n*/', 0],
  ];
  for (const [file, text, count] of table) {
    assert.is(importFaults(file, text).length, count, `${file}: ${text}`);
  }
});

// Types aside, which load nothing: a part may know the type of the whole it belongs to.
test("no imports go in a circle", () => {
  const imports = new Map(
    everything.map((file): [string, string[]] => [
      file,
      importsOf(read(file), { withTypes: false })
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => resolveImport(file, specifier)),
    ]),
  );
  assert.equal(
    cyclesIn(imports).map((cycle) => cycle.join(" -> ")),
    [],
  );
  const circle = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  assert.equal(cyclesIn(circle), [["b", "c", "b"]]);
});

test("files have at most 300 lines, functions at most 70", () => {
  const long: string[] = [];
  for (const file of [...sources, ...entries]) {
    // Generated code is not read.
    if (file.endsWith("_pb.ts")) continue;
    const text = read(file);
    const lines = text.split("\n").length - 1;
    if (lines > FILE_LINES_MAX && !TABLES.includes(file)) long.push(`${file}: ${lines} lines`);
    for (const span of functionsIn(text)) {
      if (span.lines <= FUNCTION_LINES_MAX || TABLES.includes(`${file}: ${span.head}`)) continue;
      long.push(`${file}:${span.line}: ${span.lines} lines: ${span.head}`);
    }
  }
  assert.equal(long, []);
});

test("functionsIn() finds functions, methods and arrows, not blocks", () => {
  const text = [
    "export function a(): void {",
    "  if (x) {",
    "    y();",
    "  }",
    "}",
    "class B {",
    "  async #c(",
    "    d: number,",
    "  ): Promise<void> {",
    "",
    "  }",
    "}",
    "const e = {",
    "  f: (g) => {",
    "  },",
    "};",
  ].join("\n");
  assert.equal(functionsIn(text), [
    { head: "export function a(): void {", line: 1, lines: 5 },
    { head: "async #c(", line: 7, lines: 5 },
    { head: "f: (g) => {", line: 14, lines: 2 },
  ]);
});

test("only src/shared calls Atomics", () => {
  assert.equal(uses(outside([...sources, ...entries], "src/shared/"), /\bAtomics\b/), []);
});

test("only src/net knows which runtime it is on", () => {
  const runtimes =
    /\b(?:Bun|Deno)\.\w|\bglobalThis\.(?:Bun|Deno)\b|typeof (?:Bun|Deno)\b|["']bun(?::\w+)?["'];?$/;
  assert.equal(uses(outside([...sources, ...entries], "src/net/"), runtimes), []);
});

test("only src/lib/log.ts and src/cli write to the console", () => {
  assert.equal(
    uses(outside([...sources, ...entries], "src/lib/log.ts", "src/cli/"), /\bconsole\./),
    [],
  );
});

test("every test file hands in each of its suites", () => {
  const faults = tests
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => {
      const text = withoutComments(read(file));
      const suites = text.match(/(?:^|= )suite\(/gm)?.length ?? 0;
      const handedIn = text.match(/\.run\(\);/g)?.length ?? 0;
      return suites === 0 || handedIn < suites;
    });
  assert.equal(faults, []);
});

test("no test waits with a sleep", () => {
  const sleeps = /\bsetTimeout\(|\bBun\.sleep|timers\/promises/;
  assert.equal(uses(outside(tests, "test/support/", "test/tidy.test.ts"), sleeps), []);
});

test("every TODO names its issue", () => {
  const faults = everything.flatMap((file) =>
    [...read(file).matchAll(/\/\/ *(?:TODO|FIXME|XXX)(?!\(#[0-9]+\)).*/g)].map(
      ([line]) => `${file}: ${line}`,
    ),
  );
  assert.equal(faults, []);
});

test("every file that README.md and ARCHITECTURE.md name exists", () => {
  const named = /\b(?:src|workers|test|bench|bin)\/[\w./-]*\.(?:ts|mjs)\b/g;
  const missing = ["README.md", "ARCHITECTURE.md"].flatMap((document) =>
    [...read(document).matchAll(named)]
      .filter(([file]) => !existsSync(join(ROOT, file)))
      .map(([file]) => `${document}: ${file}`),
  );
  assert.equal(missing, []);
});

test("deno.json asks of the types what tsconfig.json asks", () => {
  // How tsc finds and writes files; Deno has its own answers.
  const notStrictness = ["target", "lib", "module", "moduleResolution", "types", "noEmit"];
  const more = ["allowImportingTsExtensions", "isolatedModules", "skipLibCheck"];
  const options = Object.entries(JSON.parse(read("tsconfig.json")).compilerOptions);
  const strictness = options.filter(([name]) => ![...notStrictness, ...more].includes(name));
  assert.equal(JSON.parse(read("deno.json")).compilerOptions, Object.fromEntries(strictness));
});

test("deno.json lists no dependencies and leaves node_modules to npm", () => {
  const deno = JSON.parse(read("deno.json"));
  assert.is(deno.imports, undefined);
  assert.is(deno.nodeModulesDir, "manual");
  assert.is(deno.lock, false);
});

test("package.json pins every version exactly", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^[0-9]+\.[0-9]+\.[0-9]+$/.test(String(version)),
  );
  assert.equal(loose, []);
});

test.run();
