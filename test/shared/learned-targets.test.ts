import * as assert from "uvu/assert";
import { LEARNED_MAX } from "../../src/shared/layout.ts";
import { LEARNED_MS, LearnedTargets } from "../../src/shared/learned-targets.ts";
import { allocate, attach } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("shared/learned-targets");

const V4 = Uint8Array.of(10, 0, 0, 1);
const V6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

test("knows nothing at first", () => {
  const targets = new LearnedTargets(allocate(1));
  assert.not(targets.knows(V4, 3306, 0));
  assert.not(targets.knows(new Uint8Array(16), 0, 0));
});

test("a target is known to all who attach, by address and port", () => {
  const memory = allocate(2);
  new LearnedTargets(memory).remember(V4, 3306, 1_000);
  new LearnedTargets(memory).remember(V6, 25, 1_000);
  const others = new LearnedTargets(attach(memory.words.buffer));
  assert.ok(others.knows(V4, 3306, 1_001));
  assert.ok(others.knows(V6, 25, 1_001));
  assert.not(others.knows(V4, 3307, 1_001));
  assert.not(others.knows(V4, 3306 ^ 0x100, 1_001));
  assert.not(others.knows(Uint8Array.of(10, 0, 0, 2), 3306, 1_001));
});

test("a target is forgotten unless it is remembered again", () => {
  const targets = new LearnedTargets(allocate(1));
  targets.remember(V4, 25, 0);
  assert.ok(targets.knows(V4, 25, LEARNED_MS - 1));
  assert.not(targets.knows(V4, 25, LEARNED_MS));
  targets.remember(V4, 25, LEARNED_MS);
  assert.ok(targets.knows(V4, 25, LEARNED_MS + 1));
});

test("a stamp from a thread whose clock is a turn ahead counts", () => {
  const targets = new LearnedTargets(allocate(1));
  targets.remember(V4, 25, 5_000);
  assert.ok(targets.knows(V4, 25, 4_995));
});

test("time wraps at 2^32", () => {
  const targets = new LearnedTargets(allocate(1));
  targets.remember(V4, 25, 2 ** 32 - 10);
  assert.ok(targets.knows(V4, 25, 2 ** 32 + 10));
  assert.not(targets.knows(V4, 25, 2 ** 32 + LEARNED_MS));
});

test("many more targets than rows: one is known or forgotten, its neighbours' words stay whole", () => {
  const memory = allocate(1);
  const before = memory.words.slice();
  const targets = new LearnedTargets(memory);
  const random = seeded("learned");
  for (let i = 0; i < 20 * LEARNED_MAX; i++) {
    const ip = random.bytes(16);
    const port = random.below(65_536);
    targets.remember(ip, port, i);
    assert.ok(targets.knows(ip, port, i));
  }
  const { learned, rings } = memory.layout;
  for (let word = 0; word < memory.words.length; word++) {
    const isLearned = word >= learned && word < rings;
    if (!isLearned && memory.words[word] !== before[word]) assert.unreachable(`word ${word}`);
  }
  let used = 0;
  for (let word = learned; word < rings; word += 2) if (memory.words[word] !== 0) used++;
  assert.is(used, LEARNED_MAX, "the hash reaches every row");
});

test.run();
