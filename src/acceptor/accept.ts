/** Accepting on one listener, edge-triggered: until it fails, then again upon the next edge. */
import { assert } from "../lib/assert.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { ListenerKind, ListenerSpec } from "../mesh/snapshot.ts";
import { Errno } from "../net/constants.ts";
import { errno, libc } from "../net/libc.ts";
import { accept } from "../net/listener.ts";
import type { Deferred } from "../net/loop.ts";
import { readIp, readPort } from "../net/socket-address.ts";
import { emptyHandOff } from "../shared/hand-off-ring.ts";
import type { Acceptor } from "./acceptor.ts";

/** Connections accepted in one go, so that those already here get their turn. */
const ACCEPTS_PER_TURN = 64;
/**
 * After a failed accept (EMFILE, ENFILE, ENOMEM) the queue is looked at again so much later. With
 * edges a failure cannot spin, and an errno that was misread costs at most this wait.
 */
const PAUSE_MS = 100;
/** At the end, what the kernel already took in our name; the backlog is never longer. */
const LAST_ACCEPTS_MAX = 4_096;

export class ListenerHandler implements Deferred {
  isDeferred = false;
  readonly #acceptor: Acceptor;
  readonly #index: number;
  readonly #listener: ListenerSpec;
  readonly #retry: Timer;
  readonly #place: number;
  #isPaused = false;
  #isOpen = true;

  constructor(acceptor: Acceptor, index: number, listener: ListenerSpec) {
    this.#acceptor = acceptor;
    this.#index = index;
    this.#listener = listener;
    this.#retry = new Timer(() => acceptor.loop.guard(this, () => this.#resume()));
    this.#place = acceptor.loop.poller.add(listener.fd, this, true);
    assert(this.#place >= 0, `listener ${index}: epoll_ctl failed`);
  }

  get kind(): ListenerKind {
    return this.#listener.kind;
  }

  onEvents(): void {
    this.onDeferred();
  }

  /** The edge is spent, so without a new look the queue would wait for the next one. */
  onFault(): void {
    if (this.#isOpen) this.#pause();
  }

  onDeferred(): void {
    if (!this.#isOpen || this.#isPaused) return;
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      if (!this.#accept()) return;
    }
    this.#acceptor.loop.defer(this);
  }

  /** Takes what has connected already, which a close would reset, and closes the listener. */
  stop(): void {
    if (!this.#isOpen) return;
    for (let count = 0; count < LAST_ACCEPTS_MAX; count++) {
      if (!this.#accept()) break;
    }
    this.#isOpen = false;
    const { loop } = this.#acceptor;
    loop.timers.disarm(this.#retry);
    loop.poller.forget(this.#place);
    libc.close(this.#listener.fd);
  }

  #pause(): void {
    const { clock, timers } = this.#acceptor.loop;
    this.#isPaused = true;
    timers.arm(this.#retry, clock.nowMs + PAUSE_MS);
  }

  #resume(): void {
    this.#isPaused = false;
    this.onDeferred();
  }

  #accept(): boolean {
    const { arena, descriptors } = this.#acceptor;
    const fd = accept(arena, this.#listener.fd);
    if (fd < 0) {
      if (errno() !== Errno.EAGAIN) {
        this.#acceptor.count("accept_paused");
        this.#pause();
      }
      return false;
    }
    if (!descriptors.claim(fd)) {
      this.#acceptor.count("refused_descriptors");
      return true;
    }
    const { kind } = this.#listener;
    this.#acceptor.count(`accepted_${kind}`);
    const handOff = emptyHandOff();
    handOff.fd = fd;
    handOff.listener = this.#index;
    handOff.peerFamily = readIp(arena, handOff.peerIp);
    handOff.peerPort = readPort(arena);
    this.#acceptor.look(handOff, this.#listener);
    return true;
  }
}
