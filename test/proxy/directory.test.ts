import * as assert from "uvu/assert";
import type { Service, Snapshot } from "../../src/mesh/snapshot.ts";
import { Directory, type Missing, type Waiter } from "../../src/proxy/directory.ts";
import { QUEUE_MAX } from "../../src/proxy/limits.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/directory");

function service(name: string): Service {
  return { name, series: 1, endpoints: [], failure: "dns-failed", routes: [] };
}

function directoryOf(
  names: readonly string[],
  aliases: Readonly<Record<string, string>>,
): Directory {
  const directory = new Directory(
    () => {},
    () => {},
    () => {},
  );
  directory.replace(snapshotOf(names, aliases), 0);
  return directory;
}

function snapshotOf(
  names: readonly string[],
  aliases: Readonly<Record<string, string>> = {},
): Snapshot {
  return {
    version: 7,
    services: names.map(service),
    aliases: Object.entries(aliases).map(([name, target]) => ({ name, service: target })),
    inbound: null,
    clients: [],
  };
}

const WEB = "web.default.svc.mesh.local";

test("a service is found by its further names, with and without a port", () => {
  const directory = directoryOf([WEB], { web: WEB, "web.default:8080": WEB, "web.far:80": WEB });
  for (const authority of ["web", "WEB:80", "web:9999", "web.default:8080", "web.far", WEB]) {
    assert.is(directory.find(authority)?.name, WEB, authority);
  }
  assert.is(directory.find("web.default"), null);
  assert.is(directory.find("web.far:81"), null);
});

test("a static name comes before a further name, and that before what DNS found", () => {
  const directory = directoryOf(["web", "db:5432", "api:80", WEB], {
    web: WEB,
    "db:5432": WEB,
    api: WEB,
  });
  assert.is(directory.find("web")?.name, "web");
  assert.is(directory.find("web:8080")?.name, "web");
  assert.is(directory.find("db:5432")?.name, "db:5432");
  assert.is(directory.find("api")?.name, WEB);
});

test("a further name of a service that is not there is unknown, and DNS may have it", () => {
  const directory = directoryOf(["web:80"], { web: "gone.default.svc.mesh.local", x: "gone" });
  assert.is(directory.find("x"), null);
  assert.is(directory.find("web")?.name, "web:80");
});

test("a backend is found by its name in the snapshot, and is empty when it is not there", () => {
  const directory = directoryOf([WEB, "web-v2"], { alias: WEB });
  const parent = directory.backend(WEB, service("x"));
  assert.is(parent.failure, "dns-failed");
  assert.is(directory.backend("web-v2", parent).name, "web-v2");
  const missing = directory.backend("alias", parent);
  assert.equal(missing, { name: "alias", series: 1, endpoints: [], failure: null, routes: [] });
});

test("what is missing is asked for once per snapshot, and a bounded number of waiters is told", () => {
  const asked: (string | number)[] = [];
  const ask = (what: string | number): void => void asked.push(what);
  const directory = new Directory(ask, () => {}, ask);
  let told = 0;
  const waiter = (): Waiter => ({ onDirectoryChange: () => void told++ });
  const missing: Missing[] = [
    { kind: "name", authority: "web" },
    { kind: "port", port: 80 },
    { kind: "name", authority: "WEB:80" },
    { kind: "port", port: 80 },
    { kind: "port", port: 81 },
  ];
  for (const each of missing) assert.is(directory.wait(each, waiter()), true);
  directory.askPort(81);
  assert.equal(asked, ["web", 80, 81]);
  directory.replace(snapshotOf([]), 0);
  assert.is(told, missing.length);
  directory.askPort(80);
  assert.equal(asked, ["web", 80, 81, 80]);
  for (let count = 0; count < QUEUE_MAX; count++) {
    assert.is(directory.wait({ kind: "port", port: count }, waiter()), true);
  }
  const before = asked.length;
  assert.is(directory.wait({ kind: "port", port: 65_535 }, waiter()), false);
  assert.is(asked.length, before, "who does not wait does not ask");
});

test.run();
