// timeout: 60s
/** Completions, by the shells that they are for. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { parseCommandLine } from "../../../src/cli/command-line.ts";
import { bashCompletion } from "../../../src/cli/completion/bash.ts";
import { fishCompletion } from "../../../src/cli/completion/fish.ts";
import { type Table, valuesOf } from "../../../src/cli/completion/table.ts";
import { zshCompletion } from "../../../src/cli/completion/zsh.ts";
import { COMMANDS, FLAGS } from "../../../src/cli/keys.ts";
import { commandLine } from "../../support/program.ts";
import { commandsRun, ShellRig } from "../../support/shells.ts";
import { suite } from "../../support/test.ts";
import { runTool } from "../../support/tool.ts";

const test = suite("cli/completion");
test.timeout(30_000);

/** What is typed, `\t` for the key, and the words of the command line that comes of it. */
const TYPED: readonly (readonly [typed: string, words: string])[] = [
  ["ru\t", "<run>"],
  ["control tok\tcr\t--tt\t", "<control><token><create><--ttl>"],
  ["control token list --tt\t", "<control><token><list><--tt>"],
  ["control --li\t", "<control><--listen>"],
  ["run --log-level d\t", "<run><--log-level><debug>"],
  ["run --log-level=d\t", "<run><--log-level=debug>"],
  ["tap --status 5x\t", "<tap><--status><5xx>"],
  ["tap --js\t", "<tap><--json>"],
  ["tap --json=of\t", "<tap><--json=off>"],
  ["tap --max 1 --ma\t", "<tap><--max><1><--ma>"],
  ["run --app 127.0.0.1:80 --acc\t", "<run><--app><127.0.0.1:80><--access-log>"],
  ["run --token @w\t", "<run><--token><@web.token>"],
  ["run --token=@w\t", "<run><--token=@web.token>"],
  ["control --policy w\t", "<control><--policy><web.token>"],
  ["control policy ch\tit\t", "<control><policy><check><it's here>"],
  ["run --identity-dir web\t", "<run><--identity-dir><web>"],
  ["run -- ech\t", "<run><--><echo>"],
  ["run -- cat we\t", "<run><--><cat><web.token>"],
  ["help con\ttok\t", "<help><control><token>"],
  ["completion fi\t", "<completion><fish>"],
  ["frob --na\t", "<frob><--na>"],
];

/** They mean something to one shell or another, or to roff. */
const HOSTILE = `it's "$(touch pwned)" \`touch pwned\` [a]:b (c) {d,e} \\n %s %F{red} * ~ # ! <x> & ; |`;

const hostile: Table = {
  odd: {
    summary: HOSTILE,
    usage: "odd one|other [flags]",
    verbs: [
      { name: "one", summary: HOSTILE, placeholder: null },
      { name: "other", summary: HOSTILE, placeholder: HOSTILE },
    ],
    examples: [],
    flags: ["--ab", "--ac"].map((name) => ({
      name: `--${name.slice(2)}` as const,
      variable: "OUTRIGGER_ODD",
      placeholder: HOSTILE,
      fallback: null,
      help: HOSTILE,
      parse: (text: string) => text,
    })),
  },
  even: { summary: HOSTILE, usage: "even", examples: [], flags: [] },
};

function typed(lines: readonly (readonly [string, string])[]): readonly string[] {
  return lines.map(([line]) => `outrigger ${line}`);
}

test("bash completes commands, flags, values and files", async () => {
  const rig = new ShellRig("bash", bashCompletion(COMMANDS));
  const more: [string, string][] = [
    ["control --dir my\t", "<control><--dir><my folder/>"],
    ["control --dir=my\t", "<control><--dir=my folder/>"],
    ["control --dir my\\ f\t", "<control><--dir><my folder/>"],
    ["run --token @my\t", "<run><--token><@my folder/>"],
    ["run --up\ta=b:1 --up\tc:2", "<run><--upstream><a=b:1><--upstream><c:2>"],
  ];
  const table = [...TYPED, ...more];
  const lines = typed(table);
  const shown = await rig.type("bash", lines);
  assert.equal(
    commandsRun(shown),
    table.map(([, words]) => words),
    shown,
  );
});

test("zsh completes commands, flags, values and files", async () => {
  const rig = new ShellRig("zsh", zshCompletion(COMMANDS));
  const more: [string, string][] = [
    ["control --dir my\t", "<control><--dir><my folder>"],
    ["control --dir=my\t", "<control><--dir=my folder>"],
    ["run --up\ta=b:1 --up\tc:2", "<run><--upstream=a=b:1><--upstream=c:2>"],
  ];
  const table = [...TYPED, ...more];
  const shown = await rig.type("zsh", typed(table));
  assert.equal(
    commandsRun(shown),
    table.map(([, words]) => words),
    shown,
  );
});

