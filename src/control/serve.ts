/**
 * The control plane: an authority in a folder, a gRPC server in a thread of its own, and an admin
 * API. Everything is opened before anything is served, so a mistake ends the program with one line.
 */

import type { Logger } from "../lib/log.ts";
import { formatHostPort, formatIp, type HostPort, parseIp } from "../mesh/address.ts";
import { Arena } from "../net/arena.ts";
import { openHttp } from "../net/http-listener.ts";
import { type Listening, listen, raiseDescriptorLimit } from "../net/listener.ts";
import { OpenSslMissing } from "../net/openssl.ts";
import { runtime } from "../net/runtime.ts";
import { RpcServerHandle } from "../rpc/server-handle.ts";
import { controlAdmin } from "./admin.ts";
import { auditTrail } from "./authority/audit.ts";
import { Authority } from "./authority/authority.ts";
import { Certifier } from "./authority/certify.ts";
import { Fault } from "./authority/fault.ts";
import { Refusal } from "./authority/refusal.ts";
import { TokenCheck } from "./authority/token-check.ts";
import { Leaving } from "./feed.ts";
import { MeshService } from "./mesh-service.ts";
import { OwnCertificate } from "./own-certificate.ts";
import { methodsOf } from "./services.ts";
import { trustDomainFault, writeSettings } from "./settings.ts";

export type ControlConfig = {
  readonly dir: string;
  /** An IP address and a port; port 0 picks one. */
  readonly listen: HostPort;
  /** Where sidecars reach it; null: as it listens. */
  readonly advertise: HostPort | null;
  readonly admin: HostPort;
  readonly trustDomain: string;
  /** Of the certificates it issues. */
  readonly lifetimeMs: number;
  readonly logFormat: "text" | "json";
  readonly shutdownGraceMs: number;
  /** Its policy; null: `policy.yaml` in `dir`, if there is one. */
  readonly policyFile: string | null;
};

export type Control = {
  /** Where it listens: `control HOST:PORT`, `admin HOST:PORT`. */
  readonly bound: readonly string[];
  /** Why it is not ready, one line each; empty when it is. */
  reasons(): readonly string[];
  /** Whether the thread that serves still turns. */
  isTurning(): boolean;
  stop(): Promise<void>;
};

/** A reason not to start: one line for stderr. */
export class ControlError extends Error {}

const BACKLOG = 4_096;
const MAIN_CHUNKS = 1;
/** Connections that stay open after the grace are cut; the admin API's are not waited for at all. */
const ADMIN_CLOSE_MS = 500;

export async function startControl(config: ControlConfig, log: Logger): Promise<Control> {
  const arena = new Arena(MAIN_CHUNKS);
  raiseDescriptorLimit(arena);
  const wallMs = Date.now;
  const { dir, trustDomain } = config;
  const { authority, certifier } = await openAuthority(config, log);
  const own = new OwnCertificate({
    authority,
    trustDomain,
    wallMs,
    present: (credentials) => server.present(credentials),
    failed: (reason) =>
      log.error("the control plane's own certificate was not renewed", { reason }),
  });
  const opened = openListener(arena, config.listen);
  const credentials = await own.start();
  if (credentials instanceof Refusal) throw new ControlError(credentials.reason);
  const leaving = new Leaving();
  const meshService = await startMeshService(config, log, leaving);
  const { mesh } = meshService;
  const server = await startServer({
    arena,
    listenFds: [opened.fd],
    methods: methodsOf({ authority, certifier, wallMs, leaving, mesh }),
    credentials,
    onFault: (text) => log.error("the control plane's server failed", { text }),
  });
  void server.ended.then((reason) => {
    if (reason === null) return;
    // Nobody is served any more: better to end, and be started anew, than to look alive.
    log.error("the control plane's server ended", { reason });
    process.exit(1);
  });
  const admin = controlAdmin({
    authority,
    certifier,
    counts: () => server.counts,
    meshService,
    log,
  });
  const adminServer = await openHttp(config.admin, admin.fetch);
  if ("error" in adminServer) throw new ControlError(`--admin: ${adminServer.error}`);
  // Tokens that are made from now on name it: not before there is somebody.
  const address = advertised(config, opened.port);
  orThrow(await writeSettings(dir, trustDomain, address));
  authority.start();
  const bound = [
    `control ${formatHostPort(formatIp(opened.ip), opened.port)}`,
    `admin ${formatHostPort(config.admin.host, adminServer.port)}`,
  ];
  for (const line of bound) log.info(`listening: ${line}`);
  log.info("ready", { address, trustDomain, runtime: runtime.name });
  return {
    bound,
    reasons: () => [admin.fault()].filter((fault) => fault !== null),
    isTurning: () => server.isTurning(),
    stop: async () => {
      admin.drain();
      leaving.begin();
      own.stop();
      authority.close();
      // That streams end now is not their sidecars' doing.
      meshService.freeze();
      await server.stop(config.shutdownGraceMs);
      await meshService.stop();
      const late = new Promise<void>((resolve) => setTimeout(resolve, ADMIN_CLOSE_MS).unref());
      await Promise.race([adminServer.close(), late]);
    },
  };
}

async function openAuthority(
  { dir, lifetimeMs, logFormat, trustDomain }: ControlConfig,
  log: Logger,
): Promise<{ readonly authority: Authority; readonly certifier: Certifier }> {
  const audit = auditTrail(logFormat);
  const onFault = (fault: Fault | null): void => {
    if (fault === null) log.info("the authority's folder is in order again");
    else log.error("the authority goes on with what it had", { reason: fault.reason });
  };
  const nowMs = Date.now;
  const authority = orThrow(await Authority.open({ dir, lifetimeMs, nowMs, audit, onFault }));
  orThrow(trustDomainFault(dir, trustDomain));
  const tokens = new TokenCheck(dir, onFault);
  return { authority, certifier: new Certifier({ authority, tokens, trustDomain, audit }) };
}

async function startMeshService(
  { dir, policyFile, trustDomain }: ControlConfig,
  log: Logger,
  leaving: Leaving,
): Promise<MeshService> {
  const options = { dir, policyFile, trustDomain, log, wallMs: Date.now, leaving };
  const started = await MeshService.start(options);
  if ("refused" in started) throw new ControlError(started.refused);
  return started;
}

function openListener(arena: Arena, { host, port }: HostPort): Listening {
  const ip = parseIp(host);
  if (ip === null) throw new ControlError(`--listen: ${host} is no address`);
  const opened = listen(arena, { ip, port }, BACKLOG);
  if ("error" in opened) throw new ControlError(`--listen: ${opened.error}`);
  return opened;
}

function orThrow<T>(value: T | Fault): T {
  if (value instanceof Fault) throw new ControlError(value.reason);
  return value;
}

async function startServer(
  options: Parameters<typeof RpcServerHandle.start>[0],
): Promise<RpcServerHandle> {
  try {
    return await RpcServerHandle.start(options);
  } catch (error) {
    if (error instanceof OpenSslMissing) throw new ControlError(error.message);
    throw new ControlError(error instanceof Error ? error.message : String(error));
  }
}

/** `0.0.0.0` is no address to reach it at; on one machine loopback is. */
function advertised({ advertise, listen: { host } }: ControlConfig, port: number): string {
  if (advertise !== null) return formatHostPort(advertise.host, advertise.port);
  const isAny = host === "0.0.0.0" || host === "::";
  return formatHostPort(isAny ? "127.0.0.1" : host, port);
}
