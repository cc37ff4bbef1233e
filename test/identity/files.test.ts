import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { FILE_BYTES_MAX, readFileSet, readText } from "../../src/identity/file-set.ts";
import { FileSource, POLL_MS } from "../../src/identity/files.ts";
import { pemOf } from "../../src/identity/pem.ts";
import type { Credentials } from "../../src/mesh/credentials.ts";
import {
  type Authority,
  type Issued,
  type IssueOptions,
  identityOf,
  makeAuthority,
  toPem,
} from "../support/certificates.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { FakeTime, KeptLog, START_MS } from "./source-fixture.ts";

const test = suite("identity/files");

const HOUR_MS = 3_600_000;
const WEB = identityOf("web");
const around = (beforeMs: number, afterMs: number) => ({
  notBefore: new Date(START_MS - beforeMs),
  notAfter: new Date(START_MS + afterMs),
});

let root = "";
let anchor: Authority;
let issuer: Authority;

test.before(async () => {
  root = mkdtempSync(join(tmpdir(), "identity-files-"));
  anchor = await makeAuthority(around(HOUR_MS, 1_000 * HOUR_MS));
  issuer = await makeAuthority({ ...around(HOUR_MS, 999 * HOUR_MS), parent: anchor });
});
test.after(() => rmSync(root, { recursive: true, force: true }));

type Texts = { readonly crt: string; readonly key: string; readonly ca: string };

async function issued(options: IssueOptions = {}): Promise<Issued> {
  const names = { dns: [WEB.dns], uris: [WEB.uri] };
  return await issuer.issue({ ...around(HOUR_MS, 23 * HOUR_MS), ...names, ...options });
}

function textsOf({ certificates, key }: Issued, roots = [anchor.certificate]): Texts {
  return {
    crt: certificates.map((each) => toPem("CERTIFICATE", each)).join(""),
    key: pemOf("PRIVATE KEY", key),
    ca: roots.map((each) => toPem("CERTIFICATE", each)).join(""),
  };
}

function write(
  directory: string,
  { crt, key, ca }: Texts,
  names = ["tls.crt", "tls.key", "ca.crt"],
): void {
  mkdirSync(directory, { recursive: true });
  const [crtName = "", keyName = "", caName = ""] = names;
  writeFileSync(join(directory, crtName), crt);
  writeFileSync(join(directory, keyName), key, { mode: 0o600 });
  writeFileSync(join(directory, caName), ca);
}

function newDirectory(): string {
  return mkdtempSync(join(root, "set-"));
}

type Desk = {
  readonly directory: string;
  readonly time: FakeTime;
  readonly log: KeptLog;
  readonly used: Credentials[];
  /** Why `use` throws; null when it does not. */
  readonly refuses: { current: string | null };
  readonly source: FileSource;
  readonly poll: () => Promise<void>;
  /** Serial numbers would do, the whole leaf is plainer. */
  readonly serves: (issued: Issued) => boolean;
};

function desk(directory: string, expected: typeof WEB | null = WEB): Desk {
  const refuses: { current: string | null } = { current: null };
  const [time, log, used] = [new FakeTime(), new KeptLog(), [] as Credentials[]];
  const source = new FileSource({
    directory,
    expected,
    use: (credentials) => {
      if (refuses.current !== null) throw new Error(refuses.current);
      used.push(credentials);
    },
    changed: () => {},
    wallMs: () => time.wallMs,
    setTimer: time.setTimer,
    log,
  });
  return {
    directory,
    time,
    log,
    used,
    refuses,
    source,
    poll: () => time.advance(POLL_MS),
    serves: ({ certificates }) => used.at(-1)?.certificates[0]?.join() === certificates[0].join(),
  };
}

async function started(first: Issued): Promise<Desk> {
  const directory = newDirectory();
  write(directory, textsOf(first));
  const all = desk(directory);
  await all.source.start();
  return all;
}

