import * as assert from "uvu/assert";
import { Balancer } from "../../src/balancer/balancer.ts";
import { EJECTED_MIN_MS, eject } from "../../src/balancer/circuit.ts";
import { RETRY_EARLY_MS } from "../../src/balancer/eligible.ts";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, REFUSED_MAX_MS } from "../../src/balancer/observations.ts";
import { SAMPLE_MS } from "../../src/balancer/peak-ewma.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint } from "../../src/mesh/snapshot.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("balancer/balancer");
const WORKERS = 3;
const NONE: readonly Endpoint[] = [];

function endpoint(row: number): Endpoint {
  return {
    row,
    series: row,
    ip: Uint8Array.of(127, 0, 0, 1),
    port: 8_000 + row,
    speaks: "any",
    peer: null,
  };
}

function pool(count: number, salt: string) {
  const rows = new EndpointRows(allocate(WORKERS));
  const { u32 } = seeded(salt);
  const balancers = Array.from(
    { length: WORKERS },
    (_, worker) => new Balancer(rows, worker, xorshift32(u32())),
  );
  const [balancer] = balancers;
  if (balancer === undefined) throw new Error("no workers");
  return {
    rows,
    balancer,
    balancers,
    endpoints: Array.from({ length: count }, (_, i) => endpoint(i)),
  };
}

/** Picks many times without load and returns how often each row came. */
function shares(picks: number, pick: () => Endpoint | null): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < picks; i++) {
    const row = pick()?.row ?? -1;
    counts.set(row, (counts.get(row) ?? 0) + 1 / picks);
  }
  return counts;
}

/**
 * Sends one request per millisecond, in turn by each worker, for `totalMs`; an endpoint answers
 * after `latencyMs(row, now)` and a little by chance. Returns each row's share from `fromMs` on.
 */
function simulate(
  { balancers, endpoints }: ReturnType<typeof pool>,
  latencyMs: (row: number, nowMs: number) => number,
  window: { readonly fromMs: number; readonly totalMs: number },
  startMs = 0,
): number[] {
  const random = seeded("latency");
  const due = new Map<number, (() => void)[]>();
  const counts = endpoints.map(() => 0);
  for (let ms = 0; ms < window.totalMs; ms++) {
    const nowMs = startMs + ms;
    for (const end of due.get(ms) ?? []) end();
    due.delete(ms);
    const balancer = balancers[ms % balancers.length];
    const chosen = balancer?.pick(endpoints, nowMs, NONE) ?? null;
    if (chosen === null || balancer === undefined) throw new Error("nothing was picked");
    if (ms >= window.fromMs) counts[chosen.row] = (counts[chosen.row] ?? 0) + 1;
    balancer.acquire(chosen, nowMs);
    const tookMs = latencyMs(chosen.row, ms) * (0.9 + 0.2 * random.unit());
    const endMs = ms + Math.max(1, Math.round(tookMs));
    due.set(endMs, [
      ...(due.get(endMs) ?? []),
      () => {
        balancer.answered(chosen);
        balancer.observe(chosen, Math.round(tookMs * 1_000), startMs + endMs);
        balancer.release(chosen, true);
      },
    ]);
  }
  const total = window.totalMs - window.fromMs;
  return counts.map((count) => count / total);
}

test("equal endpoints get equal shares", () => {
  const served = simulate(pool(3, "equal"), () => 10, { fromMs: 2_000, totalMs: 32_000 });
  for (const share of served) assert.ok(Math.abs(share - 1 / 3) < 0.05, served.join(" "));
});

test("of three, one that is ten times slower gets less than 5 %", () => {
  const latencies = [10, 10, 100];
  const setUp = pool(3, "slow");
  const served = simulate(setUp, (row) => latencies[row] ?? 0, { fromMs: 1_000, totalMs: 31_000 });
  assert.ok((served[2] ?? 1) < 0.05, served.join(" "));
  assert.ok((served[2] ?? 0) > 0, "it is still tried");
  assert.ok(Math.abs((served[0] ?? 0) - (served[1] ?? 0)) < 0.1, served.join(" "));
});

