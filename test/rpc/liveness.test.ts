import * as assert from "uvu/assert";
import { Liveness } from "../../src/rpc/liveness.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/liveness");

test("a peer that says something now and then is never asked", () => {
  const liveness = new Liveness(10_000, 0);
  for (let at = 0; at <= 100_000; at += 1_000) {
    assert.is(liveness.look(Math.floor(at / 10_000), at), "fine");
  }
});

test("a silent peer is asked once, and is gone when it does not answer", () => {
  const liveness = new Liveness(10_000, 0);
  assert.is(liveness.look(0, 10_000), "fine");
  assert.is(liveness.look(0, 10_001), "ask");
  assert.is(liveness.look(0, 15_001), "fine");
  assert.is(liveness.look(0, 15_002), "gone");
});

test("any byte is an answer, and then it may be silent again", () => {
  const liveness = new Liveness(10_000, 0);
  assert.is(liveness.look(5, 1_000), "fine");
  assert.is(liveness.look(5, 11_001), "ask");
  assert.is(liveness.look(6, 12_000), "fine");
  assert.is(liveness.look(6, 22_000), "fine");
  assert.is(liveness.look(6, 22_001), "ask");
});

test.run();
