/** What watchers are told, against a plain list: whoever is how far, all end with the same. */
import * as assert from "uvu/assert";
import type { Endpoint } from "../../src/control/directory/endpoint.ts";
import {
  ADDS_PER_UPDATE,
  REMOVALS_KEPT,
  ServiceLog,
  type Told,
} from "../../src/control/directory/service-log.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("control/service-log");

function told(port: number, weight = 1): Told {
  const ip = Uint8Array.of(10, 0, 0, 1);
  const ports = { inboundPort: 4143, applicationPort: port };
  const endpoint: Endpoint = { ip, ...ports, protocol: "detect", weight, identity: "web" };
  return { endpoint, isOpaque: false };
}

/** A client: what it was told makes its list. */
class Watcher {
  readonly list = new Map<string, Told>();
  readonly log: ServiceLog;
  readonly start: number;
  cursor = 0;
  messages = 0;

  constructor(log: ServiceLog) {
    this.log = log;
    this.start = log.last;
  }

  /** Takes so many messages, or all. */
  take(count = Number.POSITIVE_INFINITY): this {
    for (let i = 0; i < count; i++) {
      const batch = this.log.after(this.cursor, this.start);
      if (batch === null) break;
      assert.ok(batch.cursor > this.cursor && batch.changes.length <= ADDS_PER_UPDATE);
      this.cursor = batch.cursor;
      this.messages += 1;
      for (const change of batch.changes) {
        assert.is(change.told === null, batch.kind === "remove");
        if (change.told === null) this.list.delete(change.address);
        else this.list.set(change.address, change.told);
      }
    }
    return this;
  }
}

test("a list comes in pieces, and then what changes and nothing else", () => {
  const log = new ServiceLog();
  for (let port = 1; port <= 300; port++) log.put(`a:${port}`, told(port), port);
  const watcher = new Watcher(log).take();
  assert.is(watcher.messages, 3);
  assert.is(watcher.list.size, 300);
  assert.is(log.after(watcher.cursor, watcher.start), null);
  log.put("a:7", told(7, 2), 400);
  log.remove("a:8", 401);
  log.remove("a:8", 402);
  log.remove("b:8", 403);
  const batch = log.after(watcher.cursor, watcher.start);
  assert.equal(
    batch?.changes.map(({ address }) => address),
    ["a:7"],
  );
  assert.is(batch?.sinceMs, 400);
  assert.is(watcher.take().messages, 5);
  assert.is(watcher.list.get("a:7")?.endpoint.weight, 2);
  assert.is(watcher.list.has("a:8"), false);
  assert.is(log.size, 299);
});

test("who comes late is not told what is gone", () => {
  const log = new ServiceLog();
  log.put("a:1", told(1), 1);
  log.remove("a:1", 2);
  log.put("a:2", told(2), 3);
  const watcher = new Watcher(log).take();
  assert.is(watcher.messages, 1);
  assert.equal([...watcher.list.keys()], ["a:2"]);
});

test("what changes while a watcher is slow is told once, as it is in the end", () => {
  const log = new ServiceLog();
  const watcher = new Watcher(log);
  for (let i = 1; i <= 10_000; i++) {
    log.put("a:1", told(1, i), i);
    log.put("a:2", told(2, i), i);
    log.remove("a:2", i);
  }
  watcher.take();
  assert.is(watcher.messages, 2);
  assert.is(watcher.list.get("a:1")?.endpoint.weight, 10_000);
  assert.is(log.endpoints.length, 1);
});

test("removals are remembered for a while; who knows less than that begins anew", () => {
  const log = new ServiceLog();
  log.put("a:0", told(1), 0);
  const early = new Watcher(log).take();
  const start = log.last;
  for (let i = 1; i <= REMOVALS_KEPT; i++) {
    log.put(`b:${i}`, told(i), i);
    log.remove(`b:${i}`, i);
  }
  assert.is(log.reaches(early.cursor, early.start), true);
  for (let i = 1; i <= 4 * REMOVALS_KEPT; i++) {
    log.put(`c:${i}`, told(i), i);
    log.remove(`c:${i}`, i);
  }
  assert.is(log.reaches(early.cursor, early.start), false);
  assert.is(log.reaches(0, start), false);
  assert.is(log.reaches(0, log.last), true);
  assert.equal([...new Watcher(log).take().list.keys()], ["a:0"]);
});

test("whatever happens, each watcher that is told everything has the list", () => {
  const random = seeded("control/service-log");
  for (let round = 0; round < 50; round++) {
    const log = new ServiceLog();
    const truth = new Map<string, Told>();
    const watchers: Watcher[] = [];
    for (let step = 0; step < 400; step++) {
      const address = `a:${random.below(40)}`;
      if (random.below(3) === 0) {
        log.remove(address, step);
        truth.delete(address);
      } else {
        const each = told(1, step + 1);
        log.put(address, each, step);
        truth.set(address, each);
      }
      if (random.below(20) === 0) watchers.push(new Watcher(log));
      if (random.below(2) === 0) watchers[random.below(watchers.length || 1)]?.take(1);
    }
    for (const watcher of [...watchers, new Watcher(log)]) {
      watcher.take();
      assert.equal(sorted(watcher.list), sorted(truth));
    }
    assert.is(log.size, truth.size);
  }
});

function sorted(list: ReadonlyMap<string, Told>): readonly string[] {
  return [...list].map(([address, { endpoint }]) => `${address} ${endpoint.weight}`).sort();
}

test.run();
