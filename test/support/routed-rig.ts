/**
 * The data path with routes, which no flag can say: real threads (acceptor and a worker) in the test's
 * own process, listening on an outbound port, and a snapshot that the test publishes. Shared memory
 * tells what came of it.
 */
import type { BalancerName } from "../../src/balancer/tuning.ts";
import { Threads } from "../../src/cli/threads.ts";
import { Logger } from "../../src/lib/log.ts";
import { parseIp } from "../../src/mesh/address.ts";
import type { RetryPolicy, Route } from "../../src/mesh/policy.ts";
import type { Endpoint, ListenerSpec, Service, Speaks } from "../../src/mesh/snapshot.ts";
import { Counter, type CounterName } from "../../src/metrics/catalog.ts";
import { Arena, CHUNKS_MAX } from "../../src/net/arena.ts";
import { Clock } from "../../src/net/clock.ts";
import { listen } from "../../src/net/listener.ts";
import { Counters } from "../../src/shared/counters.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { DrainPhase, SeriesField, STATUS_MIN } from "../../src/shared/layout.ts";
import { allocate, startDraining } from "../../src/shared/memory.ts";
import { eventually } from "./eventually.ts";

/** Where a service's endpoint listens, what it speaks, and its weight. */
export type At = { readonly port: number; readonly speaks?: Speaks; readonly weight?: number };

export type ServiceSpec = {
  readonly name: string;
  readonly at: readonly At[];
  readonly routes?: readonly Route[];
  readonly failure?: Service["failure"];
};

export type RoutedRig = {
  readonly port: number;
  /** A listener whose connections go to the service `forwarded`. */
  readonly forwardPort: number;
  /** Has the worker route by these services and no others; returns when it does. */
  publish(services: readonly ServiceSpec[]): Promise<void>;
  count(name: CounterName): number;
  /** Requests recorded under a service's labels with this status; 0: cut off. */
  recorded(service: string, status: number): number;
  /** Requests in flight to all endpoints. */
  pending(): number;
  /** An endpoint's average round trip, microseconds. */
  costUs(port: number): number;
  /** An endpoint's share of failures, of FAILING_ONE. */
  failing(port: number): number;
  /** Milliseconds for which an endpoint is left alone because it asked for that. */
  heldMs(port: number): number;
  /** Returns when nothing is in flight. */
  idle(): Promise<void>;
  log(): string;
  /** Drains, over what is under way; rejects when a worker had a fault. */
  drain(): Promise<void>;
  /** The same once nothing is in flight any more; rejects when that does not come. */
  stop(): Promise<void>;
};

const LOOPBACK = parseIp("127.0.0.1") ?? new Uint8Array(4);
/** One for all rigs: its pages are never given back. */
const arena = new Arena(1);
const clock = new Clock(arena);

export function route(parts: Partial<Route> = {}): Route {
  const defaults = { requestTimeoutMs: 0, responseTimeoutMs: 0, retry: null };
  return { matches: [], backends: [], ...defaults, ...parts };
}

export function retry(limit: number, parts: Partial<RetryPolicy> = {}): RetryPolicy {
  const statuses = [{ from: 500, to: 599 }];
  return { limit, statuses, tryTimeoutMs: 0, backoffMinMs: 1, backoffMaxMs: 10, ...parts };
}

export async function startRouted(balancer: BalancerName = "ewma"): Promise<RoutedRig> {
  const memory = allocate(1);
  const rows = new EndpointRows(memory);
  const counters = new Counters(memory, 0);
  const outbound = open("outbound", null);
  const forward = open("forward", "forwarded");
  let text = "";
  const log = new Logger({
    level: "warn",
    format: "text",
    write: (line) => {
      text += line;
      return true;
    },
  });
  const threads = new Threads({
    arena,
    memory,
    start: {
      memory: memory.words.buffer,
      listeners: [outbound, forward],
      app: null,
      opaquePorts: [],
      detectTimeoutMs: 2_000,
      ownPorts: [outbound.port, forward.port],
      policy: { requiresIdentity: false, allowFrom: null },
    },
    chunks: CHUNKS_MAX,
    accessLog: false,
    balancer,
    log,
    onResolve: () => {},
    onAccess: () => {},
    onClient: () => {},
    onPort: () => {},
    onTap: () => {},
  });
  /** Rows and labels are given out once and stay with their endpoint and service. */
  const rowOf = numbers(0);
  const seriesOf = numbers(10);
  let version = 1;
  const snapshot = (services: readonly ServiceSpec[]) => ({
    version,
    aliases: [],
    inbound: null,
    clients: [],
    services: services.map(({ name, at, routes = [], failure = null }) => {
      const series = seriesOf(name);
      const endpoints = at.map(({ port, speaks = "http1", ...weight }): Endpoint => {
        return { row: rowOf(`${port}`), series, ip: LOOPBACK, port, speaks, peer: null, ...weight };
      });
      return { name, series, endpoints, failure, routes };
    }),
  });
  await threads.start(snapshot([]));
  const pending = (): number => {
    let sum = 0;
    for (let row = 0; row < 64; row++) sum += rows.pending(row);
    return sum;
  };
  const idle = async (): Promise<void> => {
    const isIdle = () => pending() === 0 && threads.rows.get(0, "inFlight") === 0;
    await eventually(isIdle, { withinMs: 4_000, what: "nothing in flight" });
  };
  const drain = async (): Promise<void> => {
    startDraining(memory, DrainPhase.all);
    threads.wakeAll();
    await threads.stopAccepting();
    threads.wakeAll();
    await threads.drained();
    if (counters.get(Counter.worker_faults) > 0 || text !== "") throw new Error(text);
  };
  return {
    port: outbound.port,
    forwardPort: forward.port,
    publish: async (services) => {
      version++;
      threads.publish(snapshot(services));
      await eventually(() => threads.acknowledged() === version);
    },
    count: (name) => counters.get(Counter[name]),
    recorded: (service, status) => {
      const field = status === 0 ? SeriesField.aborted : SeriesField.statuses + status - STATUS_MIN;
      return counters.getFrom(seriesOf(service), field);
    },
    pending,
    costUs: (port) => rows.costUs(rowOf(`${port}`)),
    failing: (port) => rows.failing(rowOf(`${port}`)),
    heldMs: (port) => Math.max(0, rows.heldMs(rowOf(`${port}`), clock.readMs())),
    idle,
    log: () => text,
    drain,
    stop: async () => {
      await idle();
      await drain();
    },
  };
}

function open(kind: ListenerSpec["kind"], service: string | null): ListenerSpec {
  const opened = listen(arena, { ip: LOOPBACK, port: 0 }, 512);
  if ("error" in opened) throw new Error(opened.error);
  return { kind, ...opened, service };
}

/** Gives each name a number of its own, from `first` on. */
function numbers(first: number): (name: string) => number {
  const given = new Map<string, number>();
  return (name) => {
    const number = given.get(name) ?? first + given.size;
    given.set(name, number);
    return number;
  };
}