test("shares follow speed: 5, 10 and 20 ms are served in that order", () => {
  const latencies = [5, 10, 20];
  const setUp = pool(3, "graded");
  const [a = 0, b = 0, c = 0] = simulate(setUp, (row) => latencies[row] ?? 0, {
    fromMs: 1_000,
    totalMs: 31_000,
  });
  assert.ok(a > b && b > c && c > 0, `${a} ${b} ${c}`);
});

test("an endpoint that was slow and is fast again gets its share back within a minute", () => {
  const slowUntilMs = 10_000;
  const latency = (row: number, ms: number) => (row === 2 && ms < slowUntilMs ? 100 : 10);
  const window = { fromMs: 70_000, totalMs: 80_000 };
  const [, , back = 0] = simulate(pool(3, "back"), latency, window);
  assert.ok(back > 0.25, String(back));
});

test("the clock's wrap at 2^32 changes nothing", () => {
  const latencies = [10, 10, 100];
  const window = { fromMs: 1_000, totalMs: 21_000 };
  const setUp = pool(3, "wrap");
  const served = simulate(setUp, (row) => latencies[row] ?? 0, window, 2 ** 32 - 11_000);
  assert.ok((served[2] ?? 1) < 0.05, served.join(" "));
});

test("pending requests of all workers weigh on all", () => {
  const { balancers, endpoints, rows } = pool(2, "pending");
  const [first, second] = endpoints;
  if (first === undefined || second === undefined) throw new Error("no endpoints");
  for (const balancer of balancers) balancer.acquire(first, 5);
  assert.is(rows.pending(0), WORKERS);
  for (const balancer of balancers) {
    assert.is(
      shares(200, () => balancer.pick(endpoints, 5, NONE)).get(1),
      shares(200, () => second).get(1),
    );
  }
  for (const balancer of balancers) balancer.release(first, false);
  assert.is(rows.pending(0), 0);
  for (const balancer of balancers) {
    assert.ok(shares(200, () => balancer.pick(endpoints, 5, NONE)).has(0));
  }
});

test("load is cost times pending and one", () => {
  const { balancer, endpoints } = pool(2, "product");
  const [cheap, dear] = endpoints;
  if (cheap === undefined || dear === undefined) throw new Error("no endpoints");
  balancer.observe(cheap, 1_000, 1_000);
  balancer.observe(dear, 2_500, 1_000);
  for (let pending = 0; pending < 6; pending++) {
    const expected = 1_000 * (pending + 1) < 2_500 ? 0 : 1;
    assert.is(shares(50, () => balancer.pick(endpoints, 1_000, NONE)).size, 1);
    assert.is(balancer.pick(endpoints, 1_000, NONE)?.row, expected, `${pending} pending`);
    balancer.acquire(cheap, 1_000);
  }
});

test("idle endpoints of equal cost are drawn evenly", () => {
  const { balancer, endpoints } = pool(5, "ties");
  const counts = shares(50_000, () => balancer.pick(endpoints, 1, NONE));
  for (const { row } of endpoints) {
    assert.ok(Math.abs((counts.get(row) ?? 0) - 0.2) < 0.01, [...counts].join(" "));
  }
});

test("an endpoint that cannot be connected to is passed over until its backoff ends", () => {
  const { balancer, endpoints, rows } = pool(3, "backoff");
  balancer.connectFailed(endpoint(1), 1_000);
  const waitMs = rows.retryInMs(1, 1_000);
  assert.ok(waitMs >= BACKOFF_MIN_MS && waitMs <= 1.5 * BACKOFF_MIN_MS, String(waitMs));
  const during = shares(500, () => balancer.pick(endpoints, 1_000 + waitMs - 1, NONE));
  assert.not(during.has(1));
  assert.is(during.size, 2);
  for (const one of endpoints) balancer.observe(one, 5_000, 1_000 + waitMs);
  assert.ok(shares(500, () => balancer.pick(endpoints, 1_000 + waitMs, NONE)).has(1));
});

