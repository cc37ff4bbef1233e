import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { commit, type FileName, recover } from "../../src/control/authority/folder.ts";
import { Refusal } from "../../src/control/authority/refusal.ts";
import { makeAuthority, toPem } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";
import { DAY_MS, ok, Rig, reasonOf, START_MS } from "./authority-rig.ts";

const test = suite("control/authority-folder");
// Every file is flushed to the disk, which others may keep busy.
test.timeout(30_000);

const PUBLIC = ["anchor.crt", "ca.crt", "issuer.crt"];
const KEYS = ["anchor.key", "issuer.key"];

async function madeRig(): Promise<Rig> {
  const rig = new Rig();
  (await rig.open()).close();
  return rig;
}

function text(rig: Rig, name: string): string {
  return readFileSync(join(rig.dir, name), "utf8");
}

test("the first start makes the folder for its owner alone, and two pairs and a bundle in it", async () => {
  const rig = await madeRig();
  assert.is(statSync(rig.dir).mode & 0o777, 0o700);
  const names = readdirSync(rig.dir).filter((name) => !name.startsWith("lock-"));
  assert.equal(names.sort(), [...PUBLIC, ...KEYS, "lifetime"].sort());
  for (const name of readdirSync(rig.dir)) {
    assert.is(statSync(join(rig.dir, name)).mode & 0o777, 0o600, name);
  }
  for (const name of KEYS) assert.match(text(rig, name), /^-----BEGIN PRIVATE KEY-----\n/);
  assert.is(text(rig, "ca.crt"), text(rig, "anchor.crt"));
});

test("later starts change nothing", async () => {
  const rig = await madeRig();
  const all = () => [...PUBLIC, ...KEYS].map((name) => text(rig, name));
  const before = all();
  rig.nowMs += DAY_MS;
  (await rig.open()).close();
  assert.equal(all(), before);
});

test("openssl reads the keys, and they belong to the certificates", async () => {
  const rig = await madeRig();
  const openssl = findTool("openssl");
  if (openssl === null) throw new Error("openssl is not installed");
  for (const name of ["anchor", "issuer"]) {
    const path = join(rig.dir, name);
    const key = await runTool(openssl, ["pkey", "-in", `${path}.key`, "-pubout"]);
    const certificate = await runTool(openssl, ["x509", "-in", `${path}.crt`, "-noout", "-pubkey"]);
    assert.is(key.output, certificate.output);
    assert.match(key.output, /BEGIN PUBLIC KEY/);
  }
});

test("a folder that others may write to, or that is none, is refused", async () => {
  const open = new Rig();
  mkdirSync(open.dir, { recursive: true });
  chmodSync(open.dir, 0o770);
  assert.match(reasonOf(await open.tryOpen()), /can be written by others/);
  const file = new Rig();
  writeFileSync(file.dir, "");
  assert.match(reasonOf(await file.tryOpen()), /cannot be made|is no folder/);
});

test("keys that others can read are refused", async () => {
  for (const name of KEYS) {
    for (const mode of [0o640, 0o604, 0o660, 0o644]) {
      const rig = await madeRig();
      chmodSync(join(rig.dir, name), mode);
      const reason = reasonOf(await rig.tryOpen());
      assert.match(reason, new RegExp(`${name} can be read by others`));
    }
  }
});

test("half of what belongs together is refused, and nothing new is made in its place", async () => {
  for (const name of [...PUBLIC, ...KEYS]) {
    const rig = await madeRig();
    rmSync(join(rig.dir, name));
    const reason = reasonOf(await rig.tryOpen());
    assert.ok(reason.endsWith(`lacks ${name}`), reason);
    assert.not.ok(readdirSync(rig.dir).includes(name));
  }
});

