/** What `/endpoints` shows: every service with its endpoints and how they fare. */
import { type EndpointState, returnsInMs, stateOf } from "../balancer/eligible.ts";
import { decayedUs, elapsedMs } from "../balancer/peak-ewma.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Endpoint, Snapshot, Speaks } from "../mesh/snapshot.ts";
import { type Counters, sumSeries } from "../shared/counters.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { SeriesField } from "../shared/layout.ts";

export type EndpointView = {
  readonly address: string;
  /** Who must answer there, by mutual TLS; null: it is spoken to in plaintext. */
  readonly identity: string | null;
  readonly speaks: Speaks;
  /** Peak-EWMA round trip now, milliseconds; null before the first answer. */
  readonly cost_ms: number | null;
  readonly pending: number;
  /** Connection failures in a row. */
  readonly failures: number;
  readonly state: EndpointState;
  /** Milliseconds until one that is out of use is tried again; 0: it is in use, or is tried now. */
  readonly retry_in_ms: number;
  readonly requests: number;
  /** Of the requests to all endpoints that the service has now, 0 to 1. */
  readonly share: number;
};

export type ServiceView = {
  readonly name: string;
  readonly failure: string | null;
  /** To its endpoints, and those that failed before one was chosen. */
  readonly requests: number;
  readonly endpoints: readonly EndpointView[];
};

export type EndpointsView = { readonly services: readonly ServiceView[] };

export type EndpointsSource = {
  readonly snapshot: Snapshot;
  readonly endpointRows: EndpointRows;
  readonly threads: readonly Counters[];
  /** Monotonic, the clock of the rows' stamps. */
  readonly nowMs: number;
};

export function endpointsView(source: EndpointsSource): EndpointsView {
  const requestsOf = (series: number): number =>
    sumSeries(source.threads, series, SeriesField.requests);
  const services = source.snapshot.services.map((service): ServiceView => {
    const counts = service.endpoints.map(({ series }) => requestsOf(series));
    const total = counts.reduce((sum, count) => sum + count, 0);
    // Without endpoints, and where series ran out, numbers may be shared.
    const isApart = service.endpoints.every(({ series }) => series !== service.series);
    return {
      name: service.name,
      failure: service.failure,
      requests: total + (isApart ? requestsOf(service.series) : 0),
      endpoints: service.endpoints.map((endpoint, index) => {
        const requests = counts[index] ?? 0;
        return { ...describe(source, endpoint), requests, share: total > 0 ? requests / total : 0 };
      }),
    };
  });
  return { services };
}

function describe(
  { endpointRows, nowMs }: EndpointsSource,
  { ip, port, row, peer, speaks }: Endpoint,
): Omit<EndpointView, "requests" | "share"> {
  const costUs = endpointRows.costUs(row);
  const ageMs = elapsedMs(nowMs, endpointRows.stampMs(row));
  return {
    address: formatHostPort(formatIp(ip), port),
    identity: peer?.identity ?? null,
    speaks,
    cost_ms: costUs === 0 ? null : decayedUs(costUs, ageMs) / 1e3,
    pending: endpointRows.pending(row),
    failures: endpointRows.failures(row),
    state: stateOf(endpointRows, row, nowMs),
    retry_in_ms: Math.max(
      0,
      endpointRows.retryInMs(row, nowMs),
      returnsInMs(endpointRows, row, nowMs),
    ),
  };
}
