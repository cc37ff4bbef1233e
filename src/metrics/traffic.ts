/** The families that are counted per label set, with Linkerd's names. */
import type { Counters } from "../shared/counters.ts";
import { LATENCY_BOUNDS_MS } from "../shared/layout.ts";
import {
  INBOUND_SERIES,
  INBOUND_TLS_SERIES,
  OUTBOUND_SERIES,
  type SeriesLabels,
  type SeriesRegistry,
} from "./series.ts";
import { FAILURE_STATUS_MIN, readFigures, type SeriesFigures } from "./series-figures.ts";
import { formatLabels, joinLabels, type MetricsText } from "./text.ts";

/** The clients' side of connections. */
const CLIENTS: ReadonlySet<number> = new Set([OUTBOUND_SERIES, INBOUND_SERIES, INBOUND_TLS_SERIES]);

type Figures = SeriesFigures & {
  readonly labels: string;
  /** `labels` with peer="src" or "dst". */
  readonly tcpLabels: string;
};

export function writeTraffic(
  text: MetricsText,
  threads: readonly Counters[],
  series: SeriesRegistry,
): void {
  const all = series.entries().map(([number, labels]) => collect(threads, number, labels));
  writeHttp(
    text,
    all.filter((figures) => figures.requests > 0),
  );
  writeTcp(
    text,
    all.filter((figures) => figures.tcpOpen > 0 || figures.tcpConnectFailures > 0),
  );
}

function collect(threads: readonly Counters[], number: number, labels: SeriesLabels): Figures {
  const { direction, ...rest } = describe(labels);
  const peer = CLIENTS.has(number) ? "src" : "dst";
  return {
    ...readFigures(threads, number),
    labels: joinLabels(direction, rest.target),
    tcpLabels: joinLabels(direction, formatLabels([["peer", peer]]), rest.target),
  };
}

/** Labels that say nothing are left out: to Prometheus, empty and absent are the same. */
function describe(labels: SeriesLabels): { direction: string; target: string } {
  const target: [string, string][] = [];
  if (labels.authority !== "") target.push(["authority", labels.authority]);
  if (labels.target !== "") target.push(...targetLabels(labels.target));
  target.push(["tls", labels.peer === undefined ? "disabled" : "true"]);
  if (labels.peer !== undefined && labels.peer !== "") {
    target.push([labels.direction === "inbound" ? "client_id" : "server_id", labels.peer]);
  }
  return {
    direction: formatLabels([["direction", labels.direction]]),
    target: formatLabels(target),
  };
}

/** Returns the three labels of `ip:port` or `[ip]:port`. */
export function targetLabels(target: string): [string, string][] {
  const colon = target.lastIndexOf(":");
  const host = colon === -1 ? target : target.slice(0, colon);
  return [
    ["target_addr", target],
    ["target_ip", host.replace(/^\[|\]$/g, "")],
    ["target_port", colon === -1 ? "" : target.slice(colon + 1)],
  ];
}

function writeHttp(text: MetricsText, all: readonly Figures[]): void {
  text.family("request_total", "counter", "Requests, each counted when it has ended.");
  for (const { labels, requests } of all) text.sample("request_total", labels, requests);

  text.family("response_total", "counter", "How requests ended; from status 500 on as failures.");
  for (const { labels, statuses, aborted } of all) {
    for (const [status, count] of statuses) {
      text.sample("response_total", joinLabels(labels, statusLabels(status)), count);
    }
    if (aborted > 0) text.sample("response_total", joinLabels(labels, ABORTED), aborted);
  }

  const latency = "response_latency_ms";
  text.family(latency, "histogram", "Milliseconds from dispatch to the response's first byte.");
  for (const { labels, buckets, latencySumUs } of all) {
    let count = 0;
    for (const [index, bucket] of buckets.entries()) {
      count += bucket;
      const bound = LATENCY_BOUNDS_MS[index];
      const le = formatLabels([["le", bound === undefined ? "+Inf" : String(bound)]]);
      text.sample(`${latency}_bucket`, joinLabels(labels, le), count);
    }
    text.sample(`${latency}_sum`, labels, latencySumUs / 1e3);
    text.sample(`${latency}_count`, labels, count);
  }
}

const ABORTED = formatLabels([
  ["status_code", ""],
  ["classification", "failure"],
  ["error", "aborted"],
]);

function statusLabels(status: number): string {
  return formatLabels([
    ["status_code", String(status)],
    ["classification", status >= FAILURE_STATUS_MIN ? "failure" : "success"],
  ]);
}

function writeTcp(text: MetricsText, all: readonly Figures[]): void {
  const write = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    of: (f: Figures) => number,
  ): void => {
    text.family(name, type, help);
    for (const figures of all) text.sample(name, figures.tcpLabels, of(figures));
  };
  write("tcp_open_total", "counter", "Connections opened.", (f) => f.tcpOpen);
  write("tcp_close_total", "counter", "Connections closed.", (f) => f.tcpClose);
  // Never negative: `tcpClose` was read first.
  write("tcp_open_connections", "gauge", "Connections open now.", (f) =>
    Math.max(0, f.tcpOpen - f.tcpClose),
  );
  write("tcp_read_bytes_total", "counter", "Bytes read from the peer.", (f) => f.tcpRead);
  write("tcp_write_bytes_total", "counter", "Bytes written to the peer.", (f) => f.tcpWrite);
  write(
    "outrigger_tcp_connect_failures_total",
    "counter",
    "Connections that could not be opened.",
    (f) => f.tcpConnectFailures,
  );
}
