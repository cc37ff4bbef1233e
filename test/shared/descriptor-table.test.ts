import * as assert from "uvu/assert";
import { ACCEPTOR_OWNER, DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { DESCRIPTORS_MAX, WORKERS_MAX } from "../../src/shared/layout.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { start } from "../support/threads.ts";
import { Kernel, OWN_BYTES, type StressInput, type Tally } from "./fixtures/descriptor-types.ts";
import { explore, type Flaw } from "./fixtures/ownership-model.ts";

const test = suite("shared/descriptor-table");
test.timeout(60_000);

const THREADS = new URL("./fixtures/descriptor-threads.ts", import.meta.url);
const ACCEPTS = 60_000;

test("claim() takes a free descriptor and refuses one that is owned, handed or too high", () => {
  const table = new DescriptorTable(allocate(2));
  assert.ok(table.claim(5, ACCEPTOR_OWNER));
  assert.not(table.claim(5, ACCEPTOR_OWNER));
  assert.not(table.claim(5, 0));
  table.hand(5, ACCEPTOR_OWNER, 1);
  assert.not(table.claim(5, 1));
  assert.ok(table.claim(DESCRIPTORS_MAX - 1, 0));
  assert.not(table.claim(DESCRIPTORS_MAX, 0));
  assert.is(table.count(), 2);
});

test("release() gives up what is owned, once, and only for its owner", () => {
  const table = new DescriptorTable(allocate(2));
  assert.not(table.release(7, 0));
  table.claim(7, 0);
  assert.not(table.release(7, 1));
  assert.not(table.release(7, ACCEPTOR_OWNER));
  assert.ok(table.release(7, 0));
  assert.not(table.release(7, 0));
  assert.is(table.count(), 0);
  assert.ok(table.claim(7, 1));
});

test("hand() and adopt() pass a descriptor to one worker, once", () => {
  const memory = allocate(2);
  const table = new DescriptorTable(memory);
  const others = new DescriptorTable(attach(memory.words.buffer));
  assert.is(table.hand(9, ACCEPTOR_OWNER, 1), -1, "not claimed");
  table.claim(9, ACCEPTOR_OWNER);
  assert.is(table.hand(9, 0, 1), -1, "not the owner");
  const ticket = table.hand(9, ACCEPTOR_OWNER, 1);
  assert.ok(ticket >= 0);
  assert.is(table.hand(9, ACCEPTOR_OWNER, 1), -1, "handed already");
  assert.not(table.release(9, ACCEPTOR_OWNER), "handed: not the acceptor's any more");
  assert.not(table.release(9, 1), "handed: not the worker's yet");
  assert.not(others.adopt(9, ticket, 0), "another worker");
  assert.not(others.adopt(8, ticket, 1), "another descriptor");
  assert.ok(others.adopt(9, ticket, 1));
  assert.not(others.adopt(9, ticket, 1));
  assert.ok(others.release(9, 1));
  assert.is(table.count(), 0);
});

test("unhand() takes back what was not adopted", () => {
  const table = new DescriptorTable(allocate(1));
  table.claim(3, ACCEPTOR_OWNER);
  const ticket = table.hand(3, ACCEPTOR_OWNER, 0);
  assert.ok(table.unhand(3, ticket, ACCEPTOR_OWNER));
  assert.not(table.unhand(3, ticket, ACCEPTOR_OWNER));
  assert.not(table.adopt(3, ticket, 0));
  const again = table.hand(3, ACCEPTOR_OWNER, 0);
  assert.ok(table.adopt(3, again, 0));
  assert.not(table.unhand(3, again, ACCEPTOR_OWNER));
  assert.ok(table.release(3, 0));
});

test("a ticket is stale once its descriptor was released, whoever has the number now", () => {
  const table = new DescriptorTable(allocate(2));
  table.claim(4, ACCEPTOR_OWNER);
  const stale = table.hand(4, ACCEPTOR_OWNER, 0);
  assert.ok(table.adopt(4, stale, 0));
  assert.ok(table.release(4, 0));
  assert.not(table.adopt(4, stale, 0), "free");
  table.claim(4, 0);
  assert.not(table.adopt(4, stale, 0), "owned");
  table.release(4, 0);
  table.claim(4, ACCEPTOR_OWNER);
  const fresh = table.hand(4, ACCEPTOR_OWNER, 0);
  assert.is.not(fresh, stale);
  assert.not(table.adopt(4, stale, 0), "handed to the same worker again");
  assert.not(table.unhand(4, stale, ACCEPTOR_OWNER));
  assert.ok(table.adopt(4, fresh, 0));
});

test("generations wrap at 2^24, with and without the sign bit", () => {
  const memory = allocate(1);
  const table = new DescriptorTable(memory);
  const word = memory.layout.descriptors + 6;
  for (const generation of [0x7ffffe, 0x7fffff, 0x800000, 0xfffffe, 0xffffff]) {
    memory.words[word] = generation << 8;
    assert.ok(table.claim(6, ACCEPTOR_OWNER));
    const ticket = table.hand(6, ACCEPTOR_OWNER, 0);
    assert.is(ticket, ((generation << 8) | 64) >>> 0);
    assert.ok(table.unhand(6, ticket, ACCEPTOR_OWNER));
    assert.is(table.hand(6, ACCEPTOR_OWNER, 0), ticket);
    assert.ok(table.adopt(6, ticket, 0));
    assert.ok(table.release(6, 0));
    assert.is(memory.words[word], ((generation + 1) << 8) | 0);
  }
});

test("reclaim() releases what the dead owner owned and leaves what was handed to it", () => {
  const memory = allocate(2);
  const table = new DescriptorTable(memory);
  for (const fd of [0, 17, DESCRIPTORS_MAX - 1]) table.claim(fd, 1);
  table.claim(18, 0);
  table.claim(19, ACCEPTOR_OWNER);
  table.claim(20, ACCEPTOR_OWNER);
  const ticket = table.hand(20, ACCEPTOR_OWNER, 1);
  assert.equal(table.reclaim(1), [0, 17, DESCRIPTORS_MAX - 1]);
  assert.equal(table.reclaim(1), []);
  assert.is(table.count(), 3);
  assert.ok(table.adopt(20, ticket, 1), "its successor adopts");
  for (const word of [memory.layout.descriptors - 1, memory.layout.learned]) {
    assert.is(memory.words[word], 0);
  }
});

test("every owner has a state of its own", () => {
  const memory = allocate(WORKERS_MAX);
  const table = new DescriptorTable(memory);
  const owners = [...Array.from({ length: WORKERS_MAX }, (_, worker) => worker), ACCEPTOR_OWNER];
  const states = new Set<number>();
  for (const owner of owners) {
    table.claim(1, owner);
    states.add((memory.words[memory.layout.descriptors + 1] ?? 0) & 0xff);
    const ticket = table.hand(1, owner, owner % WORKERS_MAX);
    if (owner < WORKERS_MAX) states.add(ticket & 0xff);
    assert.ok(table.adopt(1, ticket, owner % WORKERS_MAX));
    assert.ok(table.release(1, owner % WORKERS_MAX));
  }
  assert.is(states.size, 2 * WORKERS_MAX + 1);
  assert.not(states.has(0));
});

test("who is overtaken between load and exchange loses and changes nothing", () => {
  const memory = allocate(2);
  const table = new DescriptorTable(memory);
  const word = memory.layout.descriptors + 2;
  const load = Atomics.load;
  /** Runs `operation`, and `overtake` just after its first load. */
  const overtaken = <T>(operation: () => T, overtake: () => boolean): T => {
    let done = false;
    Atomics.load = ((...parameters: Parameters<typeof load>) => {
      const value = load(...parameters);
      if (!done) {
        done = true;
        assert.ok(overtake());
      }
      return value;
    }) as typeof load;
    try {
      return operation();
    } finally {
      Atomics.load = load;
      assert.ok(done);
    }
  };
  assert.not(
    overtaken(
      () => table.claim(2, 0),
      () => table.claim(2, 1),
    ),
  );
  assert.not(
    overtaken(
      () => table.release(2, 1),
      () => table.reclaim(1).length === 1,
    ),
    "the reaper came first",
  );
  table.claim(2, ACCEPTOR_OWNER);
  assert.not(
    overtaken(
      () => table.release(2, ACCEPTOR_OWNER),
      () => table.hand(2, ACCEPTOR_OWNER, 0) !== -1,
    ),
    "closed what was handed on",
  );
  memory.words[word] = 0;
  table.claim(2, ACCEPTOR_OWNER);
  assert.is(
    overtaken(
      () => table.hand(2, ACCEPTOR_OWNER, 0),
      () => table.release(2, ACCEPTOR_OWNER) && table.claim(2, ACCEPTOR_OWNER),
    ),
    -1,
    "the number was given out again meanwhile, to the same owner",
  );
  assert.not(
    overtaken(
      () => table.release(2, ACCEPTOR_OWNER),
      () => table.release(2, ACCEPTOR_OWNER) && table.claim(2, ACCEPTOR_OWNER),
    ),
  );
  assert.is(table.count(), 1);
});

test("no interleaving closes twice, closes another's, adopts a stale ticket or loses one", () => {
  const walk = explore(null, [4, 1, 1]);
  assert.is(walk.violation, null);
  assert.ok(walk.states > 10_000, `${walk.states} states`);
  assert.ok(walk.refused > 100, `${walk.refused} stale tickets`);
  assert.ok(walk.ends > 10, `${walk.ends} ends`);
});

test("the walk of all interleavings notices each flaw", () => {
  const flaws: Readonly<Record<Flaw, RegExp>> = {
    "close comes before release": /gave out what is still owned/,
    "release keeps the generation": /stale ticket/,
    "release stores without comparing": /closed/,
    "adopt looks at the owner only": /stale ticket/,
    "release looks at no owner": /closed/,
  };
  for (const [flaw, violation] of Object.entries(flaws)) {
    assert.match(explore(flaw as Flaw, [3, 1, 1]).violation ?? "nothing", violation, flaw);
  }
});

test("threads that accept, hand on, adopt, close and die never share a descriptor", async () => {
  const memory = allocate(2);
  const own = new SharedArrayBuffer(OWN_BYTES);
  const random = seeded("descriptors");
  const run = (role: string, worker: number): Promise<Tally> =>
    start<Tally>(THREADS, role, {
      memory: memory.words.buffer,
      own,
      parties: 4,
      worker,
      accepts: ACCEPTS,
      seed: random.u32(),
    } satisfies StressInput);
  const tallies = await Promise.all([
    run("acceptor", 0),
    run("worker", 0),
    run("worker", 1),
    run("undertaker", 0),
  ]);
  const sum = (field: keyof Tally): number =>
    tallies.reduce((total, tally) => total + tally[field], 0);
  assert.ok(sum("opened") > ACCEPTS);
  assert.is(sum("closed"), sum("opened"), "each closed once");
  assert.is(new Kernel(own).openCount(), 0);
  assert.is(new DescriptorTable(memory).count(), 0);
  assert.ok(sum("deaths") > 20, `${sum("deaths")} deaths`);
  assert.ok(sum("stale") > 10, `${sum("stale")} stale tickets`);
});

test.run();
