import * as assert from "uvu/assert";
import {
  INBOUND_SERIES,
  INBOUND_TLS_SERIES,
  LABEL_CHARS_MAX,
  OUTBOUND_SERIES,
  OVERFLOW_SERIES,
  SERIES_BUSY_MS,
  SERIES_IDLE_MS,
  type SeriesLabels,
  SeriesRegistry,
} from "../../src/metrics/series.ts";
import { Counters, sumSeries } from "../../src/shared/counters.ts";
import { SERIES_MAX, SeriesField } from "../../src/shared/layout.ts";
import { allocate } from "../../src/shared/memory.ts";
import { suite } from "../support/test.ts";

const test = suite("metrics/series");

type Desk = { registry: SeriesRegistry; threads: Counters[]; clock: { ms: number } };

function desk(): Desk {
  const memory = allocate(1);
  const threads = [new Counters(memory, 0), new Counters(memory, 1)];
  const clock = { ms: 1_000 };
  return { registry: new SeriesRegistry(threads, () => clock.ms), threads, clock };
}

function labels(authority: string, target = "10.0.0.1:80"): SeriesLabels {
  return { direction: "outbound", authority, target };
}

/** Takes all numbers that are left. */
function fill(registry: SeriesRegistry): number[] {
  const taken: number[] = [];
  for (let i = 0; ; i++) {
    const series = registry.allocate(labels(`fill-${i}`));
    if (series === OVERFLOW_SERIES) return taken;
    taken.push(series);
  }
}

test("four numbers are fixed", () => {
  const { registry } = desk();
  assert.equal(registry.entries(), [
    [OUTBOUND_SERIES, { direction: "outbound", authority: "", target: "" }],
    [INBOUND_SERIES, { direction: "inbound", authority: "", target: "" }],
    [INBOUND_TLS_SERIES, { direction: "inbound", authority: "", target: "", peer: "" }],
    [OVERFLOW_SERIES, { direction: "outbound", authority: "other", target: "" }],
  ]);
  assert.is(OVERFLOW_SERIES, SERIES_MAX - 1);
  const fixed = [OUTBOUND_SERIES, INBOUND_SERIES, INBOUND_TLS_SERIES, OVERFLOW_SERIES];
  for (const series of fixed) registry.free(series);
  assert.is(registry.entries().length, 4);
});

test("equal labels have one number, others have others", () => {
  const { registry } = desk();
  const web = registry.allocate(labels("web"));
  assert.is(registry.allocate(labels("web")), web);
  assert.is(registry.allocate({ direction: "inbound", authority: "", target: "" }), INBOUND_SERIES);
  const others = [
    registry.allocate(labels("web", "10.0.0.2:80")),
    registry.allocate({ ...labels("web"), direction: "inbound" }),
    registry.allocate(labels('web","10.0.0.1:80')),
    registry.allocate({ ...labels("web"), peer: "" }),
    registry.allocate({ ...labels("web"), peer: "web.ns" }),
  ];
  assert.is(new Set([web, ...others]).size, 6);
});

test("whatever clients ask for, numbers stay below the limit and the rest is other", () => {
  const { registry } = desk();
  const taken = fill(registry);
  assert.is(taken.length, SERIES_MAX - 4);
  assert.is(new Set(taken).size, taken.length);
  for (let i = 0; i < 100_000; i++) {
    assert.is(registry.allocate(labels(`more-${i}`)), OVERFLOW_SERIES);
  }
  assert.is(registry.entries().length, SERIES_MAX);
});

test("a freed series keeps its labels and figures for ten minutes", () => {
  const { registry, threads, clock } = desk();
  const web = registry.allocate(labels("web"));
  for (const thread of threads) thread.addTo(web, SeriesField.requests, 7);
  registry.free(web);
  clock.ms += SERIES_IDLE_MS - 1;
  fill(registry);
  assert.ok(registry.entries().some(([series]) => series === web));
  assert.is(registry.allocate(labels("web")), web);
  assert.is(sumSeries(threads, web, SeriesField.requests), 14);
  // In use again: time does not count.
  clock.ms += 10 * SERIES_IDLE_MS;
  assert.is(registry.allocate(labels("new")), OVERFLOW_SERIES);
});

test("after ten minutes its number goes to other labels, cleared in all threads", () => {
  const { registry, threads, clock } = desk();
  const web = registry.allocate(labels("web"));
  fill(registry);
  for (const thread of threads) thread.addTo(web, SeriesField.requests, 7);
  registry.free(web);
  clock.ms += SERIES_IDLE_MS;
  assert.is(registry.allocate(labels("new")), web);
  assert.is(sumSeries(threads, web, SeriesField.requests), 0);
  assert.is(registry.allocate(labels("web")), OVERFLOW_SERIES);
});

test("what is no longer shown is freed of its labels, though nobody wants the number", () => {
  const { registry, clock } = desk();
  registry.free(registry.allocate(labels("web")));
  clock.ms += SERIES_IDLE_MS;
  assert.is(registry.entries().length, 4);
});

test("labels stay while one user is left", () => {
  const { registry, clock } = desk();
  const web = registry.allocate(labels("web"));
  registry.allocate(labels("web"));
  registry.free(web);
  clock.ms += SERIES_IDLE_MS;
  assert.is(registry.entries().length, 5);
  registry.free(web);
  assert.throws(() => registry.free(web), /not in use/);
  assert.throws(() => registry.free(300), /not in use/);
});

test("open connections keep a freed series, for a day at most", () => {
  const { registry, threads, clock } = desk();
  const web = registry.allocate(labels("web"));
  threads[0]?.addTo(web, SeriesField.tcpOpen, 1);
  registry.free(web);
  clock.ms += SERIES_IDLE_MS;
  assert.is(registry.entries().length, 5);
  threads[1]?.addTo(web, SeriesField.tcpClose, 1);
  assert.is(registry.entries().length, 4);

  const stuck = registry.allocate(labels("stuck"));
  threads[0]?.addTo(stuck, SeriesField.tcpOpen, 1);
  registry.free(stuck);
  clock.ms += SERIES_BUSY_MS;
  assert.is(registry.entries().length, 4);
});

test("label values are bounded", () => {
  const { registry } = desk();
  registry.allocate(labels("a".repeat(65_536), "b".repeat(65_536)));
  const [, entry] = registry.entries().at(-2) ?? [];
  assert.is(entry?.authority.length, LABEL_CHARS_MAX);
  assert.is(entry?.target.length, LABEL_CHARS_MAX);
});

test.run();
