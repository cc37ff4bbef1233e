// timeout: 60s
/** The units: systemd reads them without a word, finds little exposed, and their commands are ours. */
import { basename } from "node:path";
import * as assert from "uvu/assert";
import { CONTROL } from "../../src/cli/control-keys.ts";
import { RUN } from "../../src/cli/run-keys.ts";
import { parseDuration } from "../../src/lib/duration.ts";
import { read } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { type Finished, findTool, runTool } from "../support/tool.ts";
import { commandFaults, ofInstance, packaged, withFiles } from "./files.ts";

const test = suite("packaging/systemd");
test.timeout(30_000);

/** In tenths, as systemd-analyze has it: "OK" begins below 5.0, ours are at 1.1 to 1.5. */
const EXPOSURE_MAX = 15;

const units = packaged("systemd", ".service");

function analyze(...args: readonly string[]): Promise<Finished> {
  const tool = findTool("systemd-analyze");
  if (tool === null)
    throw new Error("systemd-analyze is missing; it is in Debian's package systemd");
  return runTool(tool, args);
}

/** Units as they are, but for the program, which need not be installed here. */
const texts = (): Record<string, string> =>
  Object.fromEntries(
    units.map((path) => [
      basename(path),
      read(path).replaceAll("/usr/bin/outrigger", process.execPath),
    ]),
  );

const verify = (files: Readonly<Record<string, string>>): Promise<Finished> =>
  withFiles(files, (paths) => analyze("verify", "--man=no", "--recursive-errors=no", ...paths));

/** Values of a setting, comments aside. */
function valuesOf(text: string, name: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

test("systemd has nothing to say about them, and would have about a misspelt setting", async () => {
  const { status, output } = await verify(texts());
  assert.is(output, "");
  assert.is(status, 0);
  const wrong = Object.entries(texts()).map(([name, text]) => [
    name,
    text.replace("\nProtectHome=", "\nProtectHouse="),
  ]);
  const refused = await verify(Object.fromEntries(wrong));
  assert.is.not(refused.status, 0);
  for (const path of units) assert.match(refused.output, basename(path));
  assert.match(refused.output, "ProtectHouse");
});

test("little is exposed", async () => {
  const security = (limit: number): Promise<Finished> =>
    analyze("security", "--offline=yes", "--no-pager", `--threshold=${limit}`, ...units);
  const { status, output } = await security(EXPOSURE_MAX);
  assert.is(status, 0, output);
  assert.is.not((await security(EXPOSURE_MAX / 3)).status, 0);
});

test("their commands are ours, with the folder and the token that systemd makes", () => {
  const faults = units.flatMap((path) => {
    const text = ofInstance(read(path));
    const commands = [...valuesOf(text, "ExecStart"), ...valuesOf(text, "ExecStop")];
    assert.ok(commands.length > 0, path);
    return commands.flatMap((command) => {
      const [program, ...argv] = command.split(" ");
      assert.is(program, "/usr/bin/outrigger");
      for (const flag of ["--dir", "--state-dir"]) {
        const at = argv.indexOf(flag);
        if (at === -1) continue;
        const made = valuesOf(text, "StateDirectory").map((own) => `/var/lib/${own}`);
        assert.equal(made, [argv[at + 1]]);
      }
      return commandFaults(path, argv);
    });
  });
  assert.equal(faults, []);
});

test("systemd waits longer for the end than the program takes", () => {
  const table = [
    ["outrigger@.service", RUN.shutdownGrace.fallback],
    ["outrigger-control.service", CONTROL.shutdownGrace.fallback],
  ] as const;
  for (const [name, grace] of table) {
    const text = read(`packaging/systemd/${name}`);
    const stopMs = parseDuration(valuesOf(text, "TimeoutStopSec")[0] ?? "") ?? 0;
    // What comes before and after the grace takes less than this.
    assert.ok(stopMs >= (parseDuration(grace) ?? 0) + 15_000, name);
    assert.equal(valuesOf(text, "Type"), ["notify"]);
  }
});

test("the users of the units are made, and the redirection leaves them alone", () => {
  const made = [...read("packaging/systemd/outrigger.sysusers.conf").matchAll(/^u (\S+) /gm)].map(
    ([, name = ""]) => name,
  );
  const used = units.flatMap((path) => valuesOf(read(path), "User"));
  assert.equal([...used].sort(), [...made].sort());
  const redirect = read("packaging/systemd/outrigger-redirect.service");
  for (const name of made)
    assert.match(redirect, new RegExp(`^ExecStart=.* --uid ${name}\\b`, "m"));
});

test.run();
