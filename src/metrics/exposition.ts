/** All metrics as Prometheus' text, read out of shared memory at the moment of the call. */
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Snapshot } from "../mesh/snapshot.ts";
import { type Counters, sumCounter } from "../shared/counters.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { WorkerState } from "../shared/layout.ts";
import { drainPhase, type Memory } from "../shared/memory.ts";
import type { WorkerRows } from "../shared/worker-rows.ts";
import { COUNTER_NAMES, Counter } from "./catalog.ts";
import { type ControlFigures, writeControl } from "./control-figures.ts";
import { type IdentityFigures, writeIdentity } from "./identity-figures.ts";
import type { ProcessFigures } from "./process-figures.ts";
import type { SeriesRegistry } from "./series.ts";
import { formatLabels, joinLabels, MetricsText } from "./text.ts";
import { targetLabels, writeTraffic } from "./traffic.ts";

export type ExpositionInput = {
  readonly memory: Memory;
  /** Of every thread, the acceptor's too. */
  readonly threads: readonly Counters[];
  readonly series: SeriesRegistry;
  readonly snapshot: Snapshot;
  readonly endpointRows: EndpointRows;
  readonly workerRows: WorkerRows;
  readonly process: ProcessFigures;
  /** null for a sidecar without an identity. */
  readonly identity: IdentityFigures | null;
  /** null for a sidecar without a control plane. */
  readonly control: ControlFigures | null;
  /** Of outrigger. */
  readonly version: string;
  /** `bun 1.2.3` or `deno 2.3.4`. */
  readonly runtime: string;
};

/** Returns the text to be served as METRICS_CONTENT_TYPE. Time and space grow with its length. */
export function renderMetrics(input: ExpositionInput): string {
  const text = new MetricsText();
  writeTraffic(text, input.threads, input.series);
  writeCounters(text, input.threads);
  writeEndpoints(text, input.snapshot, input.endpointRows);
  writeWorkers(text, input.workerRows);
  writeProcess(text, input);
  if (input.identity !== null) writeIdentity(text, input.identity);
  if (input.control !== null) writeControl(text, input.control);
  return text.finish();
}

function writeCounters(text: MetricsText, threads: readonly Counters[]): void {
  for (const name of COUNTER_NAMES) {
    const family = `outrigger_${name}_total`;
    text.family(family, "counter", `Events: ${name.replaceAll("_", " ")}.`);
    text.sample(family, "", sumCounter(threads, Counter[name]));
  }
}

function writeEndpoints(text: MetricsText, snapshot: Snapshot, rows: EndpointRows): void {
  // By labels: the same address twice in one service must not be the same sample twice.
  const all = new Map<string, number>();
  for (const service of snapshot.services) {
    for (const { ip, port, row } of service.endpoints) {
      const target = targetLabels(formatHostPort(formatIp(ip), port));
      all.set(formatLabels([["authority", service.name], ...target]), row);
    }
  }
  const write = (name: string, help: string, of: (row: number) => number): void => {
    text.family(name, "gauge", help);
    for (const [labels, row] of all) text.sample(name, labels, of(row));
  };
  write(
    "outrigger_endpoint_cost_seconds",
    "Peak-EWMA round trip when last measured; 0 before the first answer.",
    (row) => rows.costUs(row) / 1e6,
  );
  write("outrigger_endpoint_pending", "Requests in flight.", (row) => rows.pending(row));
  write("outrigger_endpoint_failures", "Connection failures in a row.", (row) =>
    rows.failures(row),
  );
  write(
    "outrigger_endpoint_ejected",
    "1 while the circuit breaker keeps requests from it.",
    (row) => (rows.isClosed(row) ? 0 : 1),
  );
  writePools(text, snapshot, rows);
}

/** As Linkerd has it: `pending` is an endpoint that is not sent requests now. */
function writePools(text: MetricsText, snapshot: Snapshot, rows: EndpointRows): void {
  const family = "outbound_http_balancer_endpoints";
  text.family(family, "gauge", "Endpoints that can be sent requests, and those that cannot now.");
  for (const { endpoints, name } of snapshot.services) {
    let ready = 0;
    for (const { row } of endpoints) if (rows.isClosed(row) && rows.failures(row) === 0) ready++;
    for (const [state, count] of [
      ["ready", ready],
      ["pending", endpoints.length - ready],
    ] as const) {
      const labels = formatLabels([
        ["authority", name],
        ["endpoint_state", state],
      ]);
      text.sample(family, labels, count);
    }
  }
}

function writeWorkers(text: MetricsText, rows: WorkerRows): void {
  const workers = Array.from({ length: rows.count }, (_, worker) => worker);
  const labelsOf = (worker: number): string => formatLabels([["worker", String(worker)]]);
  const write = (name: string, help: string, of: (worker: number) => number): void => {
    text.family(name, "gauge", help);
    for (const worker of workers) text.sample(name, labelsOf(worker), of(worker));
  };
  write("outrigger_worker_connections", "Client connections that the worker serves.", (worker) =>
    rows.get(worker, "connections"),
  );
  write(
    "outrigger_worker_turn_seconds",
    "Longest turn of the worker's loop within a second.",
    (worker) => rows.get(worker, "turnUs") / 1e6,
  );
  text.family("outrigger_worker_state", "gauge", "1 for the state that the worker is in.");
  for (const worker of workers) {
    const current = rows.get(worker, "state");
    for (const [state, value] of Object.entries(WorkerState)) {
      const labels = joinLabels(labelsOf(worker), formatLabels([["state", state]]));
      text.sample("outrigger_worker_state", labels, value === current ? 1 : 0);
    }
  }
}

function writeProcess(text: MetricsText, input: ExpositionInput): void {
  const { startTimeS, cpuS, residentBytes, openFds } = input.process;
  const gauge = (name: string, help: string, value: number): void => {
    text.family(name, "gauge", help);
    text.sample(name, "", value);
  };
  gauge("outrigger_draining", "1 while the process drains.", Math.min(drainPhase(input.memory), 1));
  gauge("process_start_time_seconds", "When the process started, since 1970.", startTimeS);
  gauge("process_resident_memory_bytes", "Memory in use.", residentBytes);
  gauge("process_open_fds", "Open file descriptors.", openFds);
  text.family("process_cpu_seconds_total", "counter", "Processor time, user and system.");
  text.sample("process_cpu_seconds_total", "", cpuS);
  text.family("proxy_build_info", "gauge", "What runs here; always 1.");
  const build = formatLabels([
    ["version", input.version],
    ["runtime", input.runtime],
  ]);
  text.sample("proxy_build_info", build, 1);
}