test("a good set is taken at once, and shown", async () => {
  const first = await issued();
  const { source, used, log } = await started(first);
  assert.is(used.length, 1);
  assert.equal(used[0]?.identity, WEB);
  assert.equal(used[0]?.certificates, [...first.certificates]);
  const { status } = source;
  assert.is(status.state, "valid");
  assert.is(status.source, "files");
  assert.is(status.nextRenewalMs, null);
  assert.is(status.expiresMs, START_MS + 23 * HOUR_MS);
  assert.equal(status.refreshes, { ok: 1, failed: 0 });
  assert.is(log.count("warn"), 0);
});

test("without a good set at first, start fails with one line and nothing is followed", async () => {
  const good = textsOf(await issued());
  const cases: [string, (directory: string) => void, RegExp][] = [
    ["empty folder", () => {}, /tls\.crt: not found$/],
    ["no folder", (at) => rmSync(at, { recursive: true }), /tls\.crt: not found$/],
    ["no key", (at) => [write(at, good), unlinkSync(join(at, "tls.key"))], /tls\.key: not found$/],
    [
      "no anchors",
      (at) => [write(at, good), unlinkSync(join(at, "ca.crt"))],
      /ca\.crt: not found$/,
    ],
    ["empty file", (at) => write(at, { ...good, crt: "" }), /tls\.crt: empty$/],
    ["garbage", (at) => write(at, { ...good, ca: "hello\n" }), /ca\.crt: no block CERTIFICATE$/],
    ["no PEM key", (at) => write(at, { ...good, key: "\u0000\u0001" }), /tls\.key: no block/],
    [
      "a folder",
      (at) => [write(at, good), swapForFolder(join(at, "ca.crt"))],
      /ca\.crt: not a file$/,
    ],
    [
      "huge",
      (at) => [write(at, good), truncateSync(join(at, "ca.crt"), FILE_BYTES_MAX + 1)],
      /larger than/,
    ],
  ];
  for (const [what, prepare, expected] of cases) {
    const directory = newDirectory();
    prepare(directory);
    const { source, time, used } = desk(directory);
    const error = await source.start().then(
      () => new Error("started"),
      (reason: Error) => reason,
    );
    assert.match(error.message, expected, what);
    assert.not.match(error.message, /\n/);
    assert.is(used.length + time.alarms, 0, what);
    assert.is(source.status.state, "failed");
  }
});

function swapForFolder(path: string): void {
  unlinkSync(path);
  mkdirSync(path);
}

test("changes are taken within a poll: in place, by rename, by a swapped link", async () => {
  const [first, second, third] = [await issued(), await issued(), await issued()];
  const { directory, poll, used, serves } = await started(first);
  await poll();
  assert.is(used.length, 1);

  write(directory, textsOf(second));
  await poll();
  assert.ok(serves(second));
  assert.is(used.length, 2);

  const aside = newDirectory();
  write(aside, textsOf(third));
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    renameSync(join(aside, name), join(directory, name));
  }
  await poll();
  assert.ok(serves(third));
  assert.is(used.length, 3);
});

test("the swap of Kubernetes' ..data is seen, and old folders may go", async () => {
  const [first, second] = [await issued(), await issued()];
  const mount = newDirectory();
  const publish = (name: string, texts: Texts): void => {
    write(join(mount, name), texts);
    symlinkSync(name, join(mount, "..data_tmp"));
    renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
  };
  publish("..2031_1", textsOf(first));
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    symlinkSync(join("..data", name), join(mount, name));
  }
  const { source, poll, serves, used, log } = desk(mount);
  await source.start();
  assert.ok(serves(first));
  publish("..2031_2", textsOf(second));
  rmSync(join(mount, "..2031_1"), { recursive: true });
  await poll();
  assert.ok(serves(second));
  assert.is(used.length, 2);
  assert.is(log.count("warn"), 0);
});

