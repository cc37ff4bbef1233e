/**
 * What `/stats` shows: everything that is counted per label set, as totals since the start. Who reads
 * it twice knows rates and quantiles of the time in between.
 */
import { type EndpointState, stateOf } from "../balancer/eligible.ts";
import type { Endpoint, Snapshot, Speaks } from "../mesh/snapshot.ts";
import {
  INBOUND_SERIES,
  INBOUND_TLS_SERIES,
  OUTBOUND_SERIES,
  OVERFLOW_SERIES,
  type SeriesLabels,
  type SeriesRegistry,
} from "../metrics/series.ts";
import { FAILURE_STATUS_MIN, readFigures } from "../metrics/series-figures.ts";
import type { Counters } from "../shared/counters.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { LATENCY_BOUNDS_MS } from "../shared/layout.ts";
import {
  type Check,
  hasFields,
  isBoolean,
  isNumber,
  isNumberOrNull,
  isText,
  isTextOrNull,
} from "./view-check.ts";

/** Totals. */
export type StatsFigures = {
  readonly requests: number;
  /** Answered with a status from 500 on, or cut off. */
  readonly failures: number;
  /** How often each status was answered, by its digits. */
  readonly statuses: Readonly<Record<string, number>>;
  /** One for each of `bounds_ms`, then one for what took longer; not added up. */
  readonly latency_buckets: readonly number[];
  readonly connections_opened: number;
  readonly connections_closed: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
};

export type StatsRow = StatsFigures & {
  readonly direction: "inbound" | "outbound";
  /** Empty for local clients as a whole, and for inbound traffic. */
  readonly service: string;
  /** `ip:port` of an endpoint; empty for what never got one. */
  readonly endpoint: string;
  /** By mutual TLS. */
  readonly mtls: boolean;
  /** Who the other end has proved to be, where that is told apart. */
  readonly peer: string | null;
  /** What the endpoint speaks; null where it is none. */
  readonly protocol: Speaks | null;
  /** `gone`: an endpoint that is not used any more. */
  readonly state: EndpointState | "gone" | null;
  /** Requests in flight; null where that is not counted. */
  readonly pending: number | null;
};

export type StatsView = {
  /** The service that the application is, as the sidecar was told. */
  readonly name: string | null;
  /** A monotonic clock, milliseconds. */
  readonly now_ms: number;
  /** Upper bounds of `latency_buckets`. */
  readonly bounds_ms: readonly number[];
  /** Open taps. */
  readonly taps: number;
  readonly rows: readonly StatsRow[];
};

export type StatsSource = {
  readonly name: string | null;
  readonly snapshot: Snapshot;
  readonly endpointRows: EndpointRows;
  readonly threads: readonly Counters[];
  readonly series: SeriesRegistry;
  readonly taps: number;
  /** Monotonic, the clock of the rows' stamps. */
  readonly nowMs: number;
};

export function statsView(source: StatsSource): StatsView {
  const { name, nowMs, series, snapshot, taps } = source;
  const bySeries = new Map<number, Endpoint>();
  for (const service of snapshot.services) {
    for (const endpoint of service.endpoints) bySeries.set(endpoint.series, endpoint);
  }
  const rows = series
    .entries()
    .map(([number, labels]) => rowOf(source, number, labels, bySeries.get(number) ?? null));
  return { name, now_ms: nowMs, bounds_ms: LATENCY_BOUNDS_MS, taps, rows };
}

function rowOf(
  { endpointRows, nowMs, threads }: StatsSource,
  number: number,
  labels: SeriesLabels,
  endpoint: Endpoint | null,
): StatsRow {
  const figures = readFigures(threads, number);
  const failed = figures.statuses.filter(([status]) => status >= FAILURE_STATUS_MIN);
  const isEndpoint = !NO_ENDPOINTS.has(number) && labels.target !== "";
  const state = endpoint === null ? "gone" : stateOf(endpointRows, endpoint.row, nowMs);
  return {
    direction: labels.direction,
    service: labels.authority,
    endpoint: labels.target,
    mtls: labels.peer !== undefined,
    peer: labels.peer === undefined || labels.peer === "" ? null : labels.peer,
    protocol: endpoint?.speaks ?? null,
    state: isEndpoint ? state : null,
    pending: endpoint === null ? null : endpointRows.pending(endpoint.row),
    requests: figures.requests,
    failures: failed.reduce((sum, [, count]) => sum + count, figures.aborted),
    statuses: Object.fromEntries(figures.statuses.map(([status, count]) => [status, count])),
    latency_buckets: figures.buckets,
    connections_opened: figures.tcpOpen,
    connections_closed: figures.tcpClose,
    read_bytes: figures.tcpRead,
    written_bytes: figures.tcpWrite,
  };
}

const NO_ENDPOINTS: ReadonlySet<number> = new Set([
  OUTBOUND_SERIES,
  INBOUND_SERIES,
  INBOUND_TLS_SERIES,
  OVERFLOW_SERIES,
]);

const isNumbers: Check = (value) => Array.isArray(value) && value.every(isNumber);

/** Says whether a JSON value is a view, with as many buckets as bounds ask for. */
export function isStatsView(value: unknown): value is StatsView {
  const isRow: Check = (row) =>
    hasFields(row, {
      direction: isText,
      service: isText,
      endpoint: isText,
      mtls: isBoolean,
      peer: isTextOrNull,
      protocol: isTextOrNull,
      state: isTextOrNull,
      pending: isNumberOrNull,
      requests: isNumber,
      failures: isNumber,
      latency_buckets: isNumbers,
      connections_opened: isNumber,
      connections_closed: isNumber,
      read_bytes: isNumber,
      written_bytes: isNumber,
    });
  return hasFields(value, {
    name: isTextOrNull,
    now_ms: isNumber,
    bounds_ms: isNumbers,
    taps: isNumber,
    rows: (rows) => Array.isArray(rows) && rows.every(isRow),
  });
}
