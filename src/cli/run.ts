/**
 * `outrigger run`: sockets first, so that what cannot be bound ends the program before anything
 * runs; then discovery, threads, the admin API; then it waits to be told to stop.
 */
import { availableParallelism } from "node:os";
import { adminApp } from "../admin/app.ts";
import { resolveHost } from "../discovery/dns.ts";
import { Registry } from "../discovery/registry.ts";
import { Logger } from "../lib/log.ts";
import { writeStderr } from "../lib/stderr.ts";
import { formatHostPort, formatIp, parseIp, type SocketAddress } from "../mesh/address.ts";
import type { ListenerKind, ListenerSpec, ThreadStart } from "../mesh/snapshot.ts";
import { SeriesRegistry } from "../metrics/series.ts";
import { Arena } from "../net/arena.ts";
import { Clock } from "../net/clock.ts";
import { listen, raiseDescriptorLimit } from "../net/listener.ts";
import { type HttpServer, runtime } from "../net/runtime.ts";
import { Counters } from "../shared/counters.ts";
import { WORKERS_MAX } from "../shared/layout.ts";
import { allocate, type Memory, startDraining } from "../shared/memory.ts";
import { adminDeps } from "./admin-deps.ts";
import type { HostPort, RunConfig } from "./config.ts";
import { Threads } from "./threads.ts";

/** Connections that the kernel completes before they are accepted. */
const BACKLOG = 4_096;
/** Two workers use a small host well; more are for who asks for them. */
const WORKERS_DEFAULT_MAX = 4;

/** Chunks of the main thread's arena: it only makes system calls with small arguments. */
const MAIN_CHUNKS = 1;

export type Sidecar = {
  /** Where it listens, `kind host:port` each, the admin API last. */
  readonly bound: readonly string[];
  readonly adminPort: number;
  /** Drains; resolves when nothing is left or the grace is over. */
  stop(): Promise<void>;
};

/** A reason to end before anything was started: one line for stderr. */
export class StartError extends Error {}

/** Starts a sidecar in this process. Throws StartError when it cannot. */
export async function startSidecar(config: RunConfig, log: Logger): Promise<Sidecar> {
  const arena = new Arena(MAIN_CHUNKS);
  const clock = new Clock(arena);
  raiseDescriptorLimit(arena);
  const listeners = await openListeners(arena, config);
  const memory = allocate(config.workers ?? defaultWorkers());
  const app = await applicationOf(config.app);
  const nowMs = (): number => clock.readMs();
  const counters = allCounters(memory);
  const series = new SeriesRegistry(counters, nowMs);
  const state = { isDraining: false, isReady: false };
  const registry = new Registry({
    memory,
    upstreams: config.upstreams,
    series,
    resolveHost,
    publish: (snapshot) => threads.publish(snapshot),
    acknowledged: () => threads.acknowledged(),
    nowMs,
    log,
  });
  let stopRequested: () => void = () => {};
  const adminServer = await openAdmin(config.admin, (request, peer) => admin.fetch(request, peer));
  const start = {
    memory: memory.words.buffer,
    listeners,
    app,
    opaquePorts: [...config.opaquePorts],
    detectTimeoutMs: config.detectTimeoutMs,
    ownPorts: [...listeners.map(({ port }) => port), adminServer.port],
  };
  const threads = new Threads({
    arena,
    memory,
    start,
    accessLog: config.accessLog !== "off",
    log,
    onResolve: (authority) => registry.want(authority),
    onAccess: (line) => writeStderr(`${line}\n`),
  });
  const bound = describeBound(listeners, formatHostPort(config.admin.host, adminServer.port));
  const admin = adminApp(
    adminDeps({
      memory,
      counters,
      series,
      registry,
      threads,
      config,
      log,
      bound,
      isReady: () => state.isReady && !state.isDraining,
      shutdown: () => stopRequested(),
      nowMs,
    }),
  );
  await registry.start();
  await threads.start(registry.snapshot());
  state.isReady = true;
  for (const line of bound) log.info(`listening: ${line}`);
  log.info("ready", { workers: memory.layout.workers, runtime: runtime.name });
  const stop = (): Promise<void> => {
    if (state.isDraining) return Promise.resolve();
    state.isDraining = true;
    return drain({ config, log, threads, memory, registry, adminServer });
  };
  stopRequested = () => process.kill(process.pid, "SIGTERM");
  return { bound, adminPort: adminServer.port, stop };
}

