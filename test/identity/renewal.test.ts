import * as assert from "uvu/assert";
import {
  askTimeoutMs,
  REFRESH_FLOOR_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  RETRY_WITHOUT_MAX_MS,
  refreshDelayMs,
  resumeDelayMs,
  retryDelayMs,
  soonDelayMs,
} from "../../src/identity/renewal.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("identity/renewal");

const DAY_MS = 86_400_000;
const LOWEST = (): number => 1;
const HIGHEST = (): number => 0xffff_ffff;

test("a certificate of a day is renewed after 70 % of it, a tenth of that more or less", () => {
  assert.is(Math.round(refreshDelayMs(DAY_MS, () => 0x8000_0000) / 10), (DAY_MS * 7) / 100);
  assert.is(Math.round(refreshDelayMs(DAY_MS, LOWEST) / 1e4), Math.round((DAY_MS * 0.63) / 1e4));
  assert.is(Math.round(refreshDelayMs(DAY_MS, HIGHEST) / 1e4), Math.round((DAY_MS * 0.77) / 1e4));
});

test("whatever is left, it is renewed in the second half of that and before it expires", () => {
  const random = seeded("renewal");
  for (let i = 0; i < 10_000; i++) {
    // From 200 ms to a day, as many short ones as long ones.
    const leftMs = Math.floor(200 * 2 ** (random.unit() * 18.7));
    const delayMs = refreshDelayMs(leftMs, random.u32);
    assert.ok(Number.isInteger(delayMs) && delayMs < leftMs, `${leftMs}: ${delayMs}`);
    const leastMs = Math.min(10_000, leftMs / 2);
    assert.ok(delayMs >= leastMs, `${leftMs}: ${delayMs}`);
    assert.ok(leftMs - delayMs >= leftMs * 0.2, `${leftMs}: ${delayMs}`);
  }
});

test("a control plane that issues what has expired is not asked without a pause", () => {
  for (const leftMs of [0, 1, 50, 100]) {
    assert.is(refreshDelayMs(leftMs, LOWEST), REFRESH_FLOOR_MS);
    assert.is(soonDelayMs(leftMs, LOWEST), REFRESH_FLOOR_MS);
  }
});

test("restarts do not put a renewal off, and never hasten all of a mesh at once", () => {
  const random = seeded("resume");
  for (let i = 0; i < 10_000; i++) {
    const lifeMs = Math.floor(10_000 * 2 ** (random.unit() * 13));
    const ageMs = Math.floor(lifeMs * random.unit());
    const leftMs = lifeMs - ageMs;
    const delayMs = resumeDelayMs(lifeMs, leftMs, random.u32);
    const soonMs = Math.max(REFRESH_FLOOR_MS, Math.min(5_000, leftMs * 0.25));
    assert.ok(delayMs >= Math.floor(soonMs * 0.2), `${lifeMs} ${leftMs} ${delayMs}`);
    const latestMs = Math.max(lifeMs * 0.771, ageMs + soonMs);
    assert.ok(ageMs + delayMs <= latestMs, `${lifeMs} ${leftMs} ${delayMs}`);
  }
});

test("one of ten years is renewed every day", () => {
  const random = seeded("years");
  const delays = Array.from({ length: 100 }, () => refreshDelayMs(3_650 * DAY_MS, random.u32));
  assert.ok(delays.every((delay) => delay >= 0.9 * DAY_MS && delay <= 1.1 * DAY_MS));
  assert.ok(new Set(delays).size > 90);
});

test("retries stay within their bounds and leave ten before the certificate expires", () => {
  const random = seeded("retries");
  for (let i = 0; i < 10_000; i++) {
    const leftMs = random.chance(0.1) ? null : Math.floor(2 ** (random.unit() * 27)) - 1;
    const failure = { failures: random.between(1, 200), leftMs, isRefused: random.chance(0.2) };
    const delayMs = retryDelayMs(failure, random.u32);
    const what = `${JSON.stringify(failure)}: ${delayMs}`;
    assert.ok(delayMs >= RETRY_MIN_MS && delayMs <= RETRY_MAX_MS, what);
    if (leftMs !== null && leftMs > 0) {
      assert.ok(delayMs <= Math.max(RETRY_MIN_MS, leftMs / 10), what);
    } else if (!failure.isRefused) assert.ok(delayMs <= RETRY_WITHOUT_MAX_MS, what);
  }
});

test("retries double from 100 ms, and a refusal waits for long at once", () => {
  const after = (failures: number, isRefused = false): number =>
    retryDelayMs({ failures, leftMs: DAY_MS, isRefused }, LOWEST);
  assert.equal(
    [1, 2, 3, 4].map((failures) => after(failures)),
    [100, 200, 400, 800],
  );
  assert.is(after(40), RETRY_MAX_MS / 1.5);
  assert.is(after(1, true), RETRY_MAX_MS / 1.5);
  assert.is(retryDelayMs({ failures: 1, leftMs: null, isRefused: true }, LOWEST), 100_000);
  assert.is(retryDelayMs({ failures: 40, leftMs: DAY_MS, isRefused: false }, HIGHEST), 150_000);
});

// Property of the whole: however it fails, the next attempt comes while the certificate is valid.
test("a control plane that is away is asked again and again until the certificate expires", () => {
  const random = seeded("outage");
  for (const lifetimeMs of [10_000, 60_000, 3_600_000, DAY_MS]) {
    let atMs = refreshDelayMs(lifetimeMs, random.u32);
    let failures = 0;
    let longestGapMs = 0;
    while (atMs < lifetimeMs) {
      failures += 1;
      const leftMs = lifetimeMs - atMs;
      const delayMs = retryDelayMs({ failures, leftMs, isRefused: false }, random.u32);
      longestGapMs = Math.max(longestGapMs, delayMs);
      atMs += delayMs;
    }
    assert.ok(failures >= 10, `${lifetimeMs}: ${failures} attempts`);
    assert.ok(atMs - lifetimeMs <= RETRY_MIN_MS, "the last wait ends with the certificate");
    assert.ok(failures <= lifetimeMs / RETRY_MIN_MS, "not busier than the minimum");
    assert.ok(longestGapMs <= RETRY_MAX_MS);
  }
});

test("changed anchors are asked for within five seconds, spread", () => {
  const random = seeded("soon");
  const delays = Array.from({ length: 1_000 }, () => soonDelayMs(DAY_MS, random.u32));
  assert.ok(delays.every((delay) => delay >= 1_000 && delay <= 5_000));
  assert.ok(Math.max(...delays) - Math.min(...delays) > 3_000);
  assert.ok(soonDelayMs(4_000, HIGHEST) <= 1_000);
});

test("an attempt may take ten seconds, a quarter of what is left, but one second", () => {
  assert.equal(
    [null, -5, 0, 1, 8_000, DAY_MS].map(askTimeoutMs),
    [10_000, 10_000, 10_000, 1_000, 2_000, 10_000],
  );
});

test.run();