test("a write of the same length within the same second is seen", async () => {
  const first = await issued();
  const { directory, poll, serves } = await started(first);
  const at = new Date(START_MS);
  const stamp = (): void => {
    for (const name of ["tls.crt", "tls.key", "ca.crt"]) utimesSync(join(directory, name), at, at);
  };
  stamp();
  await poll();
  for (let i = 0; i < 5; i++) {
    const next = await issued();
    write(directory, textsOf(next));
    stamp();
    await poll();
    assert.ok(serves(next), `write ${i}`);
  }
});

test("the same bytes written again are no news", async () => {
  const first = await issued();
  const { directory, poll, used, source } = await started(first);
  write(directory, textsOf(first));
  await poll();
  assert.is(used.length, 1);
  assert.is(source.status.refreshes.ok, 1);
});

test("a half-written set leaves the last good one, is told of once, and is taken when whole", async () => {
  const [first, second] = [await issued(), await issued()];
  const { directory, poll, used, source, log, serves } = await started(first);
  const { crt, key, ca } = textsOf(second);
  const random = seeded("half");
  for (let i = 0; i < 20; i++) {
    // Up to the last line's end: a text that lacks nothing else is whole.
    writeFileSync(join(directory, "tls.crt"), crt.slice(0, random.below(crt.length - 1)));
    await poll();
    assert.is(used.length, 1);
    assert.is(source.status.state, "valid");
  }
  writeFileSync(join(directory, "tls.crt"), crt);
  const before = log.count("warn");
  await poll();
  await poll();
  await poll();
  // The key is still the old one.
  assert.match(source.status.lastError ?? "", "does not belong");
  assert.is(log.count("warn"), before + 1);
  assert.is(log.count("not taken"), source.status.refreshes.failed);
  writeFileSync(join(directory, "tls.key"), key);
  writeFileSync(join(directory, "ca.crt"), ca);
  await poll();
  assert.ok(serves(second));
  assert.is(used.length, 2);
  assert.is(source.status.lastError, null);
});

test("what is wrong is never taken: mismatched, expired, a stranger's, another name, deleted", async () => {
  const first = await issued();
  const good = textsOf(first);
  const { directory, poll, used, source } = await started(first);
  const other = textsOf(await issued());
  const stranger = await makeAuthority(around(HOUR_MS, HOUR_MS));
  const api = identityOf("api");
  const bad: [Texts | null, RegExp][] = [
    [{ ...other, key: good.key }, /does not belong/],
    [textsOf(await issued({ notAfter: new Date(START_MS - 1_000) })), /has expired/],
    [{ ...other, ca: toPem("CERTIFICATE", stranger.certificate) }, /does not lead/],
    [textsOf(await issued({ dns: [api.dns], uris: [api.uri] })), /is for api\./],
    [{ ...good, key: other.key }, /does not belong/],
    [null, /tls\.crt: not found/],
  ];
  for (const [texts, expected] of bad) {
    if (texts === null) unlinkSync(join(directory, "tls.crt"));
    else write(directory, texts);
    const { failed } = source.status.refreshes;
    await poll();
    await poll();
    assert.match(source.status.lastError ?? "", expected);
    assert.is(source.status.refreshes.failed, failed + 1);
    assert.is(used.length, 1);
    assert.is(source.status.state, "valid");
  }
  write(directory, good);
  await poll();
  assert.is(source.status.lastError, null);
  assert.is(used.length, 1);
});

test("a set that changes while it is read is torn, whichever file it is", async () => {
  const [first, second] = [textsOf(await issued()), textsOf(await issued())];
  const mount = newDirectory();
  const directory = join(mount, "data");
  write(join(mount, "one"), first);
  write(join(mount, "two"), second);
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    rmSync(directory, { force: true });
    symlinkSync("one", directory);
    const read = readFileSet(directory, (path) => {
      const text = readText(path);
      if (path.endsWith(name)) {
        symlinkSync("two", join(mount, "next"));
        renameSync(join(mount, "next"), directory);
      }
      return text;
    });
    assert.match("refused" in read ? read.refused : "taken", "changed while it was read");
  }
  assert.not.ok("refused" in readFileSet(directory));
});