/** `kind host:port` of each listener, the admin API last. */
function describeBound(listeners: readonly ListenerSpec[], admin: string): string[] {
  const lines = listeners.map((l) => `${l.kind} ${formatHostPort(formatIp(l.ip), l.port)}`);
  return [...lines, `admin ${admin}`];
}

type Draining = {
  readonly config: RunConfig;
  readonly log: Logger;
  readonly threads: Threads;
  readonly memory: Memory;
  readonly registry: Registry;
  readonly adminServer: HttpServer;
};

/** Nothing new, then what is in flight, up to the grace; the admin API goes last. */
async function drain(running: Draining): Promise<void> {
  const { config, log, threads, memory } = running;
  log.info("draining", { graceMs: config.shutdownGraceMs });
  await threads.stopAccepting();
  startDraining(memory);
  threads.wakeAll();
  const isDrained = await within(threads.drained(), config.shutdownGraceMs);
  if (!isDrained) log.warn("the grace is over; what was still in flight is cut");
  running.registry.stop();
  await within(running.adminServer.close(), ADMIN_CLOSE_MS);
}

/** The admin API's own connections are not waited for longer. */
const ADMIN_CLOSE_MS = 500;

/** A launcher passes on what the whole group got too: two signals so close together are one. */
const SIGNAL_ECHO_MS = 300;

/** Runs a sidecar until SIGTERM or SIGINT; a second one ends it at once. */
export async function run(config: RunConfig): Promise<number> {
  const log = new Logger({ level: config.logLevel, format: config.logFormat });
  const sidecar = await startSidecar(config, log);
  await new Promise<void>((resolve) => {
    let firstMs = 0;
    const onSignal = (): void => {
      const nowMs = performance.now();
      if (firstMs === 0) firstMs = nowMs;
      else if (nowMs - firstMs > SIGNAL_ECHO_MS) process.exit(130);
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
  await sidecar.stop();
  return 0;
}

/** Resolves to whether `work` was over in time. */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isInTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isInTime;
}

/** Of every thread, the acceptor's last. */
function allCounters(memory: Memory): Counters[] {
  return Array.from({ length: memory.layout.threads }, (_, thread) => new Counters(memory, thread));
}

function defaultWorkers(): number {
  return Math.max(1, Math.min(availableParallelism(), WORKERS_DEFAULT_MAX, WORKERS_MAX));
}

async function openListeners(arena: Arena, config: RunConfig): Promise<ListenerSpec[]> {
  const wanted: { kind: ListenerKind; at: HostPort; flag: string; service: string | null }[] = [
    { kind: "inbound", at: config.inbound, flag: "--inbound", service: null },
    { kind: "outbound", at: config.outbound, flag: "--outbound", service: null },
    ...config.forwards.map((forward) => ({
      kind: "forward" as const,
      at: forward.listen,
      flag: "--forward",
      service: formatHostPort(forward.name, forward.port),
    })),
  ];
  const listeners: ListenerSpec[] = [];
  for (const { kind, at, flag, service } of wanted) {
    const address = await addressOf(at, flag);
    const opened = listen(arena, address, BACKLOG);
    if ("error" in opened) throw new StartError(`${flag}: ${opened.error}`);
    listeners.push({ kind, fd: opened.fd, ip: opened.ip, port: opened.port, service });
  }
  return listeners;
}

async function openAdmin(
  at: HostPort,
  fetch: (request: Request, peer: string) => Response | Promise<Response>,
): Promise<HttpServer> {
  try {
    return await runtime.serveHttp({ host: at.host, port: at.port, fetch });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new StartError(`--admin: ${formatHostPort(at.host, at.port)}: ${reason}`);
  }
}

async function applicationOf(app: RunConfig["app"]): Promise<ThreadStart["app"]> {
  return app === null ? null : { ...(await addressOf(app, "--app")), speaks: app.speaks };
}

async function addressOf(at: HostPort, flag: string): Promise<SocketAddress> {
  const ip = parseIp(at.host);
  if (ip !== null) return { ip, port: at.port };
  const [first] = await resolveHost(at.host).catch(() => []);
  if (first === undefined) throw new StartError(`${flag}: ${at.host} could not be resolved`);
  return { ip: first, port: at.port };
}
