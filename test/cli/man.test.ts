/** The man page, by the programs that read it. */
import * as assert from "uvu/assert";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { COMMANDS, type Command, FLAGS } from "../../src/cli/keys.ts";
import { manPage } from "../../src/cli/man/page.ts";
import { EXAMPLES } from "../../src/cli/man/prose.ts";
import { escaped, text } from "../../src/cli/man/roff.ts";
import { commandLine } from "../support/program.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";

const test = suite("cli/man");

const date = new Date(1_790_000_000_000);
const page = manPage({ table: COMMANDS, version: "0.1.0", date });

/** What roff and man would take for instructions of theirs. */
const HOSTILE = `.SH "a\\fBb" 'c' \\n(.x --d-e ~ ^ \` … µ "`;

const HOSTILE_TABLE: Readonly<Record<string, Command>> = {
  ".odd": {
    summary: HOSTILE,
    usage: `.odd ${HOSTILE}`,
    verbs: [{ name: ".one", summary: HOSTILE, placeholder: HOSTILE }],
    examples: [HOSTILE, `  ${HOSTILE}`],
    flags: [
      {
        name: "--odd",
        variable: "OUTRIGGER_ODD",
        placeholder: HOSTILE,
        fallback: HOSTILE,
        help: `'${HOSTILE}\n${HOSTILE}`,
        parse: (each) => each,
      },
    ],
  },
};

async function through(name: string, args: readonly string[], input: string): Promise<string> {
  const path = findTool(name);
  assert.ok(path, `${name} is not installed`);
  const { status, output } = await runTool(path ?? name, args, input);
  assert.is(status, 0, output);
  return output;
}

/** What both readers have to say against a page; the form of its source aside. */
async function faults(roff: string): Promise<string> {
  const lint = await through("mandoc", ["-Tlint", "-Wwarning"], roff);
  return lint + (await through("groff", ["-man", "-ww", "-Tutf8", "-z"], roff));
}

/** As it is read, in lines as long as they come, without its bold and italic. */
async function shown(roff: string): Promise<string> {
  const plain = await through("mandoc", ["-Tutf8", "-Owidth=999"], roff);
  return plain.replace(/.\x08/gu, "");
}

test("neither mandoc nor groff has anything to warn of", async () => {
  assert.is(await faults(page), "");
  const hostile = manPage({ table: HOSTILE_TABLE, version: HOSTILE, date });
  assert.is(await faults(hostile), "");
});

test("a reader that finds nothing wrong would find something", async () => {
  const lint = await runTool(findTool("mandoc") ?? "", ["-Tlint", "-Wwarning"], `${page}.XX\n`);
  assert.match(lint.output, "XX");
  const groff = await through("groff", ["-man", "-ww", "-Tutf8", "-z"], `${page}.XX\n`);
  assert.match(groff, "XX");
});

test("all commands, flags and variables are on the page, and can be copied", async () => {
  const read = await shown(page);
  for (const [name, { usage, examples }] of Object.entries<Command>(COMMANDS)) {
    assert.ok(read.includes(`outrigger ${usage.replaceAll("…", "...")}\n`), name);
    for (const example of examples) assert.ok(read.includes(` ${example}\n`), example);
  }
  for (const { name, variable } of FLAGS) {
    assert.match(read, new RegExp(`^ +${name}[ \\[]`, "m"));
    assert.match(read, new RegExp(`^ +${variable}$`, "m"));
  }
  const headings = [...read.matchAll(/^[A-Z][A-Z ]+$/gm)].map(String);
  const sections = "NAME SYNOPSIS DESCRIPTION COMMANDS ENVIRONMENT FILES EXIT STATUS SIGNALS";
  assert.is(headings.join(" "), `${sections} EXAMPLES SEE ALSO`);
  assert.match(read, "outrigger - a service-mesh sidecar");
  assert.match(read, "2026-09-21");
});

test("what looks like roff in a text is shown as it is", async () => {
  const read = await shown(manPage({ table: HOSTILE_TABLE, version: "1", date }));
  const plain = HOSTILE.replace("…", "...");
  for (const line of [`.one ${plain}`, `--odd ${plain}`, `'${plain} ${plain}.`, ` ${plain}`]) {
    assert.ok(read.includes(`${line}\n`), `${line}\n${read}`);
  }
});

test("text() and escaped() leave no instruction and no sign that roff changes", () => {
  assert.is(text(".a"), "\\&.a");
  assert.is(text("'a"), "\\(aqa");
  assert.is(escaped("a-b\\c"), "a\\-b\\(rsc");
  assert.is(escaped("a\n.SH b"), "a .SH b");
  assert.is(escaped("µ𝄞…"), "\\[u00B5]\\[u1D11E]...");
});

test("its examples are command lines that are accepted", () => {
  let count = 0;
  for (const line of EXAMPLES.flatMap(([, ...lines]) => lines)) {
    // What is in $(…) is a command line too, and in its place stands a token.
    const inner = [...line.matchAll(/\$\(outrigger ([^)]*)\)/g)].map(([, words = ""]) => words);
    const outer = line.replace(/"\$\([^)]*\)"/g, "@token").replace(/ &$/, "");
    const own = outer.startsWith("outrigger ") ? [outer.slice("outrigger ".length)] : [];
    for (const words of [...inner, ...own]) {
      assert.is.not(parseCommandLine(words.split(" "), { HOME: "/home/a" }).kind, "bad", words);
      count += 1;
    }
  }
  assert.ok(count >= 5, String(count));
});

test("outrigger man prints it, of a day that can be given", async () => {
  const [command, args] = commandLine(["man"]);
  const script = 'SOURCE_DATE_EPOCH=1790000000 exec "$0" "$@"';
  const { output, status } = await runTool("/bin/sh", ["-c", script, command, ...args]);
  assert.is(status, 0);
  assert.is(output.replace(/outrigger [0-9.]+"/, 'outrigger 0.1.0"'), page);
  assert.equal(parseCommandLine(["man"], {}), { kind: "man" });
  for (const words of [["x"], ["--x"], ["--", "x"]]) {
    assert.is(parseCommandLine(["man", ...words], {}).kind, "bad", words.join());
  }
});

test("a page that the disk had no room for is no success", async () => {
  const [command, args] = commandLine(["man"]);
  const line = ["-c", 'exec "$0" "$@" >/dev/full', command, ...args];
  assert.is((await runTool("/bin/sh", line)).status, 1);
});

test.run();
