/** Accepting on one listener, edge-triggered: until it fails, then again upon the next edge. */
import { Timer } from "../lib/timer-wheel.ts";
import type { ListenerSpec } from "../mesh/snapshot.ts";
import { Errno } from "../net/constants.ts";
import { errno } from "../net/libc.ts";
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

export class ListenerHandler implements Deferred {
  isDeferred = false;
  readonly place: number;
  readonly #acceptor: Acceptor;
  readonly #index: number;
  readonly #listener: ListenerSpec;
  readonly #retry: Timer;

  constructor(acceptor: Acceptor, index: number, listener: ListenerSpec) {
    this.#acceptor = acceptor;
    this.#index = index;
    this.#listener = listener;
    this.#retry = new Timer(() => this.onDeferred());
    this.place = acceptor.loop.poller.add(listener.fd, this, true);
  }

  onEvents(): void {
    this.onDeferred();
  }

  onFault(): void {}

  onDeferred(): void {
    const { loop, isStopping } = this.#acceptor;
    if (isStopping) return;
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      if (!this.#accept()) return;
    }
    loop.defer(this);
  }

  stop(): void {
    this.#acceptor.loop.timers.disarm(this.#retry);
  }

  #accept(): boolean {
    const { arena, loop, descriptors } = this.#acceptor;
    const fd = accept(arena, this.#listener.fd);
    if (fd < 0) {
      const reason = errno();
      if (reason !== Errno.EAGAIN) {
        this.#acceptor.count("accept_paused");
        loop.timers.arm(this.#retry, loop.clock.nowMs + PAUSE_MS);
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