test("fish offers commands, flags, values and files, and says what they are", async () => {
  const rig = new ShellRig("fish", fishCompletion(COMMANDS));
  const table: [string, readonly string[]][] = [
    ["ru", [`run\t${COMMANDS.run.summary}`]],
    ["control token cr", ["create\tmakes a token and prints it, once"]],
    ["control token list --tt", []],
    ["run --log-level d", ["debug\tthe least severe that is logged to stderr"]],
    ["run --log-level=d", ["--log-level=debug\tthe least severe that is logged to stderr"]],
    ["tap --max 1 --ma", []],
    ["run --token @w", ["@web.token\tjoins a mesh; from outrigger control token create"]],
    ["control --policy=w", ["--policy=web.token"]],
    ["control --dir my", ["my folder/"]],
    ["control policy check w", ["web.token"]],
    ["run -- cat we", ["web.token"]],
    ["help control tok", [`token\t${COMMANDS["control token"].summary}`]],
    ["frob --na", []],
  ];
  const found = await rig.offers(table.map(([line]) => `outrigger ${line}`));
  table.forEach(([line, offers], index) => {
    assert.equal(found[index], offers, line);
  });
});

test("texts mean nothing to a shell, whatever is in them", async () => {
  const bash = new ShellRig("bash", bashCompletion(hostile));
  const zsh = new ShellRig("zsh", zshCompletion(hostile));
  const fish = new ShellRig("fish", fishCompletion(hostile));
  const ran = ["<odd><one><--ab><x>", "<even>"];
  const lines = ["outrigger od\ton\t--ab\t x", "outrigger ev\t"];
  assert.equal(commandsRun(await bash.type("bash", lines)), ran);
  const shown = await zsh.type("zsh", ["outrigger \t", ...lines, "outrigger odd --a\t"]);
  assert.equal(commandsRun(shown).slice(1, 3), ran, shown);
  assert.ok(shown.includes(`odd  -- ${HOSTILE}`), shown);
  assert.ok(shown.includes(`--ab  -- ${HOSTILE}`), shown);
  const found = await fish.offers(["outrigger od", "outrigger odd ot", "outrigger odd --ab"]);
  assert.equal(found, [[`odd\t${HOSTILE}`], [`other\t${HOSTILE}`], [`--ab\t${HOSTILE}`]]);
  for (const { folder } of [bash, zsh, fish]) assert.not.ok(existsSync(join(folder, "pwned")));
});

test("valuesOf() reads a placeholder", () => {
  assert.equal(valuesOf(null), { kind: "words", words: ["on", "off"] });
  assert.equal(valuesOf("text|json"), { kind: "words", words: ["text", "json"] });
  assert.equal(valuesOf("DIR"), { kind: "folder" });
  assert.equal(valuesOf("FILE"), { kind: "file" });
  assert.equal(valuesOf("TOKEN|@FILE"), { kind: "@file" });
  for (const text of ["HOST:PORT", "N", "[h1:|h2:]HOST:PORT"]) {
    assert.equal(valuesOf(text), { kind: "free" });
  }
});

test("names need no quotes, and what takes a value does so in each command", () => {
  for (const name of Object.keys(COMMANDS)) assert.match(name, /^[a-z]+( [a-z]+)?$/);
  const isSwitch = new Map<string, boolean>();
  for (const { name, placeholder } of FLAGS) {
    assert.match(name, /^--[a-z][a-z0-9-]*$/);
    assert.is(isSwitch.get(name) ?? placeholder === null, placeholder === null, name);
    isSwitch.set(name, placeholder === null);
  }
});

test("outrigger completion prints the script of a shell, and knows no other", async () => {
  const made = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
  for (const [shell, make] of Object.entries(made)) {
    assert.equal(parseCommandLine(["completion", shell], {}), {
      kind: "completion",
      config: { shell },
    });
    const { status, output } = await runTool(...commandLine(["completion", shell]));
    assert.is(output, make(COMMANDS));
    assert.is(status, 0);
  }
  for (const words of [[], ["tcsh"], ["bash", "x"], ["bash", "--x"]]) {
    assert.is(parseCommandLine(["completion", ...words], {}).kind, "bad", words.join());
  }
});

test.run();
