/** What all threads counted for one label set, read once so that its parts agree. */
import { type Counters, sumSeries } from "../shared/counters.ts";
import { LATENCY_BOUNDS_MS, SeriesField, STATUS_COUNT, STATUS_MIN } from "../shared/layout.ts";

/** From here on a status counts as a failure. */
export const FAILURE_STATUS_MIN = 500;

export type SeriesFigures = {
  readonly requests: number;
  readonly aborted: number;
  readonly statuses: readonly (readonly [status: number, count: number])[];
  /** One per bound of LATENCY_BOUNDS_MS, then that of +Inf; not added up. */
  readonly buckets: readonly number[];
  readonly latencySumUs: number;
  readonly tcpOpen: number;
  readonly tcpClose: number;
  readonly tcpRead: number;
  readonly tcpWrite: number;
  readonly tcpConnectFailures: number;
};

/**
 * Threads go on counting meanwhile. What is counted last is read first: of what a request counts,
 * `requests` is the first and so read after the rest, and responses never outnumber requests.
 */
export function readFigures(threads: readonly Counters[], series: number): SeriesFigures {
  const get = (field: number): number => sumSeries(threads, series, field);
  const hasHttp = get(SeriesField.requests) > 0;
  const buckets = LATENCY_BOUNDS_MS.concat(Number.POSITIVE_INFINITY).map((_, index) =>
    hasHttp ? get(SeriesField.latencyBuckets + index) : 0,
  );
  const latencySumUs = get(SeriesField.latencySumUs);
  const statuses: [number, number][] = [];
  for (let index = 0; hasHttp && index < STATUS_COUNT; index++) {
    const count = get(SeriesField.statuses + index);
    if (count > 0) statuses.push([STATUS_MIN + index, count]);
  }
  const aborted = get(SeriesField.aborted);
  const tcpRead = get(SeriesField.tcpReadBytes);
  const tcpWrite = get(SeriesField.tcpWriteBytes);
  const tcpClose = get(SeriesField.tcpClose);
  return {
    requests: get(SeriesField.requests),
    aborted,
    statuses,
    buckets,
    latencySumUs,
    tcpOpen: get(SeriesField.tcpOpen),
    tcpClose,
    tcpRead,
    tcpWrite,
    tcpConnectFailures: get(SeriesField.tcpConnectFailures),
  };
}
