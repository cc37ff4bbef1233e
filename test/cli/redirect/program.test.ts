import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { findProgram, runProgram } from "../../../src/cli/redirect/program.ts";
import { suite } from "../../support/test.ts";

const test = suite("cli/redirect/program");

const folder = mkdtempSync(join(tmpdir(), "outrigger-program-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function script(text: string): string {
  const path = join(folder, "tool");
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o700);
  return path;
}

test("a program is found in PATH, and where a PATH may not lead", () => {
  const path = script("exit 0");
  assert.is(findProgram("tool", `/nowhere::${folder}`), path);
  assert.is(findProgram("tool", "/nowhere"), null);
  assert.is(findProgram("tool", undefined), null);
  assert.match(findProgram("nft", "") ?? "", /^\/(usr\/)?sbin\/nft$/);
});

test("it gets its arguments and its input as they are", async () => {
  const { isOk, output } = await runProgram(
    script('printf "%s|" "$@"; cat'),
    ["a b", "$(id)", ";", ""],
    "in\nput",
  );
  assert.ok(isOk);
  assert.is(output, "a b|$(id)|;||in\nput");
});

test("what it complains of is one line without controls, however much it is", async () => {
  const { isOk, complaint } = await runProgram(
    script(
      'printf "Error: \\033[31mno\\n   ^^^\\nbecause\\n" >&2; head -c 100000 /dev/zero | tr "\\0" x >&2; exit 3',
    ),
    [],
  );
  assert.not.ok(isOk);
  assert.match(complaint, /^tool: Error: \\u001b\[31mno; because/);
  assert.ok(complaint.length < 400);
  const silent = await runProgram(script("exit 3"), []);
  assert.is(silent.complaint, "tool: status 3");
});

test("one that says too much, reads nothing, or is none, has failed", async () => {
  const noisy = await runProgram(script("head -c 34000000 /dev/zero"), []);
  assert.is(noisy.complaint, "tool: said more than 32 MiB");
  const deaf = await runProgram(script("exec 0<&-; exit 0"), [], "x".repeat(1 << 20));
  assert.ok(deaf.isOk);
  const missing = await runProgram(join(folder, "none"), []);
  assert.match(missing.complaint, /^none: cannot be started: /);
});

test.run();
