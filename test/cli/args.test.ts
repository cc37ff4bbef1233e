import * as assert from "uvu/assert";
import { asksForHelp, parseCommand, parseFlags } from "../../src/cli/args.ts";
import type { CommandName } from "../../src/cli/keys.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/args");

function refusal(result: { ok: true } | { ok: false; message: string }): string {
  return result.ok ? "no refusal" : result.message;
}

function values(command: CommandName, argv: string[]): Record<string, readonly string[]> {
  const parsed = parseFlags(command, argv);
  if (!parsed.ok) throw new Error(parsed.message);
  return Object.fromEntries(parsed.values);
}

test("parseCommand() takes nothing at all for the demo", () => {
  assert.equal(parseCommand([]), { ok: true, command: "demo", argv: [] });
});

test("parseCommand() finds the command and its aliases", () => {
  const table: [string[], CommandName][] = [
    [["run", "--name", "x"], "run"],
    [["demo"], "demo"],
    [["--help"], "help"],
    [["-h"], "help"],
    [["--version"], "version"],
  ];
  for (const [argv, command] of table) {
    assert.equal(parseCommand(argv), { ok: true, command, argv: argv.slice(1) });
  }
});

test("parseCommand() says what an unknown command was probably meant to be", () => {
  assert.is(refusal(parseCommand(["rnu"])), 'outrigger: unknown command "rnu"; did you mean run?');
  assert.is(refusal(parseCommand(["fly"])), 'outrigger: unknown command "fly"; see outrigger help');
  assert.match(refusal(parseCommand(["--duration", "1s"])), "expected a command first");
  assert.match(refusal(parseCommand(["__proto__"])), "unknown command");
  assert.match(refusal(parseCommand([""])), 'unknown command ""');
  const tokn = 'unknown command "control tokn"; did you mean control token?';
  assert.is(refusal(parseCommand(["control", "tokn", "list"])), `outrigger: ${tokn}`);
});

test("parseFlags() reads both forms, repeats and switches", () => {
  const argv = [
    "--name=a=b",
    "--upstream",
    "a=h:1",
    "--upstream=b=h:2",
    "--access-log",
    "--workers",
    "-1",
  ];
  assert.equal(values("run", argv), {
    "--name": ["a=b"],
    "--upstream": ["a=h:1", "b=h:2"],
    "--access-log": ["on"],
    "--workers": ["-1"],
  });
  assert.equal(values("run", ["--opaque-ports="]), { "--opaque-ports": [""] });
  assert.equal(values("run", ["--opaque-ports", ""]), { "--opaque-ports": [""] });
});

test("parseFlags() ends at -- and keeps words apart", () => {
  const parsed = parseFlags("run", ["word", "--name", "web", "--", "--name", "-x"]);
  if (!parsed.ok) throw new Error(parsed.message);
  assert.equal(parsed.words, ["word"]);
  assert.equal(parsed.rest, ["--name", "-x"]);
  assert.equal(Object.fromEntries(parsed.values), { "--name": ["web"] });
});

test("parseFlags() refuses unknown flags, missing values and flags given twice", () => {
  const table: [CommandName, string[], string][] = [
    ["run", ["--upstreams=a"], 'outrigger: unknown flag "--upstreams"; did you mean --upstream?'],
    [
      "run",
      ["--detect-tmieout", "1s"],
      'outrigger: unknown flag "--detect-tmieout"; did you mean --detect-timeout?',
    ],
    ["run", ["--frobnicate"], 'outrigger: unknown flag "--frobnicate"; see outrigger help run'],
    ["run", ["--__proto__=x"], 'outrigger: unknown flag "--__proto__"; see outrigger help run'],
    ["run", ["-n", "web"], 'outrigger: unknown flag "-n"; see outrigger help run'],
    ["run", ["--duration", "1s"], 'outrigger: unknown flag "--duration"; see outrigger help run'],
    ["run", ["--name"], "outrigger: --name: expected a value, NAME"],
    ["run", ["--name", "--app", "a:1"], "outrigger: --name: expected a value, NAME"],
    ["run", ["--name", "a", "--name=a"], "outrigger: --name: given twice"],
    ["demo", ["--plain", "--plain"], "outrigger: --plain: given twice"],
  ];
  for (const [command, argv, message] of table) {
    assert.is(refusal(parseFlags(command, argv)), message);
  }
});

test("asksForHelp() looks before -- only", () => {
  assert.ok(asksForHelp(["--name", "x", "-h"]));
  assert.ok(asksForHelp(["--help"]));
  assert.not.ok(asksForHelp(["--", "--help"]));
});

test("nearest() takes one word in three letters of slips, at most two", () => {
  assert.is(nearest("dmeo", ["run", "demo"]), "demo");
  assert.is(nearest("--log-levle", ["--log-level", "--log-format"]), "--log-level");
  assert.is(nearest("xyz", ["run"]), null);
  assert.is(nearest("x", ["y"]), null);
});

test.run();