test("one that refuses is tried again after five seconds at the latest", () => {
  const { balancer, rows } = pool(2, "refusals");
  const target = endpoint(0);
  let nowMs = 1_000;
  for (let failure = 1; failure <= 12; failure++) {
    balancer.connectFailed(target, nowMs, true);
    const waitMs = rows.retryInMs(target.row, nowMs);
    const leastMs = Math.min(BACKOFF_MIN_MS * 2 ** (failure - 1), REFUSED_MAX_MS / 1.5);
    assert.ok(waitMs >= Math.floor(leastMs) && waitMs <= REFUSED_MAX_MS, `${failure}: ${waitMs}`);
    nowMs += waitMs;
  }
  balancer.connectFailed(target, nowMs);
  assert.ok(
    rows.retryInMs(target.row, nowMs) > REFUSED_MAX_MS,
    "one that is silent is left longer",
  );
});

test("backoff doubles with each failure up to a minute, and a success ends it", () => {
  const { balancer, rows } = pool(1, "doubling");
  const target = endpoint(0);
  let nowMs = 2 ** 32 - 20_000;
  for (let failure = 1; failure <= 20; failure++) {
    balancer.connectFailed(target, nowMs);
    const waitMs = rows.retryInMs(0, nowMs);
    const leastMs = Math.min(BACKOFF_MIN_MS * 2 ** (failure - 1), BACKOFF_MAX_MS / 1.5);
    assert.ok(waitMs >= leastMs && waitMs <= leastMs * 1.5, `${failure}: ${waitMs}`);
    nowMs += waitMs;
  }
  balancer.connectFailed(target, nowMs);
  balancer.connectSucceeded(target);
  assert.is(rows.retryInMs(0, nowMs), 0);
  balancer.connectFailed(target, nowMs);
  assert.ok(rows.retryInMs(0, nowMs) <= 1.5 * BACKOFF_MIN_MS);
});

test("failures of attempts that were on their way when it backed off count once", () => {
  const { balancers, rows } = pool(1, "burst");
  for (let i = 0; i < 64; i++) balancers[i % WORKERS]?.connectFailed(endpoint(0), 1_000 + (i >> 4));
  assert.is(rows.failures(0), 1);
});

test("an endpoint that asked to be left alone is, and so is one that is ejected", () => {
  const { balancer, endpoints, rows } = pool(4, "held");
  rows.hold(1, 2_000);
  rows.moveCircuit(
    3,
    0,
    eject(0, 1_500, () => 0),
  );
  assert.equal([...shares(500, () => balancer.pick(endpoints, 1_999, NONE)).keys()].sort(), [0, 2]);
  assert.equal(
    [...shares(500, () => balancer.pick(endpoints, 2_000, NONE)).keys()].sort(),
    [0, 1, 2],
  );
});

test("an endpoint whose ejection is over is sent one request, and it is told which", () => {
  const { balancers, endpoints, rows } = pool(5, "trial");
  rows.moveCircuit(
    2,
    0,
    eject(0, 1_000, () => 0),
  );
  const nowMs = 1_000 + EJECTED_MIN_MS + 16;
  let trials = 0;
  for (let i = 0; i < 3_000; i++) {
    const balancer = balancers[i % WORKERS];
    const chosen = balancer?.pick(endpoints, nowMs, NONE);
    assert.is(chosen?.row === 2, balancer?.trial !== 0);
    if (chosen?.row !== 2) continue;
    trials++;
    assert.is(rows.circuit(2), balancer?.trial);
  }
  assert.is(trials, 1);
});

test("an endpoint that could not be connected to is tried by one, until it is known", () => {
  const { balancer, balancers, endpoints, rows } = pool(2, "reconnect");
  balancer.connectFailed(endpoint(1), 1_000);
  const nowMs = 1_000 + rows.retryInMs(1, 1_000);
  const picked = () => balancers.map((each) => each.pick(endpoints, nowMs, NONE)?.row ?? -1);
  const first = Array.from({ length: 100 }, picked).flat();
  assert.is(first.filter((row) => row === 1).length, 1);
  balancer.connectFailed(endpoint(1), nowMs + 5);
  assert.is(rows.failures(1), 2);
  const waitMs = rows.retryInMs(1, nowMs + 5);
  assert.ok(waitMs >= 2 * BACKOFF_MIN_MS, String(waitMs));
  balancer.connectSucceeded(endpoint(1));
  assert.ok(Array.from({ length: 100 }, picked).flat().includes(1));
});

