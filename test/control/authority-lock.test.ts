import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { Fault } from "../../src/control/authority/fault.ts";
import { prepareFolder } from "../../src/control/authority/folder.ts";
import { LockLost, withLock } from "../../src/control/authority/lock.ts";
import { addAnchor } from "../../src/control/authority/rotation.ts";
import { createToken, listTokens } from "../../src/control/authority/tokens.ts";
import { patient } from "../support/eventually.ts";
import { seeded } from "../support/random.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { newFolder, ok, Rig, START_MS } from "./authority-rig.ts";

const test = suite("control/authority-lock");
test.timeout(60_000);

/** Far less than the age at which any claim is taken over. */
const AT_ONCE_MS = 5_000;

type Writer = {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Its status, once it has ended and all of its output is here. */
  readonly ended: Promise<number | null>;
};

/** Starts a process of this runtime that changes the folder. */
function startWriter(dir: string, mode: "tokens" | "rotate" | "count", count: number): Writer {
  const flags = process.execPath.endsWith("deno") ? ["run", "--allow-all"] : [];
  const args = [...flags, "test/control/authority-writer.ts", dir, mode, String(count)];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, output: () => output, ended };
}

/** Resolves when the writer has made so many changes; rejects when it ends before. */
function changed({ child, output }: Writer, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if ((output().match(/^done$/gm)?.length ?? 0) >= count) resolve();
    };
    child.stdout?.on("data", look);
    child.on("close", () => reject(new Error(`ended: ${output()}`)));
    look();
  });
}

function lockFolder(): string {
  const dir = newFolder();
  assert.is(prepareFolder(dir), null);
  return dir;
}

function tokenOf(name: string) {
  const where = { namespace: "default", trustDomain: "cluster.local", host: "::1", port: 1 };
  return { name, ...where, ttlMs: 1_000_000, nowMs: START_MS };
}

test("one at a time within a process, however many wait, and it is free after an error", async () => {
  const dir = lockFolder();
  let inside = 0;
  let most = 0;
  const work = async (index: number): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await Promise.resolve();
    inside -= 1;
    if (index % 3 === 0) throw new Error("on purpose");
  };
  const all = Array.from({ length: 30 }, (_, index) => withLock(dir, () => work(index)));
  const results = await Promise.allSettled(all);
  assert.is(results.filter(({ status }) => status === "rejected").length, 10);
  assert.is(most, 1);
  assert.is(readdirSync(dir).length, 1, "one released claim is left");
});

test("a claim whose process is gone, or that is old, is taken over at once", async () => {
  const dir = lockFolder();
  const left: [string, Date][] = [
    ["", new Date(Date.now() - 60_000)],
    ["elsewhere 1 1", new Date(Date.now() - 60_000)],
    // Our own namespace and number, born at another time.
    [`${readlinkSync("/proc/self/ns/pid")} ${process.pid} 1`, new Date()],
    [`${readlinkSync("/proc/self/ns/pid")} 4194305 1`, new Date()],
    ["released", new Date()],
  ];
  for (const [index, [text, time]] of left.entries()) {
    const path = join(dir, `lock-${(index + 1) * 10}`);
    writeFileSync(path, text);
    utimesSync(path, time, time);
    const startMs = performance.now();
    assert.is(await withLock(dir, () => "ours"), "ours", text);
    assert.ok(performance.now() - startMs < patient(AT_ONCE_MS), text);
  }
});

test("a process that held the lock for too long is told before it changes anything", async () => {
  const dir = lockFolder();
  const error = await withLock(dir, ({ assertHeld }) => {
    assertHeld();
    const [name = ""] = readdirSync(dir);
    const number = Number(name.slice("lock-".length));
    writeFileSync(join(dir, `lock-${number + 1}`), "elsewhere 1 1");
    assertHeld();
  }).catch((thrown: unknown) => thrown);
  assert.instance(error, LockLost);
});

test("a number that several processes read, raise and write under the lock comes out right", async () => {
  const dir = lockFolder();
  writeFileSync(join(dir, "number"), "0");
  const writers = [1, 2, 3, 4].map(() => startWriter(dir, "count", 150));
  for (const writer of writers) assert.is(await writer.ended, 0, writer.output());
  assert.is(readFileSync(join(dir, "number"), "utf8"), "600");
});

test("tokens that several processes make at once are all kept", async () => {
  const rig = new Rig();
  const authority = await rig.open();
  const writers = [1, 2, 3].map(() => startWriter(rig.dir, "tokens", 10));
  const own = Array.from({ length: 10 }, () => createToken(rig.dir, tokenOf("own")));
  for (const text of await Promise.all(own)) ok(text);
  for (const writer of writers) assert.is(await writer.ended, 0, writer.output());
  assert.is(ok(listTokens(rig.dir, START_MS)).length, 40);
  await authority.poll();
  assert.equal(rig.faults, []);
});

test("a process that is killed while it makes tokens loses none that it told of", async () => {
  const random = seeded("kill-tokens");
  const rig = new Rig();
  await rig.open();
  let told = 0;
  for (let round = 0; round < 4; round += 1) {
    const writer = startWriter(rig.dir, "tokens", 0);
    await changed(writer, random.between(1, 10));
    writer.child.kill("SIGKILL");
    await writer.ended;
    told += writer.output().match(/^done$/gm)?.length ?? 0;
    ok(await createToken(rig.dir, tokenOf("own")));
    told += 1;
    const kept = ok(listTokens(rig.dir, START_MS)).length;
    // The last one may have been made and not told of.
    assert.ok(kept === told || kept === told + 1, `${kept} kept, ${told} told`);
    told = kept;
  }
});

test("a process that is killed while it replaces anchors leaves a folder that is right", async () => {
  const random = seeded("kill-rotation");
  const rig = new Rig();
  const authority = await rig.open();
  for (let round = 0; round < 4; round += 1) {
    const writer = startWriter(rig.dir, "rotate", 0);
    await changed(writer, random.between(1, 3));
    writer.child.kill("SIGKILL");
    await writer.ended;
    assert.not.match(writer.output(), /fault/);
    const opened = await rig.tryOpen();
    assert.not.instance(opened, Fault, opened instanceof Fault ? opened.reason : "");
    await authority.poll();
    assert.equal(authority.roots, ok(opened).roots);
  }
  assert.ok(authority.version > 4);
  const added = await addAnchor(rig.dir, START_MS);
  assert.ok(!(added instanceof Fault) || added.reason.includes("added already"));
});

test.run();
