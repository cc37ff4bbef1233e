// timeout: 60s
/** `outrigger control` and what is done beside it, as programs: what they print, how they end. */

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ensureState } from "../../src/control/authority/rotation.ts";
import { formatTokens, TOKENS_MAX } from "../../src/control/authority/token-file.ts";
import { writeSettings } from "../../src/control/settings.ts";
import { parseJoinToken } from "../../src/identity/join-token.ts";
import { newFolder, ok } from "../control/authority-rig.ts";
import { eventually } from "../support/eventually.ts";
import { commandLine } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { type Finished, runTool } from "../support/tool.ts";

const test = suite("cli/control-command");
test.timeout(40_000);

const HOUR_MS = 3_600_000;

function control(...words: readonly string[]): Promise<Finished> {
  return runTool(...commandLine(["control", ...words]));
}

/** Makes a folder as a control plane that has been started leaves it. */
async function usedFolder(): Promise<string> {
  const dir = newFolder();
  mkdirSync(dir, { mode: 0o700 });
  ok(await ensureState(dir, Date.now(), HOUR_MS));
  ok(await writeSettings(dir, "cluster.local", "10.0.0.1:4142"));
  return dir;
}

test("a list of tokens that no pipe takes at once is printed whole", async () => {
  const dir = await usedFolder();
  const nowMs = Date.now();
  const of = { hash: "0".repeat(64), name: "web", namespace: "default" };
  const lives = { createdMs: nowMs, expiresMs: nowMs + HOUR_MS };
  const records = Array.from({ length: TOKENS_MAX }, (_, index) => {
    return { id: index.toString(16).padStart(16, "0"), ...of, ...lives };
  });
  writeFileSync(join(dir, "tokens"), formatTokens(records), { mode: 0o600 });
  const { status, output } = await control("token", "list", `--dir=${dir}`);
  assert.is(status, 0);
  assert.is(output.trimEnd().split("\n").length, TOKENS_MAX);
});

test("nothing is done in a folder that no control plane was started with", async () => {
  const dir = newFolder();
  const tasks = [
    ["token", "list"],
    ["token", "create", "--name=web", "--wait=0"],
    ["token", "revoke", "00"],
    ["anchor", "add"],
    ["issuer", "renew"],
  ];
  for (const words of tasks) {
    const { status, output } = await control(...words, `--dir=${dir}`);
    const hint = `start outrigger control --dir ${dir}`;
    assert.is(output, `outrigger: ${dir} has no control plane yet: ${hint}\n`, words.join(" "));
    assert.is(status, 1);
  }
});

test("a policy file is checked without a control plane", async () => {
  const dir = newFolder();
  mkdirSync(dir);
  const path = join(dir, "policy.yaml");
  const check = (...words: readonly string[]) => control("policy", "check", ...words);
  writeFileSync(path, "services:\n  web:\n    alow: [shop]\n");
  const bad = await check(path);
  assert.match(bad.output, new RegExp(`^outrigger: ${path}:3: "alow" is not one of allow,`));
  assert.is(bad.status, 1);
  writeFileSync(path, "services:\n  web: { allow: [shop] }\n");
  const good = await check(`--dir=${dir}`);
  assert.is(good.output, `${path}: in order, services: 1\n`);
  assert.is(good.status, 0);
});

test("a token can be asked for before its control plane has come", async () => {
  const dir = newFolder();
  const words = ["token", "create", "--name=web", "--wait=30s", `--dir=${dir}`];
  const [command, flags] = commandLine(["control", ...words]);
  const child = spawn(command, flags, { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = new Promise((resolve) => child.on("close", resolve));
  await eventually(() => output.includes("waiting for"), { withinMs: 10_000 });
  mkdirSync(dir, { mode: 0o700 });
  ok(await ensureState(dir, Date.now(), HOUR_MS));
  ok(await writeSettings(dir, "cluster.local", "10.0.0.1:4142"));
  assert.is(await exited, 0);
  const [line = "", token = ""] = output.split("\n");
  assert.is(line, `outrigger: waiting for a control plane in ${dir}`);
  assert.is(parseJoinToken(token)?.host, "10.0.0.1");
});

test("a control plane that does not come to serve leaves the address in tokens as it was", async () => {
  const dir = await usedFolder();
  const before = readFileSync(join(dir, "settings"), "utf8");
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const flags = [`--dir=${dir}`, "--listen=127.0.0.1:0", `--admin=127.0.0.1:${port}`];
  const { status, output } = await control(...flags);
  taken.close();
  assert.is(status, 1);
  assert.match(output, `outrigger: --admin: 127.0.0.1:${port}: `);
  assert.is(readFileSync(join(dir, "settings"), "utf8"), before);
});

test("a flag without which nothing can be done is named when it is missing", async () => {
  const { status, output } = await control("token", "create");
  assert.is(output, "outrigger: --name: missing, expected NAME\n");
  assert.is(status, 64);
});

test.run();
