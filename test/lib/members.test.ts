/** Who comes and goes: each once, in any order, beside a Set that does the same. */
import * as assert from "uvu/assert";
import { type Member, Members } from "../../src/lib/members.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("members");

test("it has whom a Set has, whoever comes and goes", () => {
  const random = seeded("members");
  const all: Member[] = Array.from({ length: 50 }, () => ({ memberAt: -1 }));
  const members = new Members<Member>();
  const set = new Set<Member>();
  for (let step = 0; step < 10_000; step++) {
    const member = all[random.below(all.length)];
    if (member === undefined) continue;
    // The same one may come twice, and may go without being there.
    if (random.below(2) === 0) {
      members.add(member);
      set.add(member);
    } else {
      members.delete(member);
      set.delete(member);
    }
    assert.is(members.size, set.size);
    if (step % 100 === 0) assert.equal(new Set(members), set);
  }
});

test("all may go while a copy is walked through", () => {
  const members = new Members<Member>();
  for (let i = 0; i < 10; i++) members.add({ memberAt: -1 });
  let walked = 0;
  for (const member of [...members]) {
    walked++;
    members.delete(member);
  }
  assert.is(walked, 10);
  assert.is(members.size, 0);
});

test.run();
