/** From two readings of `/stats` to what happened in between. Pure. */
import type { StatsRow, StatsView } from "../admin/stats-view.ts";

export type StatLine = {
  /** A service is the sum of its endpoints; `local` are the clients on the sidecar's own side. */
  readonly kind: "service" | "endpoint" | "client" | "local";
  readonly service: string;
  readonly endpoint: string;
  readonly peer: string | null;
  readonly mtls: boolean;
  readonly protocol: string | null;
  readonly state: string | null;
  readonly requests_per_s: number;
  /** 0 to 1; null without a request. */
  readonly success: number | null;
  /** Milliseconds, as exactly as the buckets tell; null without an answer. */
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  /** Open now. */
  readonly connections: number;
  /** Requests in flight now; null where that is not counted. */
  readonly pending: number | null;
};

/** What a window adds up to. */
type Sum = {
  requests: number;
  failures: number;
  readonly buckets: number[];
  connections: number;
  pending: number | null;
};

/** Lines of the time from `before` to `after`; what was never used is left out. */
export function statLines(before: StatsView, after: StatsView): readonly StatLine[] {
  const seconds = Math.max(after.now_ms - before.now_ms, 1) / 1e3;
  const known = new Map(before.rows.map((row) => [keyOf(row), row]));
  const lineOf = lineMaker(seconds, after.bounds_ms);
  const lines: StatLine[] = [];
  const services = new Map<string, StatsRow[]>();
  for (const row of after.rows) {
    if (row.service === "") {
      if (row.requests === 0 && row.connections_opened === 0) continue;
      const sum = sumOf([row], known, after.bounds_ms.length);
      lines.push(lineOf(row.direction === "inbound" ? "client" : "local", row, sum));
    } else services.set(row.service, [...(services.get(row.service) ?? []), row]);
  }
  for (const [service, rows] of services) {
    const endpoints = rows.filter((row) => row.endpoint !== "");
    if (endpoints.length === 0 && rows.every(({ requests }) => requests === 0)) continue;
    const live = endpoints.filter((row) => row.state !== "gone");
    const shown = { ...summary(live), service };
    lines.push(lineOf("service", shown, sumOf(rows, known, after.bounds_ms.length)));
    for (const row of endpoints) {
      const sum = sumOf([row], known, after.bounds_ms.length);
      if (row.state === "gone" && sum.requests === 0 && sum.connections === 0) continue;
      lines.push(lineOf("endpoint", row, sum));
    }
  }
  return lines;
}

type Shown = Pick<StatsRow, "service" | "endpoint" | "peer" | "mtls"> & {
  readonly protocol: string | null;
  readonly state: string | null;
};

/** What all endpoints of a service have in common. */
function summary(endpoints: readonly StatsRow[]): Shown {
  const [first] = endpoints;
  const same = <T>(of: (row: StatsRow) => T): boolean =>
    first !== undefined && endpoints.every((row) => of(row) === of(first));
  const out = endpoints.find(({ state }) => state !== "ok")?.state ?? null;
  const isAll = endpoints.every(({ state }) => state !== "ok");
  return {
    service: "",
    endpoint: "",
    peer: null,
    mtls: endpoints.length > 0 && endpoints.every(({ mtls }) => mtls),
    protocol: same(({ protocol }) => protocol) ? (first?.protocol ?? null) : null,
    state: first === undefined ? "no endpoints" : isAll ? out : "ok",
  };
}

function sumOf(
  rows: readonly StatsRow[],
  known: ReadonlyMap<string, StatsRow>,
  bounds: number,
): Sum {
  const sum: Sum = {
    requests: 0,
    failures: 0,
    buckets: new Array<number>(bounds + 1).fill(0),
    connections: 0,
    pending: null,
  };
  for (const row of rows) {
    const former = known.get(keyOf(row));
    // Less than before: it was started anew, or its labels' number was.
    const start = former !== undefined && former.requests <= row.requests ? former : null;
    sum.requests += row.requests - (start?.requests ?? 0);
    sum.failures += Math.max(0, row.failures - (start?.failures ?? 0));
    for (const [index, count] of sum.buckets.entries()) {
      const added = (row.latency_buckets[index] ?? 0) - (start?.latency_buckets[index] ?? 0);
      sum.buckets[index] = count + Math.max(0, added);
    }
    sum.connections += Math.max(0, row.connections_opened - row.connections_closed);
    if (row.pending !== null) sum.pending = (sum.pending ?? 0) + row.pending;
  }
  return sum;
}

function lineMaker(seconds: number, bounds: readonly number[]) {
  return (kind: StatLine["kind"], shown: Shown, sum: Sum): StatLine => ({
    kind,
    service: shown.service,
    endpoint: shown.endpoint,
    peer: shown.peer,
    mtls: shown.mtls,
    protocol: shown.protocol,
    state: shown.state,
    requests_per_s: sum.requests / seconds,
    // What was counted between two reads of one series may be a failure without its request.
    success: sum.requests === 0 ? null : Math.max(0, 1 - sum.failures / sum.requests),
    p50_ms: quantile(sum.buckets, bounds, 0.5),
    p95_ms: quantile(sum.buckets, bounds, 0.95),
    p99_ms: quantile(sum.buckets, bounds, 0.99),
    connections: sum.connections,
    pending: sum.pending,
  });
}

/**
 * Prometheus' histogram_quantile: as if what is in a bucket lay evenly between its bounds. What is
 * above the last bound counts as that. Null of nothing.
 */
export function quantile(
  buckets: readonly number[],
  bounds: readonly number[],
  q: number,
): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    const upper = bounds[index];
    if (upper === undefined) break;
    if (count > 0 && below + count >= q * total) {
      const lower = bounds[index - 1] ?? 0;
      return lower + ((upper - lower) * Math.max(0, q * total - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

/** Not joined by a character: a name could hold any. */
function keyOf({ direction, endpoint, mtls, peer, service }: StatsRow): string {
  return JSON.stringify([direction, service, endpoint, mtls, peer]);
}
