/** The one way out: every request ends here, once, and all figures are computed from it. */
import type { Endpoint } from "../mesh/snapshot.ts";
import { LATENCY_BOUNDS_MS, SeriesField, STATUS_MIN } from "../shared/layout.ts";
import type { Context } from "./context.ts";

export type Outcome = {
  /** Label set; see metrics/series.ts. */
  readonly series: number;
  readonly endpoint: Endpoint | null;
  /** What the client was told; 0 when it was told nothing or was cut off in the middle. */
  readonly status: number;
  /** From dispatch to the first byte of the response, or to the failure. */
  readonly latencyUs: number;
};

/** By values, so that nothing is allocated for a request of which nobody is told. */
export function record(
  { counters }: Context,
  series: number,
  status: number,
  latencyUs: number,
): void {
  counters.addTo(series, SeriesField.requests, 1);
  if (status === 0) {
    counters.addTo(series, SeriesField.aborted, 1);
    return;
  }
  counters.addTo(series, SeriesField.statuses + status - STATUS_MIN, 1);
  counters.addTo(series, SeriesField.latencySumUs, Math.min(latencyUs, 0xffffffff));
  counters.addTo(series, SeriesField.latencyBuckets + bucketOf(latencyUs), 1);
}

/** Index of the first bound that is not below the latency; the last bucket is +Inf. */
function bucketOf(latencyUs: number): number {
  const ms = latencyUs / 1e3;
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS_MS.length && ms > (LATENCY_BOUNDS_MS[bucket] ?? 0)) bucket++;
  return bucket;
}

/** A connection opened towards an endpoint or from a client. */
export function recordOpen(context: Context, series: number): void {
  context.counters.addTo(series, SeriesField.tcpOpen, 1);
}

/** The same connection closed, with what went through it. */
export function recordClose(context: Context, series: number, read: number, written: number): void {
  const { counters } = context;
  counters.addTo(series, SeriesField.tcpClose, 1);
  addBytes(context, series, SeriesField.tcpReadBytes, read);
  addBytes(context, series, SeriesField.tcpWriteBytes, written);
}

/** Counters take less than 2^32 at a time. */
function addBytes(context: Context, series: number, field: number, bytes: number): void {
  const step = 0x7fffffff;
  let rest = bytes;
  for (; rest > step; rest -= step) context.counters.addTo(series, field, step);
  context.counters.addTo(series, field, rest);
}
