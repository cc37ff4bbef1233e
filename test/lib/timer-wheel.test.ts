import * as assert from "uvu/assert";
import { TICK_MS, Timer, TimerWheel } from "../../src/lib/timer-wheel.ts";
import { patient } from "../support/eventually.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/timer-wheel");

/** One turn of the wheel, milliseconds. */
const TURN_MS = 1_024 * TICK_MS;

/** A wheel whose timers write down when they expired. */
function bench(startMs = 0) {
  const wheel = new TimerWheel(startMs);
  const fired: string[] = [];
  const at = { nowMs: startMs };
  const timer = (name: string, also: () => void = () => {}): Timer =>
    new Timer(() => {
      fired.push(`${name}@${at.nowMs}`);
      also();
    });
  const advance = (nowMs: number): string[] => {
    at.nowMs = nowMs;
    wheel.advance(nowMs);
    return fired.splice(0);
  };
  return { wheel, timer, advance };
}

test("advance() expires a timer never early and at most one tick late", () => {
  for (let deadlineMs = 1_000; deadlineMs <= 1_000 + 3 * TICK_MS; deadlineMs++) {
    const { wheel, timer, advance } = bench(1_000);
    wheel.arm(timer("a"), deadlineMs);
    let firedMs = -1;
    for (let nowMs = 1_000; firedMs < 0; nowMs++) {
      if (advance(nowMs).length > 0) firedMs = nowMs;
    }
    assert.ok(firedMs >= deadlineMs && firedMs <= deadlineMs + TICK_MS, `${deadlineMs} ${firedMs}`);
    assert.is(wheel.count, 0);
  }
});

test("arm() with a deadline that has passed expires within a tick", () => {
  const { wheel, timer, advance } = bench(50_000);
  wheel.arm(timer("past"), 10);
  wheel.arm(timer("zero"), 0);
  assert.equal(advance(50_000 + TICK_MS).sort(), ["past@50016", "zero@50016"]);
});

test("arm() later moves the deadline, however often", () => {
  const { wheel, timer, advance } = bench();
  const idle = timer("idle");
  for (let nowMs = 0; nowMs < 100_000; nowMs += 10) {
    wheel.arm(idle, nowMs + 100);
    assert.equal(advance(nowMs), []);
    assert.is(wheel.count, 1);
  }
  assert.equal(advance(100_089), []);
  assert.equal(advance(100_090 + TICK_MS), ["idle@100106"]);
});

test("arm() earlier moves the deadline", () => {
  const { wheel, timer, advance } = bench();
  const a = timer("a");
  wheel.arm(a, 10_000);
  wheel.arm(a, 20_000);
  wheel.arm(a, 100);
  assert.is(wheel.count, 1);
  assert.equal(advance(99), []);
  assert.equal(advance(116), ["a@116"]);
  assert.equal(advance(30_000), []);
});

test("arm() later and then earlier than at first", () => {
  const { wheel, timer, advance } = bench();
  const a = timer("a");
  wheel.arm(a, 1_000);
  wheel.arm(a, 5_000);
  wheel.arm(a, 3_000);
  assert.equal(advance(2_999), []);
  assert.equal(advance(3_016), ["a@3016"]);
});

test("disarm() of an armed, a disarmed and an expired timer", () => {
  const { wheel, timer, advance } = bench();
  const a = timer("a");
  const b = timer("b");
  wheel.disarm(a);
  assert.is(wheel.count, 0);
  wheel.arm(a, 100);
  wheel.arm(b, 100);
  wheel.disarm(a);
  wheel.disarm(a);
  assert.is(wheel.count, 1);
  assert.equal(advance(200), ["b@200"]);
  wheel.disarm(b);
  assert.is(wheel.count, 0);
  wheel.arm(b, 300);
  assert.equal(advance(400), ["b@400"]);
});

test("a timer is disarmed before its expire runs and may arm itself again", () => {
  const { wheel, timer, advance } = bench();
  let count = -1;
  const again: Timer = timer("again", () => {
    count = wheel.count;
    assert.is(again.deadlineMs, 0);
    wheel.arm(again, 1_000);
  });
  wheel.arm(again, 100);
  assert.equal(advance(200), ["again@200"]);
  assert.is(count, 0);
  assert.is(wheel.count, 1);
  assert.equal(advance(1_016), ["again@1016"]);
});

test("expire may disarm any other timer of its place", () => {
  for (let victim = 0; victim < 5; victim++) {
    for (let killer = 0; killer < 5; killer++) {
      if (victim === killer) continue;
      const { wheel, timer, advance } = bench();
      const timers: Timer[] = [];
      for (let i = 0; i < 5; i++) {
        timers.push(timer(`${i}`, () => i === killer && wheel.disarm(timers[victim] ?? a)));
      }
      const a = timer("none");
      for (const each of timers) wheel.arm(each, 100);
      const fired = advance(200);
      assert.is(new Set(fired).size, fired.length);
      for (let i = 0; i < 5; i++) {
        if (i !== victim) assert.ok(fired.includes(`${i}@200`), `${victim} ${killer} ${i}`);
      }
      // Once only, and not at all if the killer came first.
      assert.ok(fired.indexOf(`${victim}@200`) < fired.indexOf(`${killer}@200`));
      assert.is(wheel.count, 0);
    }
  }
});

