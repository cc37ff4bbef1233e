/**
 * `outrigger run`: sockets first, so that what cannot be bound ends the program before anything
 * runs; then discovery, threads, the admin API; then it waits to be told to stop.
 */
import { adminApp } from "../admin/app.ts";
import { Taps } from "../admin/taps.ts";
import { resolveHost } from "../discovery/dns.ts";
import { Registry } from "../discovery/registry.ts";
import { assert } from "../lib/assert.ts";
import { Logger } from "../lib/log.ts";
import { StateFolder } from "../lib/state-folder.ts";
import { writeStderr } from "../lib/stderr.ts";
import { formatHostPort, formatIp, isUnspecifiedIp } from "../mesh/address.ts";
import type { ListenerSpec, ThreadStart } from "../mesh/snapshot.ts";
import { SeriesRegistry } from "../metrics/series.ts";
import { Arena } from "../net/arena.ts";
import { Clock } from "../net/clock.ts";
import { raiseDescriptorLimit } from "../net/listener.ts";
import { runtime } from "../net/runtime.ts";
import { Counters } from "../shared/counters.ts";
import { allocate, type Memory } from "../shared/memory.ts";
import { adminDeps } from "./admin-deps.ts";
import type { RunConfig } from "./config.ts";
import { Drain } from "./drain.ts";
import { applicationOf, openAdmin, openListeners } from "./listeners.ts";
import type { MemberOptions, MeshMember } from "./mesh-member.ts";
import { openNotices } from "./open-notices.ts";
import { type Share, shareOf } from "./share.ts";
import type { IdentityOptions, SidecarIdentity } from "./start-identity.ts";
import { Threads } from "./threads.ts";
import { untilSignal } from "./until-signal.ts";

/** For a person's eyes, and while it starts only. */
const READY_LOOK_MS = 50;
/** A certificate and a policy from a control plane that is there come sooner. */
const READY_SOON_MS = 500;

/** Chunks of the main thread's arena: it only makes system calls with small arguments. */
const MAIN_CHUNKS = 1;

export type Sidecar = {
  /** Where it listens, `kind host:port` each, the admin API last. */
  readonly bound: readonly string[];
  readonly adminPort: number;
  /** Where the application reaches others, `http://HOST:PORT`. */
  readonly outboundUrl: string;
  /** Why it is not ready, one line each; empty when it is. */
  reasons(): readonly string[];
  /** Whether every worker's loop turns, or has ended when it was to. */
  isTurning(): boolean;
  /** Finishes what goes to the application; what comes from it goes on. At most `maxMs`. */
  drainInbound(maxMs: number): Promise<void>;
  /** Drains; resolves when nothing is left or the grace, or `maxMs`, is over. */
  stop(maxMs?: number): Promise<void>;
};

/**
 * Starts a sidecar in this process; `onDrain` is called when it begins to end. Throws StartError when
 * it cannot.
 */
export async function startSidecar(
  config: RunConfig,
  log: Logger,
  onDrain: () => void = () => {},
): Promise<Sidecar> {
  const ground = await prepare(config, log);
  const { arena, identity, listeners, member, memory, counters, series, nowMs } = ground;
  let isStarted = false;
  const registry = new Registry({
    memory,
    counters,
    upstreams: config.upstreams,
    series,
    resolveHost,
    mesh: member === null ? null : (deps) => member.mesh(deps),
    publish: (snapshot) => threads.publish(snapshot),
    acknowledged: () => threads.acknowledged(),
    nowMs,
    log,
  });
  let stopRequested: () => void = () => {};
  const adminServer = await openAdmin(config, (request, peer) => admin.fetch(request, peer));
  const taps = new Taps((orders) => threads.tap(orders), nowMs);
  const threads = new Threads({
    arena,
    memory,
    chunks: ground.share.chunks,
    start: threadStart(config, ground, adminServer.port),
    balancer: config.balancer,
    accessLog: config.accessLog !== "off",
    log,
    onResolve: (authority) => registry.want(authority),
    onAccess: (line) => writeStderr(`${line}\n`),
    onPort: (port) => registry.wantPort(port),
    onClient: (name) => registry.meet(name),
    onTap: (batch, onRead) => taps.take(batch, onRead),
  });
  const bound = describeBound(listeners, formatHostPort(config.admin.host, adminServer.port));
  const parts = { ...ground, registry, threads, taps, log };
  const drain = new Drain({ ...parts, adminServer, onBegin: onDrain });
  const deps = adminDeps({
    ...parts,
    config,
    bound,
    isReady: () => isStarted && !drain.isBegun,
    shutdown: () => stopRequested(),
  });
  const admin = adminApp(deps);
  identity?.deliverTo((credentials) => threads.use(credentials));
  await registry.start();
  await threads.start(registry.snapshot());
  member?.start(registry);
  isStarted = true;
  runtime.forgetLoading();
  for (const line of bound) log.info(`listening: ${line}`);
  const about = { workers: memory.layout.workers, runtime: runtime.name };
  tellReady({ reasons: () => deps.isReady().reasons, isOver: () => drain.isBegun, about, log });
  stopRequested = () => process.kill(process.pid, "SIGTERM");
  return {
    bound,
    adminPort: adminServer.port,
    outboundUrl: outboundUrl(listeners),
    reasons: () => deps.isReady().reasons,
    isTurning: () => threads.isTurning(nowMs()),
    drainInbound: (maxMs) => drain.inbound(maxMs),
    stop: (maxMs = config.shutdownGraceMs) => drain.all(maxMs),
  };
}