test("files that do not fit together are refused with one line that names them", async () => {
  const other = await madeRig();
  const foreign = await makeAuthority();
  const copy = (...names: string[]) => names.map((name) => [name, text(other, name)] as const);
  const table: [RegExp, (readonly [string, string])[]][] = [
    [/anchor\.key does not belong/, copy("anchor.key")],
    [/anchor\.key does not belong/, copy("anchor.crt")],
    [/issuer\.key does not belong/, copy("issuer.key")],
    [/issuer\.crt is not of anchor/, copy("issuer.crt", "issuer.key")],
    [/issuer\.crt is not of anchor/, copy("anchor.crt", "anchor.key", "ca.crt")],
    [/ca\.crt lacks an anchor/, copy("ca.crt")],
    [/ca\.crt lacks an anchor/, [["ca.crt", toPem("CERTIFICATE", foreign.certificate)]]],
    [/ca\.crt: no block CERTIFICATE/, [["ca.crt", ""]]],
    [/ca\.crt: a block PRIVATE KEY/, [["ca.crt", text(other, "anchor.key")]]],
    [/anchor\.crt: no block/, [["anchor.crt", ""]]],
    [/anchor\.crt: more than one/, [["anchor.crt", text(other, "anchor.crt").repeat(2)]]],
    [/anchor\.crt: a block PRIVATE KEY/, [["anchor.crt", text(other, "anchor.key")]]],
    [/anchor\.key: no block/, [["anchor.key", "secret"]]],
    [
      /anchor\.key: the key is not PKCS/,
      [["anchor.key", toPem("PRIVATE KEY", Uint8Array.of(48, 0))]],
    ],
    [/anchor-next/, [["anchor-next.crt", text(other, "anchor.crt")]]],
    [
      /ca\.crt lacks/,
      [
        ["anchor-next.crt", text(other, "anchor.crt")],
        ["anchor-next.key", text(other, "anchor.key")],
      ],
    ],
  ];
  for (const [expected, files] of table) {
    const rig = await madeRig();
    for (const [name, content] of files) {
      writeFileSync(join(rig.dir, name), content, { mode: 0o600 });
    }
    const reason = reasonOf(await rig.tryOpen());
    assert.match(reason, expected);
    assert.match(reason, /^[\x20-\x7e]{1,200}$/);
  }
});

test("an anchor or an issuer that has expired, or is not valid yet, is refused", async () => {
  const table: [number, RegExp][] = [
    [366 * DAY_MS, /issuer\.crt expired at 2032-01-01T/],
    [3_654 * DAY_MS, /anchor\.crt expired/],
    [-3_600_000, /not valid before/],
  ];
  for (const [offsetMs, expected] of table) {
    const rig = await madeRig();
    rig.nowMs = START_MS + offsetMs;
    assert.match(reasonOf(await rig.tryOpen()), expected);
  }
});

test("certificates that are not a CA's are refused", async () => {
  const foreign = await makeAuthority();
  const leaf = (await foreign.issue()).certificates[0];
  for (const name of ["anchor.crt", "issuer.crt", "ca.crt"]) {
    const rig = await madeRig();
    writeFileSync(join(rig.dir, name), toPem("CERTIFICATE", leaf));
    assert.match(reasonOf(await rig.tryOpen()), /of a CA on P-256/);
  }
});

test("several that start at once in a new folder make one anchor", async () => {
  const rig = new Rig();
  const all = await Promise.all([rig.open(), rig.open(), rig.open()]);
  const anchors = all.map(({ state }) => Buffer.from(state.anchor.der).toString("hex"));
  assert.is(new Set(anchors).size, 1);
});

test("a change that failed half way is ended by the next one who has the lock", async () => {
  const rig = await madeRig();
  const path = join(rig.dir, "anchor-next.crt");
  const changes = new Map<FileName, string | null>([
    ["anchor-next.key", "new key"],
    ["anchor-next.crt", "new certificate"],
    ["lifetime", null],
    ["tokens", "[]"],
  ]);
  mkdirSync(path);
  assert.throws(() => commit(rig.dir, changes));
  assert.is(text(rig, "anchor-next.key"), "new key");
  assert.ok(existsSync(join(rig.dir, "lifetime")));
  rmdirSync(path);
  recover(rig.dir);
  assert.is(text(rig, "anchor-next.crt"), "new certificate");
  assert.is(text(rig, "tokens"), "[]");
  assert.not.ok(existsSync(join(rig.dir, "lifetime")));
  assert.not.ok(readdirSync(rig.dir).some((name) => /^\.|journal/.test(name)));
});

