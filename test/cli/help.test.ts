import * as assert from "uvu/assert";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { helpText } from "../../src/cli/help.ts";
import { COMMAND_NAMES, COMMANDS, FLAGS, type Flag, RUN } from "../../src/cli/keys.ts";
import { Wrong } from "../../src/cli/values.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/help");

const COLUMNS_MAX = 100;

const flags = FLAGS;

test("helpText() shows every command, and for each its flags, variables, defaults and example", () => {
  const overview = helpText(null);
  for (const name of COMMAND_NAMES) {
    const command = COMMANDS[name];
    assert.ok(overview.includes(`  ${name} `), name);
    const text = helpText(name);
    assert.ok(text.endsWith(`  ${command.example}\n`), name);
    for (const flag of command.flags) {
      assert.ok(text.includes(`  ${flag.name}`), flag.name);
      assert.ok(text.includes(flag.variable), flag.variable);
      assert.ok(flag.fallback === null || text.includes(`default: ${flag.fallback};`), flag.name);
    }
  }
});

test("helpText() fits a terminal", () => {
  for (const name of [null, ...COMMAND_NAMES]) {
    for (const line of helpText(name).split("\n")) assert.ok(line.length <= COLUMNS_MAX, line);
  }
});

test("the examples are command lines that are accepted", () => {
  for (const name of COMMAND_NAMES) {
    const [program, ...argv] = COMMANDS[name].example.split(" ");
    assert.is(program, "outrigger");
    const isTask = name.startsWith("control ");
    assert.is(parseCommandLine(argv, {}).kind, isTask ? "control task" : name);
  }
});

test("every default is a value that its own flag accepts", () => {
  for (const { name, fallback, parse } of flags) {
    assert.not.ok(fallback !== null && parse(fallback) instanceof Wrong, name);
  }
});

test("every flag has a variable of its own, named after it", () => {
  for (const name of COMMAND_NAMES) {
    const variables = COMMANDS[name].flags.map(({ variable }) => variable);
    assert.is(new Set(variables).size, variables.length, name);
  }
  for (const { name, variable } of Object.values<Flag>(RUN)) {
    assert.is(variable, `OUTRIGGER_${name.slice(2).toUpperCase().replaceAll("-", "_")}`);
  }
});

test("parseCommandLine() answers --help, help NAME and version", () => {
  const table: [string[], string][] = [
    [["--help"], helpText(null)],
    [["help"], helpText(null)],
    [["help", "run"], helpText("run")],
    [["run", "--workers", "9999", "--help"], helpText("run")],
    [["demo", "-h"], helpText("demo")],
  ];
  for (const [argv, text] of table)
    assert.equal(parseCommandLine(argv, {}), { kind: "help", text });
  assert.equal(parseCommandLine(["--version"], {}), { kind: "version" });
  assert.is(parseCommandLine(["help", "nothing"], {}).kind, "bad");
  assert.is(parseCommandLine(["version", "--x"], {}).kind, "bad");
  assert.is(parseCommandLine([], {}).kind, "demo");
});

test.run();
