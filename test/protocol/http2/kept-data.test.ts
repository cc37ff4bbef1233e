// Bytes that wait, against a plain array of them, and the budget that they draw on.
import * as assert from "uvu/assert";
import { KeptBudget, KeptData } from "../../../src/protocol/http2/kept-data.ts";
import { KEPT_BYTES_MAX } from "../../../src/protocol/http2/limits.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";

const test = suite("protocol/http2/kept-data");

test("what is kept comes out as it went in, whatever the sizes", () => {
  const random = seeded("kept-data");
  const budget = new KeptBudget();
  for (let round = 0; round < 200; round++) {
    const kept = new KeptData(budget);
    let model = Buffer.alloc(0);
    for (let step = random.below(40); step > 0; step--) {
      if (random.chance(0.5)) {
        const bytes = random.bytes(random.below(random.pick([8, 40, 600, 5_000])));
        const start = random.below(bytes.length + 1);
        assert.ok(kept.append(bytes, start, bytes.length));
        model = Buffer.concat([model, bytes.subarray(start)]);
      } else {
        const count = random.below(model.length + 1);
        const out = new Uint8Array(count + 2).fill(0xa5);
        kept.take(count, out, 1);
        assert.equal(Buffer.from(out.subarray(1, count + 1)), model.subarray(0, count));
        assert.is(out[0], 0xa5);
        assert.is(out[count + 1], 0xa5);
        model = model.subarray(count);
      }
      assert.is(kept.length, model.length);
      assert.ok(budget.usedBytes >= model.length);
      assert.ok(budget.usedBytes <= Math.max(512, 4 * 200_000));
    }
    kept.clear();
    assert.is(kept.length, 0);
    assert.is(budget.usedBytes, 0);
  }
});

test("room is given back when all is taken", () => {
  const budget = new KeptBudget();
  const kept = new KeptData(budget);
  kept.append(new Uint8Array(700), 0, 700);
  assert.is(budget.usedBytes, 1_024);
  kept.take(699, new Uint8Array(700), 0);
  assert.is(budget.usedBytes, 1_024);
  kept.take(1, new Uint8Array(700), 0);
  assert.is(budget.usedBytes, 0);
});

test("one-byte appends make no more room than long ones", () => {
  const budget = new KeptBudget();
  const kept = new KeptData(budget);
  for (let i = 0; i < 60_000; i++) kept.append(Uint8Array.of(i), 0, 1);
  assert.is(budget.usedBytes, 65_536);
  assert.is(kept.length, 60_000);
});

test("content that passes through a kept stream does not make it grow", () => {
  const budget = new KeptBudget();
  const kept = new KeptData(budget);
  const out = new Uint8Array(300);
  kept.append(new Uint8Array(100), 0, 100);
  for (let i = 0; i < 1_000; i++) {
    kept.append(new Uint8Array(300), 0, 300);
    kept.take(300, out, 0);
  }
  assert.is(kept.length, 100);
  assert.is(budget.usedBytes, 1_024);
});

test("beyond the budget nothing is kept, and nothing is lost", () => {
  const budget = new KeptBudget();
  const kept = new KeptData(budget);
  assert.ok(kept.append(Uint8Array.of(1, 2, 3), 0, 3));
  while (budget.take(65_536) !== null);
  while (budget.take(1) !== null);
  assert.is(budget.usedBytes, KEPT_BYTES_MAX);
  assert.not(kept.append(new Uint8Array(1_200), 0, 1_200));
  assert.is(kept.length, 3);
  assert.not(new KeptData(budget).append(Uint8Array.of(1), 0, 1));
  const out = new Uint8Array(3);
  kept.take(3, out, 0);
  assert.equal([...out], [1, 2, 3]);
  assert.is(budget.usedBytes, KEPT_BYTES_MAX - 1_024);
});

test("nothing needs no room", () => {
  const budget = new KeptBudget();
  assert.ok(new KeptData(budget).append(new Uint8Array(9), 4, 4));
  assert.is(budget.usedBytes, 0);
});

test.run();
