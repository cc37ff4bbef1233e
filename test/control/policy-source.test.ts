/** The policy file as it is written, spoilt, removed and written again under a running control plane. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { MeshPolicy } from "../../src/control/policy/policy.ts";
import { PolicySource } from "../../src/control/policy/policy-source.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { DEFAULTS, named } from "./directory-rig.ts";

const test = suite("control/policy-source");

/** What the README promises. */
const WITHIN = { withinMs: 2_000 };
const web = named("web").canonical;

async function start(path: string, isOptional: boolean) {
  const changes: MeshPolicy[] = [];
  const faults: (string | null)[] = [];
  const source = await PolicySource.start(
    {
      path,
      isOptional,
      defaults: DEFAULTS,
      onChange: (policy) => changes.push(policy),
      onFault: (reason) => faults.push(reason),
    },
    new MeshPolicy([], () => ""),
  );
  return { source, changes, faults };
}

async function withFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-policy-"));
  try {
    await work(join(folder, "policy.yaml"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a change is in force at once; a bad file, or none, leaves what there was", async () => {
  await withFolder(async (path) => {
    const { source, changes, faults } = await start(path, true);
    assert.ok(source instanceof PolicySource);
    try {
      assert.is(source.isLoaded, false);
      writeFileSync(path, "services: { web: {} }\n");
      await eventually(() => changes.length === 1, WITHIN);
      assert.is(source.policy.knows(web), true);
      writeFileSync(path, "services:\n  web: { timeout: 5 }\n");
      await eventually(() => source.fault !== null, WITHIN);
      assert.match(source.fault ?? "", /policy\.yaml:2: "5": expected a duration/);
      assert.is(source.policy.knows(web), true);
      rmSync(path);
      await eventually(() => source.fault?.endsWith("there is no such file") === true, WITHIN);
      assert.is(source.policy.knows(web), true);
      writeFileSync(path, "services: {}\n");
      await eventually(() => source.fault === null, WITHIN);
      assert.is(source.policy.knows(web), false);
      assert.is(changes.length, 2);
      assert.is(faults.length, 3);
      assert.equal(source.counts, { loaded: 2, refused: 2 });
    } finally {
      source.stop();
    }
  });
});

test("at the start a file that is named must be there and good", async () => {
  await withFolder(async (path) => {
    assert.equal((await start(path, false)).source, { refused: `${path}: there is no such file` });
    for (const [text, reason] of [
      ["", `${path}:1: it is empty; without any: services: {}`],
      ["services: [\n", /:2: /],
      [Uint8Array.of(0xff, 0xfe), `${path}: it is not UTF-8`],
      ["#".repeat(1_048_577), `${path}: it is longer than 1048576 bytes`],
    ] as const) {
      writeFileSync(path, text);
      for (const isOptional of [true, false]) {
        const { source } = await start(path, isOptional);
        const refused = "refused" in source ? source.refused : "nothing";
        if (typeof reason === "string") assert.is(refused, reason);
        else assert.match(refused, reason);
      }
    }
    assert.match(
      ((await start(join(path, ".."), false)).source as { refused: string }).refused,
      /no file/,
    );
  });
});

test.run();