test("one that answers when it is tried is back, also when it was not connected to for that", () => {
  const { balancer, endpoints, rows } = pool(2, "kept");
  const tried = endpoint(1);
  balancer.connectFailed(tried, 1_000);
  balancer.observe(tried, 500, 1_001);
  assert.is(rows.failures(1), 1, "what was asked before tells nothing");
  const nowMs = 1_000 + rows.retryInMs(1, 1_000);
  const isTried = (): boolean => balancer.pick(endpoints, nowMs, NONE)?.row === 1;
  assert.ok(Array.from({ length: 100 }, isTried).includes(true));
  balancer.observe(tried, 500, nowMs + 1);
  assert.is(rows.failures(1), 0);
});

test("an attempt to connect that nobody ends lapses", () => {
  const { balancer, endpoints, rows } = pool(1, "lapse");
  balancer.connectFailed(endpoint(0), 1_000);
  const nowMs = 1_000 + rows.retryInMs(0, 1_000);
  assert.is(balancer.pick(endpoints, nowMs, NONE)?.row, 0);
  assert.is(balancer.pick(endpoints, nowMs, NONE), null);
  assert.is(balancer.pick(endpoints, nowMs + 1_499, NONE), null);
  assert.is(balancer.pick(endpoints, nowMs + 1_500, NONE)?.row, 0);
});

test("with all but one backing off, that one is found however many there are", () => {
  const { balancer, endpoints } = pool(50, "needle");
  for (const one of endpoints) if (one.row !== 33) balancer.connectFailed(one, 1_000);
  const counts = shares(300, () => balancer.pick(endpoints, 1_010, NONE));
  assert.equal([...counts.keys()], [33]);
});

test("with all out of use but within reach, the one that returns soonest is picked", () => {
  const { balancer, endpoints, rows } = pool(4, "held");
  for (const [row, waitMs] of [900, 400, 100, 700].entries()) rows.hold(row, 1_000 + waitMs);
  assert.equal([...shares(100, () => balancer.pick(endpoints, 1_050, NONE)).keys()], [2]);
  const tried = [endpoint(2)];
  assert.equal([...shares(100, () => balancer.pick(endpoints, 1_050, tried)).keys()], [1]);
  rows.moveCircuit(
    1,
    0,
    eject(0, 1_050, () => 0),
  );
  assert.equal([...shares(100, () => balancer.pick(endpoints, 1_050, tried)).keys()], [3]);
});

test("with all out of reach each is tried now and then, and in between there is nobody", () => {
  const { balancer, balancers, endpoints, rows } = pool(3, "down");
  for (let i = 0; i < 8; i++) for (const { row } of endpoints) rows.fail(row, 1_000, 60_000);
  assert.is(balancer.outlook(endpoints, 1_000 + RETRY_EARLY_MS - 1), "none");
  assert.is(balancer.pick(endpoints, 1_000 + RETRY_EARLY_MS - 1, NONE), null);
  for (const nowMs of [1_000 + RETRY_EARLY_MS, 1_000 + 2 * RETRY_EARLY_MS]) {
    assert.is(balancer.outlook(endpoints, nowMs), "trial");
    const rowsPicked = balancers.map((each) => each.pick(endpoints, nowMs, NONE)?.row ?? -1);
    assert.equal(rowsPicked.sort(), [0, 1, 2]);
    assert.is(balancer.pick(endpoints, nowMs + 100, NONE), null);
    for (const each of endpoints) balancer.connectFailed(each, nowMs);
  }
});

test("a pool that is all down recovers with the first attempt after its return", () => {
  const { balancer, endpoints, rows } = pool(2, "return");
  for (let i = 0; i < 8; i++) for (const { row } of endpoints) rows.fail(row, 1_000, 60_000);
  const chosen = balancer.pick(endpoints, 1_000 + RETRY_EARLY_MS, NONE);
  if (chosen === null) throw new Error("nothing was picked");
  balancer.connectSucceeded(chosen);
  const nowMs = 1_001 + RETRY_EARLY_MS;
  assert.equal([...shares(100, () => balancer.pick(endpoints, nowMs, NONE)).keys()], [chosen.row]);
});

