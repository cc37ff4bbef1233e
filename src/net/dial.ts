/** Opening a connection to an endpoint, TCP and TLS, under one deadline. */
import { Timer } from "../lib/timer-wheel.ts";
import type { SocketAddress } from "../mesh/address.ts";
import { NONE } from "./arena.ts";
import { Connection, type Io } from "./connection.ts";
import {
  AF_INET,
  AF_INET6,
  Errno,
  SO_ERROR,
  SO_KEEPALIVE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from "./constants.ts";
import { errno, libc } from "./libc.ts";
import { ADDRESS, ADDRESS_LENGTH, OPTION, writeAddress } from "./socket-address.ts";
import type { TlsContext } from "./tls-context.ts";
import type { TlsFailure } from "./tls-failure.ts";
import type { TlsSession } from "./tls-session.ts";

/** What is wrong with the certificate, and not with how TLS is spoken. */
const PEER_FAILURES: ReadonlySet<TlsFailure> = new Set([
  "no-certificate",
  "untrusted",
  "expired",
  "not-yet-valid",
  "wrong-usage",
]);

/** Seconds without traffic until the kernel asks whether a peer still is there. */
const KEEP_ALIVE_IDLE_S = 10;

/**
 * `tls`: the handshake failed; `untrusted`: it did because of who answered; `no-identity`: we have
 * nothing to show.
 */
export type DialFailure =
  | "refused"
  | "timeout"
  | "unreachable"
  | "no-descriptors"
  | "tls"
  | "untrusted"
  | "no-identity";

/** TLS on a dialled connection. */
export type DialTls = {
  /** Asked for when the handshake begins: the newest certificate, or null when there is none. */
  readonly context: () => TlsContext | null;
  readonly serverName: string;
  /** Whether it is who we wanted; called once, when the handshake is done. */
  readonly isPeer: (tls: TlsSession) => boolean;
  /** What is sent first, once it is. */
  readonly greet: ((dial: Dial) => void) | null;
};

export class Dial extends Connection {
  readonly #timer: Timer;
  readonly #opened: (dial: Dial) => void;
  readonly #failed: (why: DialFailure) => void;

  /** One of the callbacks is called once, never before `start` has returned. */
  constructor(io: Io, opened: (dial: Dial) => void, failed: (why: DialFailure) => void) {
    super(io, NONE);
    this.#opened = opened;
    this.#failed = failed;
    this.#timer = new Timer(() => this.#fail("timeout"));
  }

  /** Fails, as if it had been started. */
  refuse(why: DialFailure): void {
    this.#failure = why;
    this.io.loop.defer(this);
  }

  start(address: SocketAddress, timeoutMs: number, tls: DialTls | null = null): void {
    const { arena, descriptors, loop } = this.io;
    this.#tls = tls;
    loop.timers.arm(this.#timer, loop.clock.nowMs + timeoutMs);
    const family = address.ip.length === 4 ? AF_INET : AF_INET6;
    const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !descriptors.claim(fd)) {
      this.#failure = "no-descriptors";
      loop.defer(this);
      return;
    }
    this.fd = fd;
    setOption(this.io, fd, SOL_TCP, TCP_NODELAY, 1);
    setOption(this.io, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    setOption(this.io, fd, SOL_TCP, TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S);
    const length = writeAddress(arena, address);
    const result = libc.connect(fd, arena.address + ADDRESS, length);
    if (result < 0) {
      const reason = errno();
      if (reason === Errno.ECONNREFUSED) this.#failure = "refused";
      else if (reason === Errno.ENETUNREACH || reason === Errno.EHOSTUNREACH) {
        this.#failure = "unreachable";
      } else if (reason === Errno.EADDRNOTAVAIL) this.#failure = "no-descriptors";
    }
    if (this.#failure !== null || !this.register()) {
      this.#failure ??= "no-descriptors";
      loop.defer(this);
    }
  }

  #failure: DialFailure | null = null;
  #tls: DialTls | null = null;

  /** Gives up; no callback is called any more. */
  cancel(): void {
    this.io.loop.timers.disarm(this.#timer);
    this.#isOver = true;
    this.close();
  }

  #isOver = false;

  protected override onReady(_drained: boolean): void {
    if (this.tls !== null) return this.#shakeHands(this.tls);
    const error = this.#socketError();
    if (error !== 0) {
      this.#fail(
        error === Errno.ETIMEDOUT
          ? "timeout"
          : error === Errno.ECONNREFUSED
            ? "refused"
            : "unreachable",
      );
      return;
    }
    if (this.hasError) return this.#fail("refused");
    if (!this.#isConnected()) return;
    if (this.#tls === null) return this.#open();
    const context = this.#tls.context();
    if (context === null) return this.#fail("no-identity");
    this.startTls(context, this.#tls.serverName);
    if (this.tls !== null) this.#shakeHands(this.tls);
  }

  #shakeHands(tls: TlsSession): void {
    const state = this.handshake();
    if (state === "waiting") return;
    if (state === "failed") return this.#fail(isAboutPeer(tls) ? "untrusted" : "tls");
    if (this.#tls?.isPeer(tls) !== true) return this.#fail("untrusted");
    // OpenSSL may hold bytes already that epoll tells nothing of.
    this.readable = true;
    this.#tls.greet?.(this);
    this.#open();
  }

  #open(): void {
    this.io.loop.timers.disarm(this.#timer);
    this.#isOver = true;
    this.#opened(this);
  }

  override onDeferred(): void {
    this.#fail(this.#failure ?? "unreachable");
  }

  override onFault(): void {
    this.#fail("unreachable");
  }

  #fail(why: DialFailure): void {
    if (this.#isOver) return;
    this.cancel();
    this.#failed(why);
  }

  #socketError(): number {
    const { view, address } = this.io.arena;
    view.setInt32(OPTION, 0, true);
    view.setUint32(ADDRESS_LENGTH, 4, true);
    libc.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, address + OPTION, address + ADDRESS_LENGTH);
    return view.getInt32(OPTION, true);
  }

  /** An event may come before the handshake is over: then there is no peer yet. */
  #isConnected(): boolean {
    const { view, address } = this.io.arena;
    view.setUint32(ADDRESS_LENGTH, 28, true);
    return libc.getpeername(this.fd, address + ADDRESS, address + ADDRESS_LENGTH) === 0;
  }
}

function isAboutPeer({ failure }: TlsSession): boolean {
  return failure !== null && PEER_FAILURES.has(failure);
}

/** Sets an `int` option; failures are harmless for the ones set here. */
export function setOption(io: Io, fd: number, level: number, option: number, value: number): void {
  io.arena.view.setInt32(OPTION, value, true);
  libc.setsockopt(fd, level, option, io.arena.address + OPTION, 4);
}
