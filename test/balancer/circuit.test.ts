import * as assert from "uvu/assert";
import {
  close,
  EJECTED_MAX_MS,
  EJECTED_MIN_MS,
  eject,
  giveBack,
  isClosed,
  isDue,
  isProbing,
  leftMs,
  levelOf,
  PROBE_LEASE_MS,
  probe,
  proberOf,
  RELAPSE_MS,
} from "../../src/balancer/circuit.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/circuit");
/** The unit of time of the word. */
const UNIT_MS = 16;
const least = (): number => 0;

test("a word of zero is closed, and asks for no probe", () => {
  assert.ok(isClosed(0));
  assert.not(isDue(0, 5_000));
  assert.not(isProbing(0, 5_000));
  assert.is(leftMs(0, 5_000), 0);
  assert.is(proberOf(0), -1);
});

test("an ejection lasts its time and a unit at most, then a probe is due", () => {
  for (const nowMs of [0, 1, 15, 16, 12_345, 0x1_0000_0000 + 7]) {
    const word = eject(0, nowMs, least);
    assert.not(isClosed(word));
    assert.not(isDue(word, nowMs));
    assert.not(isDue(word, nowMs + EJECTED_MIN_MS - 1));
    assert.ok(isDue(word, nowMs + EJECTED_MIN_MS + UNIT_MS));
  }
});

test("each ejection in a row is twice as long, up to the longest, with jitter", () => {
  const { u32 } = seeded("jitter");
  let word = eject(0, 1_000, u32);
  for (let level = 1; level <= 20; level++) {
    const minMs = Math.min(EJECTED_MIN_MS * 2 ** (level - 1), EJECTED_MAX_MS / 1.5);
    const waitMs = leftMs(word, 1_000);
    assert.ok(waitMs >= minMs - UNIT_MS, `${level}: ${waitMs}`);
    assert.ok(waitMs <= Math.min(minMs * 1.5, EJECTED_MAX_MS) + UNIT_MS, `${level}: ${waitMs}`);
    assert.is(levelOf(word), Math.min(level, 15));
    word = eject(probe(word, 1_000, 0), 1_000, u32);
  }
  const waits = new Set(Array.from({ length: 50 }, () => leftMs(eject(0, 1_000, u32), 1_000)));
  assert.ok(waits.size > 10, "they do not all return at once");
});

test("a probe is leased: while it lasts nobody else sends one, then it is due again", () => {
  const ejected = eject(0, 1_000, least);
  const probing = probe(ejected, 2_000, 13);
  assert.ok(isProbing(probing, 2_000));
  assert.is(proberOf(probing), 13);
  assert.is(levelOf(probing), levelOf(ejected));
  assert.not(isDue(probing, 2_000));
  assert.not(isDue(probing, 2_000 + PROBE_LEASE_MS - 1));
  assert.ok(isDue(probing, 2_000 + PROBE_LEASE_MS + UNIT_MS));
  assert.not(isProbing(probing, 2_000 + PROBE_LEASE_MS + UNIT_MS));
  assert.is(proberOf(probing), 13, "its worker is still known, for whoever buries it");
});

test("a probe that told nothing leaves another due at once, and nothing is forgotten", () => {
  const probing = probe(eject(0, 1_000, least), 2_000, 3);
  const back = giveBack(probing, 3_003);
  assert.ok(isDue(back, 3_003));
  assert.is(proberOf(back), -1);
  assert.is(levelOf(back), 1);
});

test("an endpoint that relapses is ejected for longer; after a good minute it is as new", () => {
  const closed = close(probe(eject(0, 1_000, least), 2_000, 3), 2_100);
  assert.ok(isClosed(closed));
  assert.not(isDue(closed, 900_000));
  assert.is(levelOf(eject(closed, 2_200, least)), 2);
  assert.is(levelOf(eject(closed, 2_100 + RELAPSE_MS - UNIT_MS, least)), 2);
  assert.is(levelOf(eject(closed, 2_100 + RELAPSE_MS + 2 * UNIT_MS, least)), 1);
});

test("the time's wrap is crossed, and what is far ahead is long over", () => {
  const wrapMs = UNIT_MS * 2 ** 22;
  for (const startMs of [wrapMs - 500, 3 * wrapMs - 1_000]) {
    const word = eject(0, startMs, least);
    assert.not(isDue(word, startMs + EJECTED_MIN_MS - 1));
    assert.ok(isDue(word, startMs + EJECTED_MIN_MS + UNIT_MS));
    assert.ok(isDue(word, startMs + 3_600_000));
    assert.ok(isDue(word, startMs + 12 * 3_600_000));
  }
});

test("words are unsigned, whatever is in them", () => {
  const { u32 } = seeded("words");
  for (let i = 0; i < 2_000; i++) {
    const nowMs = u32() * 3;
    for (const word of [eject(u32(), nowMs, u32), probe(u32(), nowMs, 15), close(u32(), nowMs)]) {
      assert.ok(word >= 0 && word <= 0xffff_ffff && Number.isInteger(word));
    }
  }
});

test.run();