test("what was tried is not picked again, and after all were there is nothing", () => {
  const { balancer, endpoints } = pool(4, "tried");
  for (let round = 0; round < 100; round++) {
    const tried: Endpoint[] = [];
    for (let i = 0; i < 4; i++) {
      // As after a new snapshot: equal endpoints, other objects.
      const chosen = balancer.pick(
        endpoints.map((one) => ({ ...one })),
        1,
        tried,
      );
      if (chosen === null) throw new Error("nothing was picked");
      assert.not(tried.some(({ row }) => row === chosen.row));
      tried.push(chosen);
    }
    assert.is(balancer.pick(endpoints, 1, tried), null);
  }
});

test("of those untried the less loaded is picked, as ever", () => {
  const { balancer, endpoints } = pool(3, "untried");
  balancer.observe(endpoint(0), 1_000, 1);
  balancer.observe(endpoint(2), 9_000, 1);
  balancer.observe(endpoint(1), 500, 1);
  const counts = shares(100, () => balancer.pick(endpoints, 1, [endpoint(1), endpoint(77)]));
  assert.equal([...counts.keys()], [0]);
});

test("no endpoints give nothing, one gives itself while it can be reached", () => {
  const { balancer, endpoints } = pool(1, "few");
  assert.is(balancer.pick([], 1, NONE), null);
  assert.is(balancer.pick(endpoints, 1, NONE)?.row, 0);
  balancer.connectFailed(endpoint(0), 1);
  assert.is(balancer.pick(endpoints, 2, NONE), null);
  assert.is(balancer.first(endpoints, NONE)?.row, 0, "where there is no choice it is not asked");
  assert.is(balancer.first(endpoints, endpoints), null);
  balancer.connectSucceeded(endpoint(0));
  assert.is(balancer.pick(endpoints, 2, endpoints), null);
});

test("peaks are written at once, the rest at most once in a sample time", () => {
  const { balancer, rows } = pool(1, "samples");
  balancer.observe(endpoint(0), 5_000, 1_000);
  balancer.observe(endpoint(0), 1_000, 1_000 + SAMPLE_MS - 1);
  assert.equal([rows.costUs(0), rows.stampMs(0)], [5_000, 1_000]);
  balancer.observe(endpoint(0), 1_000, 1_000 + SAMPLE_MS);
  assert.equal([rows.costUs(0), rows.stampMs(0)], [4_960, 1_000 + SAMPLE_MS]);
  balancer.observe(endpoint(0), 6_000, 1_001 + SAMPLE_MS);
  assert.equal([rows.costUs(0), rows.stampMs(0)], [6_000, 1_001 + SAMPLE_MS]);
});

test("observing ends though other workers win every time", () => {
  const memory = allocate(1);
  let attempts = 0;
  class Contended extends EndpointRows {
    override publishCost(): boolean {
      attempts++;
      return false;
    }
  }
  new Balancer(new Contended(memory), 0, xorshift32(1)).observe(endpoint(0), 5_000, 1);
  assert.is(attempts, 4);
});

test("of a pool that is all new everybody is tried at once, whoever was measured first", () => {
  for (let round = 0; round < 50; round++) {
    const { balancer, endpoints } = pool(4, `all new ${round}`);
    const seen = new Set<number>();
    // One after the other, each answered within the millisecond.
    for (let nowMs = 1; nowMs < 99; nowMs++) {
      const chosen = balancer.pick(endpoints, nowMs, NONE);
      if (chosen === null) throw new Error("nothing was picked");
      balancer.acquire(chosen, nowMs);
      balancer.observe(chosen, 300 + chosen.row, nowMs);
      balancer.answered(chosen);
      balancer.release(chosen, true);
      seen.add(chosen.row);
    }
    assert.is(seen.size, endpoints.length, `round ${round}`);
  }
});

test.run();
