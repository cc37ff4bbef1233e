/** Listening sockets and what the acceptor asks of a connection that it does not own for long. */
import { formatHostPort, formatIp, type SocketAddress } from "../mesh/address.ts";
import { ARGUMENTS, type Arena, INPUT, INPUT_BYTES } from "./arena.ts";
import {
  AF_INET,
  AF_INET6,
  errnoName,
  IPV6_V6ONLY,
  MSG_DONTWAIT,
  MSG_PEEK,
  RLIMIT_NOFILE,
  SO_KEEPALIVE,
  SO_ORIGINAL_DST,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "./constants.ts";
import { errno, libc } from "./libc.ts";
import {
  ADDRESS,
  ADDRESS_LENGTH,
  expectAddress,
  OPTION,
  readIp,
  readPort,
  writeAddress,
} from "./socket-address.ts";

/** Seconds of silence, seconds between probes, probes: a vanished peer is noticed in 40 s. */
const KEEP_ALIVE = { idleS: 10, intervalS: 10, count: 3 } as const;
/** Milliseconds that sent bytes may go unacknowledged. */
const USER_TIMEOUT_MS = 30_000;
const LIMITS = ARGUMENTS + 384;

export type Listening = { readonly fd: number; readonly ip: Uint8Array; readonly port: number };

/**
 * Binds and listens; port 0 picks one, and `::` takes IPv4 too. Linux hands the options set here
 * down to accepted sockets, so they cost nothing per connection. The error reads
 * `bind 127.0.0.1:80: EACCES`.
 */
export function listen(
  arena: Arena,
  address: SocketAddress,
  backlog: number,
): Listening | { readonly error: string } {
  const isV6 = address.ip.length === 16;
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.socket(isV6 ? AF_INET6 : AF_INET, type, 0);
  if (fd < 0) return { error: `socket: ${errnoName(errno())}` };
  const set = (level: number, option: number, value: number): void => {
    arena.view.setInt32(OPTION, value, true);
    libc.setsockopt(fd, level, option, arena.address + OPTION, 4);
  };
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (isV6) set(SOL_IPV6, IPV6_V6ONLY, 0);
  set(SOL_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(SOL_TCP, TCP_KEEPIDLE, KEEP_ALIVE.idleS);
  set(SOL_TCP, TCP_KEEPINTVL, KEEP_ALIVE.intervalS);
  set(SOL_TCP, TCP_KEEPCNT, KEEP_ALIVE.count);
  set(SOL_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
  const length = writeAddress(arena, address);
  let failed = libc.bind(fd, arena.address + ADDRESS, length) < 0 ? "bind" : null;
  if (failed === null && libc.listen(fd, backlog) < 0) failed = "listen";
  if (failed !== null) {
    const reason = errnoName(errno());
    libc.close(fd);
    const where = formatHostPort(formatIp(address.ip), address.port);
    return { error: `${failed} ${where}: ${reason}` };
  }
  const bound = localAddress(arena, fd);
  return { fd, ip: address.ip, port: bound?.port ?? address.port };
}

/** Accepts a connection: non-blocking, closed on exec. -1: none now, or none to be had. */
export function accept(arena: Arena, fd: number): number {
  expectAddress(arena);
  const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  return libc.accept4(fd, arena.address + ADDRESS, arena.address + ADDRESS_LENGTH, flags);
}

/** Where the client meant to go before iptables redirected it; null when it was not redirected. */
export function originalDestination(arena: Arena, fd: number, family: 4 | 6): SocketAddress | null {
  expectAddress(arena);
  const level = family === 4 ? SOL_IP : SOL_IPV6;
  const { address } = arena;
  const at = address + ADDRESS;
  if (libc.getsockopt(fd, level, SO_ORIGINAL_DST, at, address + ADDRESS_LENGTH) < 0) return null;
  return addressIn(arena);
}

/** The address that a connection came to; null when it is gone. */
export function localAddress(arena: Arena, fd: number): SocketAddress | null {
  expectAddress(arena);
  const { address } = arena;
  if (libc.getsockname(fd, address + ADDRESS, address + ADDRESS_LENGTH) < 0) return null;
  return addressIn(arena);
}

/** Looks at what has arrived, in INPUT, and leaves it where it is. 0: the end; -1: nothing yet. */
export function peek(arena: Arena, fd: number): number {
  return libc.recv(fd, arena.address + INPUT, INPUT_BYTES, MSG_PEEK | MSG_DONTWAIT);
}

/** Has epoll keep quiet until `bytes` have arrived, or an end. */
export function setReceiveLowWater(arena: Arena, fd: number, bytes: number): void {
  arena.view.setInt32(OPTION, bytes, true);
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, arena.address + OPTION, 4);
}

/** Raises the soft limit on descriptors to the hard one; returns it. */
export function raiseDescriptorLimit(arena: Arena): number {
  const { view, address } = arena;
  if (libc.getrlimit(RLIMIT_NOFILE, address + LIMITS) < 0) return 0;
  view.setBigUint64(LIMITS, view.getBigUint64(LIMITS + 8, true), true);
  libc.setrlimit(RLIMIT_NOFILE, address + LIMITS);
  return Number(view.getBigUint64(LIMITS, true));
}

function addressIn(arena: Arena): SocketAddress | null {
  const ip = new Uint8Array(16);
  const family = readIp(arena, ip);
  return family === 0 ? null : { ip: ip.slice(0, family === 4 ? 4 : 16), port: readPort(arena) };
}
