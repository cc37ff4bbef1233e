import * as assert from "uvu/assert";
import type { Snapshot } from "../../src/mesh/snapshot.ts";
import { COUNTER_NAMES, Counter } from "../../src/metrics/catalog.ts";
import { type ExpositionInput, renderMetrics } from "../../src/metrics/exposition.ts";
import { readProcessFigures } from "../../src/metrics/process-figures.ts";
import { OUTBOUND_SERIES, OVERFLOW_SERIES, SeriesRegistry } from "../../src/metrics/series.ts";
import { Counters } from "../../src/shared/counters.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import {
  DrainPhase,
  LATENCY_BOUNDS_MS,
  SERIES_MAX,
  SeriesField,
  STATUS_COUNT,
  STATUS_MIN,
  WorkerState,
} from "../../src/shared/layout.ts";
import { allocate, startDraining } from "../../src/shared/memory.ts";
import { WorkerRows } from "../../src/shared/worker-rows.ts";
import { type Family, parseMetrics, sampleOf } from "../support/prometheus.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("metrics/exposition");

const WORKERS = 3;
const EMPTY: Snapshot = { version: 1, services: [], aliases: [], inbound: null, clients: [] };

function desk(): ExpositionInput {
  const memory = allocate(WORKERS);
  const threads = Array.from({ length: WORKERS + 1 }, (_, thread) => new Counters(memory, thread));
  return {
    memory,
    threads,
    series: new SeriesRegistry(threads, () => 0),
    snapshot: EMPTY,
    endpointRows: new EndpointRows(memory),
    workerRows: new WorkerRows(memory),
    identity: null,
    control: null,
    process: { startTimeS: 1e9, cpuS: 1.5, residentBytes: 2 ** 27, openFds: 12 },
    version: "0.1.0",
    runtime: "bun 1.4.5",
  };
}

/** The labels of `web` at 10.0.0.1:80 as the text has them. */
const WEB = {
  direction: "outbound",
  authority: "web",
  target_addr: "10.0.0.1:80",
  target_ip: "10.0.0.1",
  target_port: "80",
  tls: "disabled",
};

function web(input: ExpositionInput): number {
  return input.series.allocate({ direction: "outbound", authority: "web", target: "10.0.0.1:80" });
}

function sum(families: Map<string, Family>, name: string): number {
  return (families.get(name)?.samples ?? []).reduce((total, { value }) => total + value, 0);
}

test("without traffic all counters are there at 0 and no label sets", () => {
  const families = parseMetrics(renderMetrics(desk()));
  for (const name of COUNTER_NAMES) assert.is(sampleOf(families, `outrigger_${name}_total`), 0);
  for (const name of ["request_total", "response_total", "response_latency_ms", "tcp_open_total"]) {
    assert.is(families.get(name)?.samples.length, 0);
  }
  assert.is(sampleOf(families, "process_start_time_seconds"), 1e9);
  assert.is(sampleOf(families, "process_resident_memory_bytes"), 2 ** 27);
  assert.is(sampleOf(families, "process_open_fds"), 12);
  assert.is(sampleOf(families, "proxy_build_info", { version: "0.1.0", runtime: "bun 1.4.5" }), 1);
});