test("a damaged journal is a fault that quotes nothing of it", async () => {
  for (const journal of ["", "secret", '["secret"]', '[["../secret","x"]]', '[["ca.crt",1]]']) {
    const rig = await madeRig();
    writeFileSync(join(rig.dir, "journal"), journal, { mode: 0o600 });
    const reason = reasonOf(await rig.tryOpen());
    assert.match(reason, /JournalDamaged$/);
    assert.not.match(reason, /secret/);
  }
});

test("files that a crash left half written are cleared away", async () => {
  const rig = await madeRig();
  writeFileSync(join(rig.dir, ".issuer.key.0011.tmp"), "-----BEGIN PRI");
  (await rig.open()).close();
  assert.not.ok(readdirSync(rig.dir).some((name) => name.startsWith(".")));
});

test("a change that a crash cut off at any point is none or all of it", async () => {
  const other = await madeRig();
  const names = ["anchor.key", "anchor.crt", "issuer.key", "issuer.crt", "ca.crt"];
  const journal = JSON.stringify(names.map((name) => [name, text(other, name)]));
  for (let applied = 0; applied <= names.length; applied += 1) {
    const rig = await madeRig();
    writeFileSync(join(rig.dir, "journal"), journal, { mode: 0o600 });
    for (const name of names.slice(0, applied)) {
      writeFileSync(join(rig.dir, name), text(other, name));
    }
    (await rig.open()).close();
    for (const name of names) assert.is(text(rig, name), text(other, name), `${applied}: ${name}`);
    assert.not.ok(readdirSync(rig.dir).includes("journal"));
  }
  // Cut off before the journal had its name: nothing has happened.
  const rig = await madeRig();
  const before = names.map((name) => text(rig, name));
  writeFileSync(join(rig.dir, ".journal.0011.tmp"), journal.slice(0, 100));
  (await rig.open()).close();
  assert.equal(
    names.map((name) => text(rig, name)),
    before,
  );
});

test("a running authority keeps the last good keys, says so once, and takes the mended ones", async () => {
  const rig = await madeRig();
  const authority = await rig.open();
  const { version } = authority;
  const path = join(rig.dir, "issuer.key");
  renameSync(path, `${path}.away`);
  await authority.poll();
  await authority.poll();
  assert.is(rig.faults.length, 1);
  assert.match(rig.faults[0] ?? "", /lacks issuer\.key/);
  assert.not.instance(await authority.issue(await rig.request()), Refusal);
  renameSync(`${path}.away`, path);
  await authority.poll();
  assert.is(rig.faults.length, 2);
  assert.is(rig.faults[1], null);
  assert.is(authority.version, version);
  rmSync(rig.dir, { recursive: true });
  await authority.poll();
  assert.is(rig.faults.length, 3);
  assert.not.instance(await authority.issue(await rig.request()), Refusal);
});

test("a running authority notices a change within a second", async () => {
  const rig = await madeRig();
  const other = await madeRig();
  const authority = await rig.open();
  authority.start();
  let told = 0;
  authority.subscribe(() => {
    told += 1;
  });
  const files = [...PUBLIC, ...KEYS].map((name) => [name, text(other, name)]);
  writeFileSync(join(rig.dir, "journal"), JSON.stringify(files), { mode: 0o600 });
  await eventually(() => authority.version === 2, { withinMs: 1_000 });
  assert.is(told, 1);
  assert.is(
    toPem("CERTIFICATE", ok(authority).state.anchor.der).replace(/\s/g, ""),
    text(other, "anchor.crt").replace(/\s/g, ""),
  );
  authority.close();
});

test.run();
