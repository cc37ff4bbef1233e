/** What the admin API sees of the running sidecar: values and functions, nothing of the data path. */
import type { AdminDeps } from "../admin/app.ts";
import { controlNotes } from "../admin/control-notes.ts";
import { endpointsView } from "../admin/endpoints-view.ts";
import { identityView } from "../admin/identity-view.ts";
import { statsView } from "../admin/stats-view.ts";
import type { Taps } from "../admin/taps.ts";
import type { Registry } from "../discovery/registry.ts";
import type { Logger } from "../lib/log.ts";
import { renderMetrics } from "../metrics/exposition.ts";
import { readProcessFigures } from "../metrics/process-figures.ts";
import type { SeriesRegistry } from "../metrics/series.ts";
import { runtime } from "../net/runtime.ts";
import type { Counters } from "../shared/counters.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import type { Memory } from "../shared/memory.ts";
import { Fault } from "../worker/faults.ts";
import type { RunConfig } from "./config.ts";
import type { MeshMember } from "./mesh-member.ts";
import type { SidecarIdentity } from "./start-identity.ts";
import type { Threads } from "./threads.ts";
import { VERSION } from "./version.ts";

export type Running = {
  readonly memory: Memory;
  readonly counters: readonly Counters[];
  readonly series: SeriesRegistry;
  readonly registry: Registry;
  readonly threads: Threads;
  readonly config: RunConfig;
  readonly log: Logger;
  /** `kind host:port` of each listener. */
  readonly bound: readonly string[];
  readonly identity: SidecarIdentity | null;
  readonly member: MeshMember | null;
  readonly taps: Taps;
  readonly isReady: () => boolean;
  readonly shutdown: () => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
};

export function adminDeps(running: Running): AdminDeps {
  const { memory, counters, series, registry, threads, config, log, identity } = running;
  const endpointRows = new EndpointRows(memory);
  return {
    isReady: () => {
      const isServing = running.isReady() && threads.ready() > 0;
      const isKnown = identity === null || identity.isReady;
      const reasons: string[] = [];
      if (!isServing) reasons.push("starting, draining, or without a worker");
      if (!isKnown) {
        const why = identity?.source.status.lastError ?? null;
        reasons.push(`without a valid certificate${why === null ? "" : `: ${why}`}`);
      }
      if (!registry.isPolicyKnown) reasons.push("without the policy of the application's port");
      return { ready: reasons.length === 0, reasons };
    },
    notes: () => controlNotes(running.member?.figures ?? null),
    metrics: () =>
      renderMetrics({
        memory,
        threads: counters,
        series,
        snapshot: registry.snapshot(),
        endpointRows,
        workerRows: threads.rows,
        process: readProcessFigures(),
        identity: identity?.source.status ?? null,
        control: running.member?.figures ?? null,
        version: VERSION,
        runtime: `${runtime.name} ${runtime.version}`,
      }),
    endpoints: () =>
      endpointsView({
        snapshot: registry.snapshot(),
        endpointRows,
        threads: counters,
        nowMs: running.nowMs(),
      }),
    stats: () =>
      statsView({
        name: config.name,
        snapshot: registry.snapshot(),
        endpointRows,
        threads: counters,
        series,
        taps: running.taps.count,
        nowMs: running.nowMs(),
      }),
    taps: running.taps,
    config: () => shownConfig(config),
    identity: () => identityView(identity?.source.status ?? null, Date.now()),
    logLevel: () => log.level,
    setLogLevel: (level) => {
      log.level = level;
    },
    shutdown: running.shutdown,
    boundPorts: () =>
      running.bound.map((line) => {
        const [name = "", address = ""] = line.split(" ");
        return { name, address };
      }),
    ...(process.env["OUTRIGGER_FAULTS"] === "1"
      ? { fault: (worker: number, kind: string) => stageFault(threads, worker, kind) }
      : {}),
    log,
  };
}

/** All but the token, which is a secret. */
function shownConfig(config: RunConfig): object {
  const { token, ...identity } = config.identity;
  return {
    ...config,
    identity: { ...identity, token: token === null ? null : "(not shown)" },
    opaquePorts: [...config.opaquePorts],
    version: VERSION,
  };
}

function stageFault(threads: Threads, worker: number, kind: string): boolean {
  const fault = Object.entries(Fault).find(([name]) => name === kind)?.[1] ?? Fault.none;
  if (fault === Fault.none || worker < 0 || worker >= threads.rows.count) return false;
  threads.rows.set(worker, "fault", fault);
  threads.wakeAll();
  return true;
}
