#!/usr/bin/env node
// npm test [-- WORDS] [--runtime bun|deno] [--jobs N]
// Runs test/**/*.test.ts, each file in its own process, on Bun and on Deno. The first lines of a
// file may say `// timeout: 300s` (120 s unless said), `// exclusive` (nothing runs beside it) and
// `// runtime: bun` (it tests a program that runs on that alone).
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { childEnv, ensureInstalled, fail, root, takeFlag, testCommandFor } from "./runtimes.mjs";

const TIMEOUT_DEFAULT_S = 120;
const HEAD_LINES = 12;
/** Failed tests of a file that are named again in the end. */
const SHOWN_MAX = 5;

const words = process.argv.slice(2);
const runtime = takeFlag(words, "--runtime", null);
const jobs = Number(takeFlag(words, "--jobs", "3"));
if (!(jobs >= 1)) fail("--jobs: expected a number from 1");
const unknown = words.find((word) => word.startsWith("-"));
if (unknown) fail(`unknown flag ${unknown}: expected WORDS, --runtime bun|deno or --jobs N`);

ensureInstalled({ dev: true });
const files = readdirSync(join(root, "test"), { recursive: true })
  .map((file) => `test/${file}`)
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
const tasks = files.flatMap((file) => {
  const text = readFileSync(join(root, file), "utf8");
  const head = text.split("\n", HEAD_LINES).join("\n");
  const isSeeded = text.includes("seeded(");
  const timeoutS = Number(/^\/\/ timeout: ([0-9]+)s$/m.exec(head)?.[1] ?? TIMEOUT_DEFAULT_S);
  const isExclusive = /^\/\/ exclusive$/m.test(head);
  const only = /^\/\/ runtime: (bun|deno)$/m.exec(head)?.[1] ?? null;
  const runtimes = (runtime === null ? ["bun", "deno"] : [runtime]).filter(
    (runtime) => only === null || runtime === only,
  );
  return runtimes.map((runtime) => ({ file, runtime, timeoutS, isExclusive, isSeeded }));
});
// Chosen here, so that it is known even of a test that was killed.
const seed = process.env.SEED ?? String(1 + Math.floor(Math.random() * 0xffff_fffe));
const running = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(130);
  });
}

let passed = 0;
let failed = 0;
const failures = [];
const shared = tasks.filter((task) => !task.isExclusive);
await Promise.all(Array.from({ length: jobs }, () => drain(shared)));
await drain(tasks.filter((task) => task.isExclusive));
if (tasks.length === 0) {
  failed += 1;
  console.log(`no test file has ${words.join(" or ") || "been written"} in its path`);
}
// Once more, together: of a long output often only the end is kept.
for (const failure of failures) console.log(failure);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function drain(queue) {
  for (let task = queue.shift(); task; task = queue.shift()) report(task, await runOne(task));
}

function runOne({ file, runtime, timeoutS }) {
  const [command, args] = testCommandFor(runtime, file);
  const startMs = performance.now();
  // A group of its own, so that what a test left behind ends with it.
  const child = spawn(command, args, {
    cwd: root,
    env: { ...childEnv, NO_COLOR: "1", SEED: seed },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  const output = [];
  child.stdout.on("data", (bytes) => output.push(bytes));
  child.stderr.on("data", (bytes) => output.push(bytes));
  return new Promise((resolve) => {
    let end = "";
    const timer = setTimeout(() => {
      end = `not ended within ${timeoutS} s`;
      killGroup(child);
    }, timeoutS * 1000);
    const settle = () => {
      clearTimeout(timer);
      running.delete(child);
      const text = Buffer.concat(output).toString();
      resolve({ end, text, seconds: (performance.now() - startMs) / 1000 });
    };
    child.on("error", (error) => {
      end = error.message;
      settle();
    });
    child.on("exit", (status, signal) => {
      if (end === "" && status !== 0) end = signal ? `ended by ${signal}` : `exit status ${status}`;
      killGroup(child);
      // A grandchild in a session of its own may hold the pipes; its output is not waited for.
      setTimeout(settle, 2000).unref();
    });
    child.on("close", settle);
  });
}

function report({ file, runtime, isSeeded }, { end, text, seconds }) {
  let filePassed = 0;
  let fileFailed = 0;
  for (const [, ok, bad] of text.matchAll(/^suite .+: ([0-9]+) passed, ([0-9]+) failed$/gm)) {
    filePassed += Number(ok);
    fileFailed += Number(bad);
  }
  const why = end || (filePassed + fileFailed === 0 ? "ran no tests" : "");
  if (why && fileFailed === 0) fileFailed = 1;
  passed += filePassed;
  failed += fileFailed;
  const counts = fileFailed > 0 ? `${filePassed} passed, ${fileFailed} failed` : `${filePassed}`;
  const mark = fileFailed > 0 ? "FAIL" : "ok  ";
  console.log(`${mark} ${runtime.padEnd(4)} ${file}  ${counts}  ${seconds.toFixed(1)} s`);
  // What a machine lacks is said, whatever else passed.
  for (const [line] of text.matchAll(/^not run: .*$/gm)) console.log(`  ${line}`);
  if (fileFailed === 0) return;
  const prefix = isSeeded || /^SEED=/m.test(text) ? `SEED=${seed} ` : "";
  console.log(`${text.trimEnd().replace(/^/gm, "  | ")}${why ? `\n  ${why}` : ""}`);
  console.log(`  again: ${prefix}npm test -- ${file} --runtime ${runtime}`);
  // uvu's words: the test's name, and the first line of what it found.
  const found = text.matchAll(/^ *FAIL +[^"\n]*("[^\n]*")\n *([^\n]*)/gm);
  const names = Array.from(found, ([, name, what]) => `\n  ${name} ${what}`).slice(0, SHOWN_MAX);
  failures.push(`FAIL ${runtime.padEnd(4)} ${file}  ${names.join("") || why}`);
}

function killGroup(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has already gone.
  }
}
