/**
 * The sockets that a sidecar listens on. All are bound before anything runs, so that what cannot be
 * had ends the program with one line.
 */
import { resolveHost } from "../discovery/dns.ts";
import { formatHostPort, type HostPort, parseIp, type SocketAddress } from "../mesh/address.ts";
import type { ListenerKind, ListenerSpec, ThreadStart } from "../mesh/snapshot.ts";
import type { Arena } from "../net/arena.ts";
import { openHttp } from "../net/http-listener.ts";
import { type Listening, listen } from "../net/listener.ts";
import type { HttpServer, HttpServerOptions } from "../net/runtime.ts";
import type { RunConfig } from "./config.ts";
import { StartError } from "./start-error.ts";

/** Connections that the kernel completes before they are accepted. */
const BACKLOG = 4_096;

type Wanted = {
  readonly kind: ListenerKind;
  readonly at: HostPort;
  readonly service: string | null;
};

/** Binds and listens, in the order in which they are named. Throws StartError. */
export async function openListeners(arena: Arena, config: RunConfig): Promise<ListenerSpec[]> {
  const wanted: Wanted[] = [
    { kind: "inbound", at: config.inbound, service: null },
    { kind: "outbound", at: config.outbound, service: null },
    ...config.forwards.map(({ listen: at, name, port }) => ({
      kind: "forward" as const,
      at,
      service: formatHostPort(name, port),
    })),
  ];
  const listeners: ListenerSpec[] = [];
  for (const { kind, at, service } of wanted) {
    const address = await addressOf(at, `--${kind}`);
    const opened = listenThere(arena, address, config.movable.includes(kind));
    if ("error" in opened) throw new StartError(`--${kind}: ${opened.error}`);
    listeners.push({ kind, fd: opened.fd, ip: opened.ip, port: opened.port, service });
  }
  return listeners;
}

/** The admin API's server. Throws StartError. */
export async function openAdmin(
  { admin, movable }: RunConfig,
  fetch: HttpServerOptions["fetch"],
): Promise<HttpServer> {
  let opened = await openHttp(admin, fetch);
  if ("error" in opened && movable.includes("admin")) {
    opened = await openHttp({ ...admin, port: 0 }, fetch);
  }
  if ("error" in opened) throw new StartError(`--admin: ${opened.error}`);
  return opened;
}

/** Where the application listens. Throws StartError. */
export async function applicationOf(app: RunConfig["app"]): Promise<ThreadStart["app"]> {
  return app === null ? null : { ...(await addressOf(app, "--app")), speaks: app.speaks };
}

function listenThere(
  arena: Arena,
  address: SocketAddress,
  isMovable: boolean,
): Listening | { readonly error: string } {
  const opened = listen(arena, address, BACKLOG);
  if (!("error" in opened) || !isMovable) return opened;
  const moved = listen(arena, { ...address, port: 0 }, BACKLOG);
  // What was wanted tells more.
  return "error" in moved ? opened : moved;
}

export async function addressOf(at: HostPort, flag: string): Promise<SocketAddress> {
  const ip = parseIp(at.host);
  if (ip !== null) return { ip, port: at.port };
  const [first] = await resolveHost(at.host).catch(() => []);
  if (first === undefined) throw new StartError(`${flag}: ${at.host} could not be resolved`);
  return { ip: first, port: at.port };
}
