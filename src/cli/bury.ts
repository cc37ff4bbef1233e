/** What is left of a worker whose thread is gone. */
import { giveBackTrials } from "../balancer/breaker.ts";
import { Counter } from "../metrics/catalog.ts";
import { libc } from "../net/libc.ts";
import { Counters } from "../shared/counters.ts";
import { DescriptorTable } from "../shared/descriptor-table.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import { ENDPOINTS_MAX, SERIES_MAX, SeriesField } from "../shared/layout.ts";
import type { Memory } from "../shared/memory.ts";
import type { WorkerRows } from "../shared/worker-rows.ts";

/**
 * Gives back all that a dead worker held. Its thread runs no more when this is called. `nowMs`: of
 * CLOCK_MONOTONIC, as workers have it.
 */
export function bury(memory: Memory, rows: WorkerRows, worker: number, nowMs: number): void {
  const pollFd = rows.fd(worker, "pollFd");
  for (const fd of new DescriptorTable(memory).reclaim(worker)) libc.close(fd);
  if (pollFd > 2) libc.close(pollFd);
  const endpoints = new EndpointRows(memory);
  endpoints.forget(worker);
  giveBackTrials(endpoints, ENDPOINTS_MAX, worker, nowMs);
  rows.clear(worker);
  // The dead one's counters have no other writer now: its connections are closed.
  const counters = new Counters(memory, worker);
  counters.add(Counter.worker_restarts, 1);
  for (let series = 0; series < SERIES_MAX; series++) {
    const open = counters.getFrom(series, SeriesField.tcpOpen);
    const left = open - counters.getFrom(series, SeriesField.tcpClose);
    if (left > 0) counters.addTo(series, SeriesField.tcpClose, left);
  }
}