type Readying = {
  readonly reasons: () => readonly string[];
  readonly isOver: () => boolean;
  readonly about: Readonly<Record<string, string | number>>;
  readonly log: Logger;
};

/** Logs that the sidecar is ready once it is, and before that, if it takes a while, why it is not. */
function tellReady(readying: Readying, waitedMs = 0): void {
  const { about, isOver, log, reasons } = readying;
  if (isOver()) return;
  const missing = reasons();
  if (missing.length === 0) return log.info("ready", about);
  if (waitedMs === READY_SOON_MS) log.warn("not ready yet", { reason: missing.join("; ") });
  setTimeout(() => tellReady(readying, waitedMs + READY_LOOK_MS), READY_LOOK_MS);
}

/** What a sidecar stands on, made or opened before any of it runs. */
type Ground = {
  readonly arena: Arena;
  readonly nowMs: () => number;
  readonly folder: StateFolder;
  readonly identity: SidecarIdentity | null;
  readonly listeners: readonly ListenerSpec[];
  readonly app: ThreadStart["app"];
  readonly member: MeshMember | null;
  readonly share: Share;
  readonly memory: Memory;
  readonly counters: Counters[];
  readonly series: SeriesRegistry;
};

/** First who we are: what would let strangers in opens no listener. */
async function prepare(config: RunConfig, log: Logger): Promise<Ground> {
  const arena = new Arena(MAIN_CHUNKS);
  const clock = new Clock(arena);
  const nowMs = (): number => clock.readMs();
  raiseDescriptorLimit(arena);
  const folder = openState(config, log);
  const identity = await identityOf({ config, arena, log, nowMs, folder });
  const listeners = await openListeners(arena, config);
  const app = await applicationOf(config.app);
  const member = await memberOf({ config, folder, listeners, app, log }, identity);
  const share = shareOf(config.workers);
  if (share.problem !== null) log.warn("there is little memory", { reason: share.problem });
  const memory = allocate(share.workers);
  const counters = allCounters(memory);
  const series = new SeriesRegistry(counters, nowMs);
  return {
    arena,
    nowMs,
    folder,
    identity,
    listeners,
    app,
    member,
    share,
    memory,
    counters,
    series,
  };
}

function openState({ state }: RunConfig, log: Logger): StateFolder {
  if (state.problem !== null) {
    log.warn("nothing is kept across restarts", { reason: state.problem });
  }
  return StateFolder.open(state.dir, log);
}

/** What it takes is loaded only when it is needed: 8 MB on Bun. */
async function identityOf(options: IdentityOptions): Promise<SidecarIdentity | null> {
  const { dir, token } = options.config.identity;
  if (dir === null && token === null) return null;
  const { SidecarIdentity } = await import("./start-identity.ts");
  return await SidecarIdentity.start(options);
}

async function memberOf(
  options: Omit<MemberOptions, "link">,
  identity: SidecarIdentity | null,
): Promise<MeshMember | null> {
  const link = identity?.link ?? null;
  if (link === null) return null;
  const { MeshMember } = await import("./mesh-member.ts");
  return await MeshMember.create({ ...options, link });
}

function threadStart(
  config: RunConfig,
  { memory, listeners, app }: Ground,
  adminPort: number,
): ThreadStart {
  return {
    memory: memory.words.buffer,
    listeners,
    app,
    opaquePorts: [...config.opaquePorts],
    detectTimeoutMs: config.detectTimeoutMs,
    ownPorts: [...listeners.map(({ port }) => port), adminPort],
    policy: config.policy,
  };
}

/** For an application on this host, which reaches a listener on all addresses by loopback. */
function outboundUrl(listeners: readonly ListenerSpec[]): string {
  const found = listeners.find(({ kind }) => kind === "outbound");
  assert(found !== undefined, "there is an outbound listener");
  const { ip, port } = found;
  const loopback = ip.length === 4 ? "127.0.0.1" : "::1";
  const host = isUnspecifiedIp(ip) ? loopback : formatIp(ip);
  return `http://${formatHostPort(host, port)}`;
}

/** `kind host:port` of each listener, the admin API last. */
function describeBound(listeners: readonly ListenerSpec[], admin: string): string[] {
  const lines = listeners.map((l) => `${l.kind} ${formatHostPort(formatIp(l.ip), l.port)}`);
  return [...lines, `admin ${admin}`];
}

/**
 * Runs a sidecar until SIGTERM or SIGINT, or beside a command until that ends; a second signal ends
 * it at once. Returns the status to exit with.
 */
export async function run(config: RunConfig): Promise<number> {
  const log = new Logger({ level: config.logLevel, format: config.logFormat });
  const { command, shutdownGraceMs: graceMs } = config;
  const commands = command === null ? null : await import("./run-command.ts");
  // Whoever reads that it is ready may send the signal at once.
  const asked = untilSignal();
  const notices = await openNotices({ env: process.env, log, drainMs: graceMs });
  const sidecar = await startSidecar(config, log, () => notices?.drain());
  notices?.begin(sidecar);
  if (command !== null && commands !== null) {
    return await commands.runCommand({ command, graceMs, sidecar, log, asked });
  }
  await asked;
  await sidecar.stop();
  return 0;
}

/** Of every thread, the acceptor's last. */
function allCounters(memory: Memory): Counters[] {
  return Array.from({ length: memory.layout.threads }, (_, thread) => new Counters(memory, thread));
}