test("what several threads counted is added up, and requests are their responses", () => {
  const random = seeded("exposition");
  const input = desk();
  const series = web(input);
  const statuses = new Map<number, number>();
  const buckets = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  let [requests, aborted, latencySumUs] = [0, 0, 0];
  for (let i = 0; i < 5_000; i++) {
    const thread = random.pick(input.threads);
    thread.addTo(series, SeriesField.requests, 1);
    requests += 1;
    if (random.chance(0.1)) {
      thread.addTo(series, SeriesField.aborted, 1);
      aborted += 1;
      continue;
    }
    const status = STATUS_MIN + random.below(STATUS_COUNT);
    const bucket = random.below(buckets.length);
    const latencyUs = random.below(1e6);
    thread.addTo(series, SeriesField.statuses + status - STATUS_MIN, 1);
    thread.addTo(series, SeriesField.latencyBuckets + bucket, 1);
    thread.addTo(series, SeriesField.latencySumUs, latencyUs);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    latencySumUs += latencyUs;
  }
  const families = parseMetrics(renderMetrics(input));
  assert.is(sampleOf(families, "request_total", WEB), requests);
  assert.is(sum(families, "response_total"), requests);
  for (const [status, count] of statuses) {
    const classification = status >= 500 ? "failure" : "success";
    const labels = { ...WEB, status_code: String(status), classification };
    assert.is(sampleOf(families, "response_total", labels), count);
  }
  const cut = { ...WEB, status_code: "", classification: "failure", error: "aborted" };
  assert.is(sampleOf(families, "response_total", cut), aborted);
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    below += count;
    const le = index < LATENCY_BOUNDS_MS.length ? String(LATENCY_BOUNDS_MS[index]) : "+Inf";
    assert.is(sampleOf(families, "response_latency_ms_bucket", { ...WEB, le }), below);
  }
  assert.is(sampleOf(families, "response_latency_ms_count", WEB), requests - aborted);
  assert.is(sampleOf(families, "response_latency_ms_sum", WEB), latencySumUs / 1e3);
});

test("connections are counted by direction and by side", () => {
  const input = desk();
  const series = web(input);
  for (const [index, number] of [OUTBOUND_SERIES, series].entries()) {
    for (const thread of input.threads) {
      thread.addTo(number, SeriesField.tcpOpen, 5);
      thread.addTo(number, SeriesField.tcpClose, 3);
      thread.addTo(number, SeriesField.tcpReadBytes, 2 ** 32 - 1);
      thread.addTo(number, SeriesField.tcpWriteBytes, index);
    }
  }
  const families = parseMetrics(renderMetrics(input));
  const src = { direction: "outbound", peer: "src", tls: "disabled" };
  const dst = { ...WEB, peer: "dst" };
  for (const labels of [src, dst]) {
    assert.is(sampleOf(families, "tcp_open_total", labels), 20);
    assert.is(sampleOf(families, "tcp_close_total", labels), 12);
    assert.is(sampleOf(families, "tcp_open_connections", labels), 8);
    assert.is(sampleOf(families, "tcp_read_bytes_total", labels), 4 * (2 ** 32 - 1));
  }
  assert.is(sampleOf(families, "tcp_write_bytes_total", dst), 4);
  assert.is(families.get("request_total")?.samples.length, 0);
});

test("named counters are added up", () => {
  const input = desk();
  for (const [index, name] of COUNTER_NAMES.entries()) {
    for (const thread of input.threads) thread.add(Counter[name], index);
  }
  const families = parseMetrics(renderMetrics(input));
  for (const [index, name] of COUNTER_NAMES.entries()) {
    assert.is(sampleOf(families, `outrigger_${name}_total`), index * (WORKERS + 1));
  }
});

test("no label value can break the text", () => {
  const values = [
    '"',
    "\\",
    "\n",
    '\\"',
    "}",
    '"} 1',
    "é",
    "{a\rb",
    "\u001b[2J\u0085\u2028",
    "x".repeat(65_536),
  ];
  const input = desk();
  for (const value of values) {
    const series = input.series.allocate({ direction: "inbound", authority: value, target: value });
    input.threads[0]?.addTo(series, SeriesField.requests, 1);
  }
  const samples = parseMetrics(renderMetrics(input)).get("request_total")?.samples ?? [];
  assert.equal(
    samples.map(({ labels }) => labels["authority"]),
    [...values.slice(0, 7), "{a\ufffdb", "\ufffd[2J\ufffd\ufffd", "x".repeat(253)],
  );
});

test("values that would look the same are the same", () => {
  const input = desk();
  for (const value of ["a\r", "a\0", "a\ud800", "a\ufffd"]) {
    const series = input.series.allocate({ direction: "inbound", authority: value, target: "" });
    input.threads[0]?.addTo(series, SeriesField.requests, 1);
  }
  const families = parseMetrics(renderMetrics(input));
  const labels = { direction: "inbound", authority: "a\ufffd", tls: "disabled" };
  assert.is(sampleOf(families, "request_total", labels), 4);
});