test("expire may disarm all the others of its place", () => {
  const { wheel, timer, advance } = bench();
  const timers: Timer[] = [];
  for (let i = 0; i < 9; i++) {
    timers.push(timer("one", () => timers.forEach((each) => void wheel.disarm(each))));
  }
  for (const each of timers) wheel.arm(each, 100);
  assert.equal(advance(200), ["one@200"]);
  assert.is(wheel.count, 0);
});

test("expire may put others of its place off, pull others in and move them a turn away", () => {
  for (const moveToMs of [150, 199, 201, 300, 100 + TURN_MS, 100 + 3 * TURN_MS]) {
    for (let mover = 0; mover < 4; mover++) {
      const { wheel, timer, advance } = bench();
      const timers: Timer[] = [];
      const moved = new Set<string>();
      for (let i = 0; i < 4; i++) {
        const move = (): void => {
          for (const [j, each] of timers.entries()) {
            if (each.deadlineMs === 100) moved.add(`${j}`);
            if (each.deadlineMs === 100) wheel.arm(each, moveToMs);
          }
        };
        timers.push(timer(`${i}`, () => i === mover && move()));
      }
      for (const each of timers) wheel.arm(each, 100);
      const first = advance(128).map((name) => name.slice(0, 1));
      assert.equal(
        [...first, ...moved].sort(),
        ["0", "1", "2", "3"],
        `${moveToMs} ${mover}: each fired or moved`,
      );
      assert.equal(advance(moveToMs - 1), []);
      assert.is(advance(moveToMs + TICK_MS).length, moved.size, `${moveToMs} ${mover}`);
      assert.is(wheel.count, 0);
    }
  }
});

test("expire may arm new timers that are due: they expire in the next tick, not for ever in this", () => {
  const { wheel, timer, advance } = bench();
  const eager: Timer = timer("eager", () => wheel.arm(eager, 0));
  wheel.arm(eager, 100);
  assert.is(advance(112).length, 1);
  assert.is(advance(112 + TICK_MS).length, 1);
  assert.is(advance(112 + 2 * TICK_MS).length, 1);
  assert.is(wheel.count, 1);
});

test("deadlines beyond the wheel's horizon", () => {
  const { wheel, timer, advance } = bench(7);
  const deadlines = [1_022, 1_023, 1_024, 1_025, 2_047, 2_048, 5_000].map((t) => t * TICK_MS + 5);
  for (const deadlineMs of deadlines) wheel.arm(timer(`${deadlineMs}`), deadlineMs);
  wheel.arm(timer("never"), Number.POSITIVE_INFINITY);
  const fired: string[] = [];
  for (let nowMs = 7; nowMs < 5_002 * TICK_MS; nowMs += 7) fired.push(...advance(nowMs));
  const pairs = fired.map((text) => text.split("@").map(Number));
  pairs.sort(([a = 0], [b = 0]) => a - b);
  assert.equal(
    pairs.map(([deadlineMs]) => deadlineMs),
    deadlines,
  );
  for (const [deadlineMs = 0, firedMs = 0] of pairs) {
    assert.ok(firedMs >= deadlineMs && firedMs < deadlineMs + TICK_MS + 7, `${deadlineMs}`);
  }
  assert.is(wheel.count, 1);
});

test("a clock that jumps far ahead expires all that is due, once, and nothing else", () => {
  for (const jumpMs of [
    TURN_MS - 1,
    TURN_MS,
    TURN_MS + 1,
    3 * TURN_MS,
    1_000 * TURN_MS + 77,
    1e13,
  ]) {
    const { wheel, timer, advance } = bench(1_000);
    for (let i = 0; i < 3_000; i++) wheel.arm(timer(`${i}`), 1_000 + i * 7);
    wheel.arm(timer("later"), 1_000 + jumpMs + 1_000);
    const nowMs = 1_000 + jumpMs;
    const fired = advance(nowMs);
    const names = new Set(fired.map((text) => Number(text.split("@")[0])));
    assert.is(names.size, fired.length, "each once");
    assert.is(wheel.count, 3_001 - names.size);
    for (let i = 0; i < 3_000; i++) {
      const deadlineMs = 1_000 + i * 7;
      if (deadlineMs > nowMs) assert.not(names.has(i), "early");
      if (deadlineMs <= nowMs - TICK_MS) assert.ok(names.has(i), "late");
    }
    assert.is(advance(nowMs + 999 - TICK_MS).includes("later"), false);
    assert.ok(
      advance(nowMs + 1_000 + TICK_MS)
        .join()
        .includes("later"),
    );
  }
});

test("a wheel that was empty for long takes up where the clock is", () => {
  const { wheel, timer, advance } = bench();
  assert.equal(advance(1e9), []);
  wheel.arm(timer("a"), 1e9 + 50);
  assert.equal(advance(1e9 + 49), []);
  assert.is(advance(1e9 + 66).length, 1);
});