test("what its user refuses is not taken, first or later", async () => {
  const [first, second] = [await issued(), await issued()];
  const { directory, poll, used, source, refuses, serves } = await started(first);
  write(directory, textsOf(second));
  refuses.current = "self-test: a stranger came in";
  await poll();
  await poll();
  assert.ok(serves(first));
  assert.is(source.status.lastError, refuses.current);
  assert.equal(source.status.refreshes, { ok: 1, failed: 1 });
  refuses.current = null;
  await poll();
  assert.ok(serves(second));
  assert.is(used.length, 2);

  const other = desk(directory);
  other.refuses.current = "self-test: a stranger came in";
  const error = await other.source.start().catch((reason: Error) => reason.message);
  assert.is(error, `${directory}: self-test: a stranger came in`);
});

test("new anchors alone are new credentials", async () => {
  const first = await issued();
  const { directory, poll, used } = await started(first);
  const next = await makeAuthority(around(HOUR_MS, 1_000 * HOUR_MS));
  write(directory, textsOf(first, [anchor.certificate, next.certificate]));
  await poll();
  assert.is(used.at(-1)?.roots.length, 2);
  assert.is(used.length, 2);
});

test("expiry is told by time alone, and a new set ends it", async () => {
  const { directory, time, poll, source, log, serves } = await started(await issued());
  time.wallMs += 17 * HOUR_MS;
  await poll();
  assert.is(source.status.state, "expiring");
  assert.is(log.count("expires soon"), 1);
  time.wallMs += 6 * HOUR_MS;
  await poll();
  await poll();
  assert.is(source.status.state, "expired");
  assert.is(log.count("has expired"), 1);
  const next = await issued(around(0, 48 * HOUR_MS));
  write(directory, textsOf(next));
  await poll();
  assert.ok(serves(next));
  assert.is(source.status.state, "valid");
});

test("a clock that is set forwards past the expiry is noticed", async () => {
  const { time, poll, source } = await started(await issued());
  time.wallMs += 24 * HOUR_MS;
  await poll();
  assert.is(source.status.state, "expired");
});

test("spiffe-helper's names are read where there is no tls.crt", async () => {
  const [first, second] = [await issued(), await issued()];
  const directory = newDirectory();
  const names = ["svid.pem", "svid_key.pem", "bundle.pem"];
  write(directory, textsOf(first), names);
  const { source, poll, serves } = desk(directory, null);
  await source.start();
  assert.ok(serves(first));
  write(directory, textsOf(second));
  await poll();
  assert.ok(serves(second));
});

test("a key that everybody may read is a warning, once", async () => {
  const first = await issued();
  const directory = newDirectory();
  write(directory, textsOf(first));
  chmodSync(join(directory, "tls.key"), 0o644);
  const { source, poll, log, used } = desk(directory);
  await source.start();
  assert.is(log.count("read by everybody"), 1);
  write(directory, textsOf(await issued()));
  await poll();
  assert.is(used.length, 2);
  assert.is(log.count("read by everybody"), 1);
});

test("nothing that is logged or shown has the key in it", async () => {
  const first = await issued();
  const { directory, poll, log, source } = await started(first);
  const key = readFileSync(join(directory, "tls.key"), "utf8");
  const lines = key.split("\n").filter((line) => !line.startsWith("-") && line !== "");
  for (const text of [key.slice(0, 90), `${key}${key}`, key.replace("PRIVATE", "SECRET")]) {
    writeFileSync(join(directory, "tls.key"), text);
    await poll();
  }
  assert.ok(source.status.refreshes.failed >= 3);
  const shown = log.lines.join("\n") + JSON.stringify(source.status);
  for (const line of lines) assert.not.match(shown, line.slice(0, 16));
});

test("after stop nothing is looked at", async () => {
  const { directory, source, time, poll, used } = await started(await issued());
  source.stop();
  assert.is(time.alarms, 0);
  write(directory, textsOf(await issued()));
  await poll();
  assert.is(used.length, 1);
});

test.run();