test("IPv6 targets and the overflow have their labels", () => {
  const input = desk();
  const series = input.series.allocate({
    direction: "inbound",
    authority: "app",
    target: "[::1]:80",
  });
  for (const number of [series, OVERFLOW_SERIES]) {
    input.threads[1]?.addTo(number, SeriesField.requests, 1);
  }
  const families = parseMetrics(renderMetrics(input));
  const target = { target_addr: "[::1]:80", target_ip: "::1", target_port: "80" };
  const app = { direction: "inbound", authority: "app", ...target, tls: "disabled" };
  assert.is(sampleOf(families, "request_total", app), 1);
  const other = { direction: "outbound", authority: "other", tls: "disabled" };
  assert.is(sampleOf(families, "request_total", other), 1);
});

test("endpoints and workers are shown as they are", () => {
  const input = desk();
  const ip = Uint8Array.of(10, 0, 0, 1);
  const endpoint = { row: 7, series: 2, ip, port: 80, speaks: "any", peer: null } as const;
  const twice = {
    name: "web",
    series: 2,
    endpoints: [endpoint, endpoint],
    failure: null,
    routes: [],
  };
  input.endpointRows.publishCost(7, 0, 2_500, 1);
  input.endpointRows.acquire(7, 0, 5);
  input.endpointRows.acquire(7, 2, 5);
  input.endpointRows.fail(7, 0, 100);
  input.endpointRows.moveCircuit(7, 0, 1);
  input.workerRows.set(1, "connections", 9);
  input.workerRows.set(1, "turnUs", 1_500);
  input.workerRows.set(1, "state", WorkerState.ready);
  startDraining(input.memory, DrainPhase.inbound);
  const snapshot = { version: 1, services: [twice], aliases: [], inbound: null, clients: [] };
  const families = parseMetrics(renderMetrics({ ...input, snapshot }));
  const { direction: _, tls: __, ...labels } = WEB;
  assert.is(sampleOf(families, "outrigger_endpoint_cost_seconds", labels), 0.0025);
  assert.is(sampleOf(families, "outrigger_endpoint_pending", labels), 2);
  assert.is(sampleOf(families, "outrigger_endpoint_failures", labels), 1);
  assert.is(sampleOf(families, "outrigger_endpoint_ejected", labels), 1);
  const pools = "outbound_http_balancer_endpoints";
  const { authority } = WEB;
  assert.is(sampleOf(families, pools, { authority, endpoint_state: "ready" }), 0);
  assert.is(sampleOf(families, pools, { authority, endpoint_state: "pending" }), 2);
  assert.is(sampleOf(families, "outrigger_worker_connections", { worker: "1" }), 9);
  assert.is(sampleOf(families, "outrigger_worker_turn_seconds", { worker: "1" }), 0.0015);
  assert.is(sampleOf(families, "outrigger_worker_state", { worker: "1", state: "ready" }), 1);
  assert.is(sampleOf(families, "outrigger_worker_state", { worker: "0", state: "ready" }), 0);
  assert.is(sampleOf(families, "outrigger_worker_state", { worker: "0", state: "empty" }), 1);
  assert.is(sampleOf(families, "outrigger_draining"), 1);
});

test("all series at once stay readable", () => {
  const input = desk();
  for (let i = 0; i < SERIES_MAX; i++) {
    const target = `10.0.${i >> 8}.${i & 255}:80`;
    const series = input.series.allocate({ direction: "outbound", authority: `s${i}`, target });
    for (const thread of input.threads) {
      thread.addTo(series, SeriesField.requests, 1);
      thread.addTo(series, SeriesField.statuses + 100, 1);
      thread.addTo(series, SeriesField.latencyBuckets, 1);
    }
  }
  const families = parseMetrics(renderMetrics(input));
  assert.is(sum(families, "request_total"), SERIES_MAX * (WORKERS + 1));
});

test("the figures of this process are sensible", () => {
  const figures = readProcessFigures();
  assert.ok(figures.residentBytes > 1e6, "resident");
  assert.ok(figures.openFds >= 3, "descriptors");
  assert.ok(figures.cpuS > 0, "processor time");
  assert.ok(Math.abs(figures.startTimeS - Date.now() / 1e3) < 600, "start");
});

test.run();