test("nextInMs() is when advance() has the next place to visit, at most the limit", () => {
  const { wheel, timer, advance } = bench(1_600);
  assert.is(wheel.nextInMs(1_600, 250), 250);
  const a = timer("a");
  wheel.arm(a, 1_605);
  assert.is(wheel.nextInMs(1_600, 250), 16);
  assert.is(wheel.nextInMs(1_610, 250), 6);
  assert.is(wheel.nextInMs(1_600, 10), 10);
  assert.is(wheel.nextInMs(1_700, 1), 0, "overdue, before advance()");
  wheel.arm(a, 1_700);
  wheel.disarm(a);
  wheel.arm(a, 1_700);
  assert.is(wheel.nextInMs(1_600, 250), 112);
  assert.is(wheel.nextInMs(1_800, 16), 0, "overdue by many ticks, with a short limit");
  assert.is(wheel.nextInMs(1_600, 0), 0);
  assert.equal(advance(1_711), []);
  assert.equal(advance(1_712), ["a@1712"]);
});

test("a million timers in bounded time", () => {
  const wheel = new TimerWheel(0);
  const random = seeded("million");
  let fired = 0;
  const timers = Array.from({ length: 1_000_000 }, () => new Timer(() => void fired++));
  const startMs = performance.now();
  for (const timer of timers) wheel.arm(timer, random.below(60_000));
  for (const timer of timers) wheel.arm(timer, 60_000 + random.below(60_000));
  for (let i = 0; i < timers.length; i += 2) wheel.disarm(timers[i] ?? new Timer(() => {}));
  assert.is(wheel.count, 500_000);
  for (let nowMs = 0; nowMs <= 120_016; nowMs += 20) {
    wheel.nextInMs(nowMs, 250);
    wheel.advance(nowMs);
  }
  const tookMs = performance.now() - startMs;
  assert.is(fired, 500_000);
  assert.ok(tookMs < patient(8_000), `${tookMs} ms`);
});

test("many far timers at one place do not make the due ones there quadratic", () => {
  const wheel = new TimerWheel(0);
  let fired = 0;
  const pairs = Array.from({ length: 20_000 }, (_, i) => {
    const other = new Timer(() => void fired++);
    const timer = new Timer(() => {
      fired++;
      wheel.disarm(other);
    });
    wheel.arm(i % 2 === 0 ? timer : other, 100);
    wheel.arm(i % 2 === 0 ? other : timer, 100);
    const far = new Timer(() => assert.unreachable("far"));
    wheel.arm(far, 100);
    wheel.arm(far, 1e9);
    return far;
  });
  const startMs = performance.now();
  wheel.advance(200);
  assert.ok(performance.now() - startMs < patient(2_000));
  assert.ok(fired >= pairs.length);
  assert.is(wheel.count, pairs.length);
});

test("behaves as a list of deadlines does (random model)", () => {
  const random = seeded("model");
  for (let round = 0; round < 60; round++) {
    const wheel = new TimerWheel(random.below(100_000));
    let nowMs = random.below(3) === 0 ? 0 : random.below(1e9);
    wheel.advance(nowMs);
    const model = new Map<Timer, number>();
    const timers: Timer[] = [];
    const move = (): void => {
      const timer = random.pick(timers);
      if (random.chance(0.3)) {
        wheel.disarm(timer);
        model.delete(timer);
        return;
      }
      const spreadMs = random.pick([20, 200, 5_000, 2 * TURN_MS, 20 * TURN_MS]);
      const deadlineMs = nowMs + random.below(spreadMs);
      wheel.arm(timer, deadlineMs);
      model.set(timer, deadlineMs);
    };
    for (let i = 0; i < 40; i++) {
      const timer: Timer = new Timer(() => {
        const deadlineMs = model.get(timer);
        if (deadlineMs === undefined) return assert.unreachable("expired while disarmed");
        assert.ok(deadlineMs <= nowMs, "early");
        model.delete(timer);
        for (let times = random.below(4); times > 0; times--) move();
      });
      timers.push(timer);
    }
    for (let step = 0; step < 300; step++) {
      for (let times = random.below(6); times > 0; times--) move();
      nowMs += random.pick([0, 1, 5, 16, 17, 100, 1_000, TURN_MS, 5 * TURN_MS]);
      const stepMs = nowMs;
      const armed = new Map(model);
      wheel.advance(nowMs);
      for (const [timer, deadlineMs] of model) {
        // What a callback armed in this step waits for the next.
        if (armed.get(timer) === deadlineMs) assert.ok(stepMs < deadlineMs + TICK_MS, "late");
        assert.is(timer.deadlineMs, deadlineMs);
      }
      assert.is(wheel.count, model.size);
      const soonest = Math.min(...model.values());
      const nextMs = wheel.nextInMs(nowMs, 1e6);
      assert.ok(nowMs + nextMs <= Math.max(nowMs, soonest) + TICK_MS, "would oversleep");
    }
  }
});

test.run();
