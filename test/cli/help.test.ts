import * as assert from "uvu/assert";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { helpText } from "../../src/cli/help.ts";
import {
  COMMAND_NAMES,
  COMMANDS,
  type Command,
  FLAGS,
  type Flag,
  type Verb,
} from "../../src/cli/keys.ts";
import { RUN } from "../../src/cli/run-keys.ts";
import { Wrong } from "../../src/cli/values.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/help");

const COLUMNS_MAX = 100;

const flags = FLAGS;

function verbsOf({ verbs = [] }: Command): readonly Verb[] {
  return verbs;
}

test("helpText() shows every command, and for each its flags, variables, defaults and example", () => {
  const overview = helpText(null);
  for (const name of COMMAND_NAMES) {
    const command = COMMANDS[name];
    assert.ok(overview.includes(`  ${name} `), name);
    const text = helpText(name);
    for (const example of command.examples) assert.ok(text.includes(`  ${example}\n`), name);
    for (const verb of verbsOf(command)) {
      assert.match(text, new RegExp(`^  ${verb.name} `, "m"));
      assert.ok(text.includes(`  ${verb.summary}\n`), verb.summary);
    }
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

/** The words of an outrigger in a line for a shell, which may pass on what it prints. */
function argvOf(example: string): readonly string[] {
  const [, words = ""] = /(?:^|[(|] *)outrigger((?: [^|>()]+)?)/.exec(example) ?? [];
  return words.split(" ").filter((word) => word !== "");
}

test("the examples are command lines that are accepted, of their command", () => {
  for (const name of COMMAND_NAMES) {
    const { examples } = COMMANDS[name];
    assert.ok(examples.length > 0, name);
    for (const example of examples) {
      const argv = argvOf(example);
      assert.is(argv.slice(0, name.split(" ").length).join(" "), name, example);
      const isTask = name.startsWith("control ");
      assert.is(
        parseCommandLine(argv, { HOME: "/home/a" }).kind,
        isTask ? "control task" : name,
        example,
      );
    }
  }
});

test("usage lines name the command and its verbs, and flags are of verbs that there are", () => {
  for (const name of COMMAND_NAMES) {
    const command: Command = COMMANDS[name];
    const verbs = verbsOf(command).map((verb) => verb.name);
    const rest = command.usage.slice(name.length);
    assert.is(command.usage, name + rest);
    assert.is(/^ ([a-z|]+)/.exec(rest)?.[1] ?? "", verbs.join("|"), command.usage);
    assert.is(rest.includes("[flags]"), command.flags.length > 0, command.usage);
    const placeholders = verbsOf(command).map(({ placeholder }) => placeholder);
    const known = [...placeholders, "flags", "-- COMMAND ARGS…", "COMMAND"];
    for (const [, inner = ""] of rest.matchAll(/\[([^\]]+)\]/g)) {
      assert.ok(known.includes(inner), command.usage);
    }
    for (const { verbs: of = [] } of command.flags) {
      for (const verb of of) assert.ok(verbs.includes(verb), `${name} ${verb}`);
    }
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
