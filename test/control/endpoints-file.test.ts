/** The directory on disk: what is written is what is read, and damage costs its line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { EndpointsFile } from "../../src/control/directory/endpoints-file.ts";
import * as limits from "../../src/control/directory/limits.ts";
import { suite } from "../support/test.ts";
import { DirectoryRig, endpoint, identityNamed, named, TRUST_DOMAIN } from "./directory-rig.ts";

const test = suite("control/endpoints-file");

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "outrigger-endpoints-"));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function fileOf(rig: DirectoryRig, dir: string) {
  const faults: string[] = [];
  const failed = (reason: string) => void faults.push(reason);
  const wallMs = () => rig.wallMs;
  const { directory } = rig;
  const file = new EndpointsFile({ dir, directory, trustDomain: TRUST_DOMAIN, wallMs, failed });
  return { file, faults };
}

test("a restart finds the endpoints, and services that have none", async () => {
  await withFolder(async (dir) => {
    const before = new DirectoryRig();
    const v6 = new Uint8Array(16).fill(0x20);
    before.announce(endpoint(1, { protocol: "opaque", weight: 5 }));
    before.announce(endpoint(2, { ip: v6 }));
    const shop = { service: named("shop"), instance: "one" };
    before.announce(endpoint(3, { identity: identityNamed("shop") }), shop);
    before.directory.withdraw(named("shop").canonical, identityNamed("shop"), "one");
    const { file, faults } = fileOf(before, dir);
    await file.save();
    await file.save();
    const after = new DirectoryRig();
    after.wallMs = before.wallMs + 1_000;
    assert.equal(fileOf(after, dir).file.load(), { damaged: 0 });
    const entries = [...(after.directory.get(named("web").canonical)?.entries.values() ?? [])];
    assert.equal(
      entries.map(({ endpoint: each }) => ({ ...each, ip: [...each.ip] })),
      [
        { ...endpoint(1, { protocol: "opaque", weight: 5 }), ip: [10, 0, 0, 1] },
        { ...endpoint(2), ip: [...v6] },
      ],
    );
    assert.is(after.directory.get(named("shop").canonical)?.log.size, 0);
    assert.is(after.directory.get(named("shop").canonical)?.seenMs, before.wallMs);
    after.pass(limits.RESTART_GRACE_MS);
    assert.is(after.directory.endpointCount, 0);
    assert.equal(faults, []);
  });
});

test("what is damaged is left out, and the rest is read", async () => {
  await withFolder(async (dir) => {
    const rig = new DirectoryRig();
    for (let n = 1; n <= 3; n++) rig.announce(endpoint(n));
    await fileOf(rig, dir).file.save();
    const path = join(dir, "endpoints");
    const good = readFileSync(path, "utf8");
    const bad = [
      "127.0.0.1 0 8080 detect 1 x",
      "0.0.0.0 1 8080 detect 1 x",
      "10.0.0.9 1 8080 what 1 x",
      "10.0.0.9 1 8080 detect 0 x",
      "10.0.0.9 1 8080 detect 1",
      "\u0000\u0001",
    ];
    writeFileSync(path, `${good}${bad.join("\n")}\n\nnot.a.service yesterday\n10.0.0.1\n`);
    const after = new DirectoryRig();
    const loaded = fileOf(after, dir).file.load();
    assert.ok("damaged" in loaded && loaded.damaged >= bad.length);
    assert.is(after.directory.endpointCount, 3);
    for (let length = 0; length < good.length; length += 11) {
      writeFileSync(path, good.slice(0, length));
      const cut = new DirectoryRig();
      assert.ok("damaged" in fileOf(cut, dir).file.load());
      assert.ok(cut.directory.endpointCount <= 3);
    }
  });
});

test("without a file there is nothing; a folder that is gone is told, and tried again", async () => {
  const rig = new DirectoryRig();
  let gone = "";
  await withFolder(async (dir) => {
    gone = dir;
    assert.equal(fileOf(rig, dir).file.load(), { damaged: 0 });
  });
  const { file, faults } = fileOf(rig, gone);
  rig.announce(endpoint(1));
  await file.save();
  await file.save();
  assert.equal(faults, ["ENOENT", "ENOENT"]);
});

test.run();
