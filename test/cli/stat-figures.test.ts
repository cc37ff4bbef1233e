import * as assert from "uvu/assert";
import { isStatsView, type StatsRow, type StatsView } from "../../src/admin/stats-view.ts";
import { quantile, statLines } from "../../src/cli/stat-figures.ts";
import { statText } from "../../src/cli/stat-view.ts";
import { suite } from "../support/test.ts";

const test = suite("cli/stat-figures");

const ROW: StatsRow = {
  direction: "outbound",
  service: "web",
  endpoint: "10.0.0.1:80",
  mtls: true,
  peer: "web.default",
  protocol: "sidecar",
  state: "ok",
  pending: 2,
  requests: 100,
  failures: 10,
  statuses: { "200": 90, "500": 10 },
  latency_buckets: [100, 0, 0],
  connections_opened: 5,
  connections_closed: 4,
  read_bytes: 0,
  written_bytes: 0,
};

const view = (now_ms: number, ...rows: readonly Partial<StatsRow>[]): StatsView => ({
  name: "shop",
  now_ms,
  bounds_ms: [10, 100],
  taps: 0,
  rows: rows.map((row) => ({ ...ROW, ...row })),
});

test("what lies between two readings is told, for services and endpoints", () => {
  const second = { endpoint: "10.0.0.2:80", requests: 0, failures: 0, latency_buckets: [0, 0, 0] };
  const before = view(1_000, {}, { ...second, state: "backing-off" });
  const after = view(
    3_000,
    { requests: 300, failures: 10, latency_buckets: [200, 100, 0] },
    { ...second, requests: 100, failures: 50, latency_buckets: [0, 50, 50], state: "backing-off" },
    {
      endpoint: "",
      requests: 100,
      failures: 100,
      peer: null,
      mtls: false,
      protocol: null,
      state: null,
    },
  );
  const [service, first, other] = statLines(before, after);
  assert.is(service?.kind, "service");
  // 200 and 100 to its endpoints, 100 to none.
  assert.is(service?.requests_per_s, 200);
  assert.is(service?.success, 1 - 150 / 400);
  assert.is(service?.connections, 3);
  assert.is(service?.state, "ok");
  assert.is(service?.mtls, true);
  assert.is(first?.requests_per_s, 100);
  assert.is(first?.success, 1);
  assert.is(first?.p50_ms, 10);
  assert.is(first?.p99_ms, 98.2);
  assert.is(other?.endpoint, "10.0.0.2:80");
  assert.is(other?.state, "backing-off");
  assert.is(other?.p99_ms, 100);
});

test("without a request there is no success and no latency; less than before began anew", () => {
  const [, idle] = statLines(view(0, {}), view(1_000, {}));
  assert.equal([idle?.requests_per_s, idle?.success, idle?.p50_ms], [0, null, null]);
  const [, again] = statLines(
    view(0, { requests: 1_000 }),
    view(1_000, { requests: 7, failures: 0 }),
  );
  assert.equal([again?.requests_per_s, again?.success], [7, 1]);
});

test("what was never used, and endpoints that are gone and quiet, are left out", () => {
  const none = { requests: 0, failures: 0, connections_opened: 0, connections_closed: 0 };
  const rows = [
    { ...none, service: "", endpoint: "" },
    { ...none, service: "", endpoint: "", direction: "inbound" as const, requests: 1 },
    { ...none, service: "other", endpoint: "" },
    { state: "gone" as const, connections_closed: 5 },
  ];
  const lines = statLines(view(0, ...rows), view(1_000, ...rows));
  assert.equal(
    lines.map(({ kind, service }) => [kind, service]),
    [
      ["client", ""],
      ["service", "web"],
    ],
  );
});

test("quantiles are Prometheus'", () => {
  assert.is(quantile([0, 0, 0], [1, 2], 0.5), null);
  assert.is(quantile([4, 0, 0], [1, 2], 0.5), 0.5);
  assert.is(quantile([0, 4, 0], [1, 2], 1), 2);
  assert.is(quantile([0, 0, 4], [1, 2], 0.5), 2);
  assert.is(quantile([1], [], 0.5), null);
});

test("a table fits 120 columns and obeys nobody", () => {
  const nasty = { service: `a\x1b[31m${"b".repeat(300)}`, endpoint: "\x9b\n" };
  const lines = statLines(view(0, {}), view(1_000, { ...nasty }, {}));
  const text = statText([
    { admin: "http://127.0.0.1:4191", name: "a\x1bb", error: null, lines },
    { admin: "http://127.0.0.1:1", name: null, error: "http://127.0.0.1:1: no\x1b", lines: [] },
  ]);
  assert.not.match(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  for (const line of text.split("\n")) assert.ok(line.length <= 120, line);
  assert.ok(text.includes("to web") && text.includes("sidecar"), text);
});

test("a name that the mesh certifies is shown without what all of them have", () => {
  const dns = "web.shop.serviceaccount.identity.outrigger.cluster.local";
  const lines = statLines(view(0), view(1_000, { peer: dns }));
  const text = statText([{ admin: "http://127.0.0.1:4191", name: null, error: null, lines }]);
  assert.match(text, /10\.0\.0\.1:80 web\.shop +[0-9]/);
});

test("what is no view is known", () => {
  assert.ok(isStatsView(view(0, {})));
  for (const bad of [null, {}, { ...view(0), rows: [{}] }, { ...view(0), bounds_ms: ["1"] }]) {
    assert.not(isStatsView(bad));
  }
});

test.run();
