/** Accepting on one listener of a server, edge-triggered: until it fails, then upon the next edge. */
import { assert } from "../lib/assert.ts";
import { Timer } from "../lib/timer-wheel.ts";
import { formatHostPort, formatIp, isLoopbackIp } from "../mesh/address.ts";
import { Errno } from "../net/constants.ts";
import { errno, libc } from "../net/libc.ts";
import { accept } from "../net/listener.ts";
import type { Deferred } from "../net/loop.ts";
import { readIp, readPort } from "../net/socket-address.ts";
import { ACCEPT_PAUSE_MS, ACCEPTS_PER_TURN } from "./limits.ts";
import type { RpcServer } from "./server.ts";

/** Where a connection came from. */
export type Origin = { readonly address: string; readonly isLoopback: boolean };

export class Listener implements Deferred {
  isDeferred = false;
  readonly #server: RpcServer;
  readonly #fd: number;
  readonly #place: number;
  readonly #retry: Timer;
  readonly #ip = new Uint8Array(16);
  #isPaused = false;
  #isOpen = true;

  constructor(server: RpcServer, fd: number) {
    const { loop } = server.thread;
    this.#server = server;
    this.#fd = fd;
    this.#retry = new Timer(() => loop.guard(this, () => this.#resume()));
    this.#place = loop.poller.add(fd, this, true);
    assert(this.#place >= 0, "listener: epoll_ctl failed");
  }

  onEvents(): void {
    this.onDeferred();
  }

  onDeferred(): void {
    if (!this.#isOpen || this.#isPaused) return;
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      if (!this.#accept()) return;
    }
    this.#server.thread.loop.defer(this);
  }

  /** The edge is spent, so without a new look the queue would wait for the next one. */
  onFault(): void {
    if (this.#isOpen) this.#pause();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { loop } = this.#server.thread;
    loop.timers.disarm(this.#retry);
    loop.poller.forget(this.#place);
    libc.close(this.#fd);
  }

  #accept(): boolean {
    const { arena, descriptors } = this.#server.thread.io;
    const fd = accept(arena, this.#fd);
    if (fd < 0) {
      if (errno() !== Errno.EAGAIN) {
        this.#server.count("accept_paused");
        this.#pause();
      }
      return false;
    }
    if (!descriptors.claim(fd)) {
      this.#server.count("refused_connections");
      return true;
    }
    const family = readIp(arena, this.#ip);
    const ip = this.#ip.slice(0, family === 6 ? 16 : 4);
    const address = formatHostPort(formatIp(ip), readPort(arena));
    this.#server.onAccepted(fd, { address, isLoopback: family !== 0 && isLoopbackIp(ip) });
    return true;
  }

  #pause(): void {
    const { clock, timers } = this.#server.thread.loop;
    this.#isPaused = true;
    timers.arm(this.#retry, clock.nowMs + ACCEPT_PAUSE_MS);
  }

  #resume(): void {
    this.#isPaused = false;
    this.onDeferred();
  }
}
