import { spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "msgpackr";
import * as assert from "uvu/assert";
import { StateFolder } from "../../src/lib/state-folder.ts";
import { KeptLog } from "../identity/source-fixture.ts";
import { eventually } from "../support/eventually.ts";
import { ROOT } from "../support/sources.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/state-folder");

const VALUE = { bytes: Uint8Array.of(0, 255), list: ["web", null, -1.5, 2 ** 50], none: null };

const root = mkdtempSync(join(tmpdir(), "outrigger-state-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
function newFolder(): { dir: string; log: KeptLog; folder: StateFolder } {
  const dir = join(root, String(count++), "a", "b");
  const log = new KeptLog();
  return { dir, log, folder: StateFolder.open(dir, log) };
}

test("a value is there after a flush, for its owner only, also for the next process", async () => {
  const { dir, log, folder } = newFolder();
  assert.is(folder.read("roots"), null);
  folder.write("roots", "an older one");
  folder.write("roots", VALUE);
  assert.is(folder.read("roots"), null);
  await folder.flush();
  assert.equal(folder.read("roots"), VALUE);
  const read = StateFolder.open(dir, log).read("roots");
  assert.equal(read, VALUE);
  const { bytes } = read as { readonly bytes: Uint8Array };
  assert.is(bytes.constructor, Uint8Array);
  assert.is(bytes.buffer.byteLength, 2);
  assert.is(statSync(dir).mode & 0o777, 0o700);
  assert.is(statSync(join(dir, "roots")).mode & 0o777, 0o600);
  assert.equal(readdirSync(dir), ["roots"]);
  assert.equal(log.lines, []);
});

test("without a folder nothing is kept and nothing is said", async () => {
  const log = new KeptLog();
  const folder = StateFolder.open(null, log);
  folder.write("roots", VALUE);
  await folder.flush();
  assert.is(folder.read("roots"), null);
  assert.is(folder.path, null);
  assert.equal(log.lines, []);
});

test("what is written is on disk within seconds without a flush", async () => {
  const { dir, folder } = newFolder();
  folder.write("roots", VALUE);
  await eventually(() => folder.read("roots") !== null, { withinMs: 5_000 });
  assert.equal(readdirSync(dir), ["roots"]);
});

test("a file that is cut, changed, empty, foreign or a folder is not there, with one line", async () => {
  const { dir, log, folder } = newFolder();
  folder.write("roots", VALUE);
  await folder.flush();
  const file = join(dir, "roots");
  const whole = readFileSync(file);
  const damaged: Uint8Array[] = [pack(VALUE), new TextEncoder().encode("{}\n")];
  for (let length = 0; length < whole.length; length++) {
    damaged.push(whole.subarray(0, length));
    const changed = Uint8Array.from(whole);
    changed[length] = (changed[length] ?? 0) ^ 1;
    damaged.push(changed);
  }
  damaged.push(Buffer.concat([whole, Buffer.from([0])]));
  for (const [index, bytes] of damaged.entries()) {
    writeFileSync(file, bytes);
    assert.is(folder.read("roots"), null);
    assert.is(log.count("warn what was kept is not used"), index + 1);
  }
  rmSync(file);
  mkdirSync(file);
  assert.is(folder.read("roots"), null);
  rmSync(file, { recursive: true });
  // And is replaced by the next value.
  writeFileSync(file, "damaged");
  folder.write("roots", VALUE);
  await folder.flush();
  assert.equal(folder.read("roots"), VALUE);
});

test("a disk that takes nothing is told of once, and tried again", async () => {
  const { dir, log, folder } = newFolder();
  // Stands for every error: whoever runs the tests may be allowed to write everywhere.
  renameSync(dir, `${dir}-away`);
  for (let round = 0; round < 3; round++) {
    folder.write("roots", round);
    folder.write("policy", round);
    await folder.flush();
  }
  assert.equal(log.lines.length, 1);
  assert.match(log.lines[0] ?? "", /warn what is to be kept .* cannot be written .*"ENOENT"/);
  renameSync(`${dir}-away`, dir);
  await folder.flush();
  assert.is(folder.read("roots"), 2);
  assert.is(folder.read("policy"), 2);
  assert.is(log.count("info what is kept across restarts is written again"), 1);
  assert.is(log.lines.length, 2);
});

test("a folder that is none, or open to others, is not used, and its mode is left alone", async () => {
  const { dir, log } = newFolder();
  const file = join(dir, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "below"), "/proc/none"]) {
    assert.is(StateFolder.open(path, log).path, null, path);
  }
  const open = join(dir, "open");
  mkdirSync(open);
  chmodSync(open, 0o770);
  const folder = StateFolder.open(open, log);
  folder.write("roots", VALUE);
  await folder.flush();
  assert.equal(readdirSync(open), []);
  assert.is(statSync(open).mode & 0o777, 0o770);
  assert.is(log.count("warn nothing is kept across restarts"), 4);
  assert.is(log.count("chmod 700"), 1);
});

test("temporary files of processes that died are removed, those of others are not", () => {
  const { dir, log } = newFolder();
  const [old, young] = [join(dir, ".roots-00.tmp"), join(dir, ".roots-01.tmp")];
  writeFileSync(old, "");
  writeFileSync(young, "");
  utimesSync(old, new Date(0), new Date(0));
  StateFolder.open(dir, log);
  assert.equal(readdirSync(dir), [".roots-01.tmp"]);
});

type Written = { readonly writer: string; readonly round: number; readonly fill: string };

test("three processes that write one name leave whole values at every moment", async () => {
  const { dir, log, folder } = newFolder();
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const statuses = ["1", "2", "3"].map(
    (name) =>
      new Promise<number | null>((resolve) => {
        const args = [...flags, "test/support/state-writer.ts", dir, name];
        const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
        child.on("exit", (code) => resolve(code));
      }),
  );
  let isOver = false;
  const ended = Promise.all(statuses).then((codes) => {
    isOver = true;
    return codes;
  });
  const writers = new Set<string>();
  const broken: number[] = [];
  await eventually(
    () => {
      const value = folder.read("roots") as Written | null;
      if (value !== null) {
        writers.add(value.writer);
        if (value.fill.length !== value.round * 97) broken.push(value.round);
      }
      return isOver;
    },
    { withinMs: 9_000 },
  );
  assert.equal(broken, []);
  assert.equal(await ended, [0, 0, 0]);
  assert.ok(writers.size >= 2, [...writers].join());
  assert.equal(log.lines, []);
  assert.equal(readdirSync(dir), ["roots"]);
});

test.run();
