/**
 * A process that changes a folder of the authority, for tests that run several or kill one: `tokens`
 * makes COUNT tokens (0 goes on for ever), `rotate` adds and promotes anchors, `count` raises the
 * number in a file, which only the lock makes safe. It prints a line before the first change and
 * after each.
 */
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../src/control/authority/fault.ts";
import { withLock } from "../../src/control/authority/lock.ts";
import { addAnchor, promoteAnchor, removeAnchor } from "../../src/control/authority/rotation.ts";
import { createToken } from "../../src/control/authority/tokens.ts";
import { START_MS } from "./authority-rig.ts";

const [dir = "", mode = "", count = "0"] = process.argv.slice(2);

function say(what: string): void {
  writeSync(1, `${what}\n`);
}

function check(value: unknown): void {
  if (!(value instanceof Fault)) return;
  say(`fault: ${value.reason}`);
  process.exit(1);
}

async function makeToken(): Promise<void> {
  const request = { name: "web", namespace: "default", trustDomain: "cluster.local" };
  const where = { host: "127.0.0.1", port: 1, ttlMs: 1_000_000, nowMs: START_MS };
  check(await createToken(dir, { ...request, ...where }));
}

async function rotate(): Promise<void> {
  const added = await addAnchor(dir, START_MS);
  // One that a killed process has left.
  if (!(added instanceof Fault && added.reason.includes("is added already"))) check(added);
  check(await promoteAnchor(dir, START_MS, { force: true }));
  check(await removeAnchor(dir, START_MS, { fingerprint: null, force: true }));
}

async function raise(): Promise<void> {
  const path = join(dir, "number");
  const raised = await withLock(dir, async () => {
    const number = Number(readFileSync(path, "utf8"));
    await Promise.resolve();
    writeFileSync(path, String(number + 1));
  });
  check(raised);
}

const actions: Record<string, () => Promise<void>> = { tokens: makeToken, rotate, count: raise };

say("begins");
for (let done = 0; count === "0" || done < Number(count); done += 1) {
  await actions[mode]?.();
  say("done");
}
