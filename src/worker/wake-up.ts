/** A worker's wake-up descriptor: there are messages, the ring was filled, or it woke itself. */
import type { Loop } from "../net/loop.ts";
import type { Pollable } from "../net/poller.ts";
import { drainWake } from "../net/wake.ts";

export class WakeUp implements Pollable {
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #take: () => void;

  constructor(loop: Loop, fd: number, take: () => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#take = take;
  }

  onEvents(): void {
    drainWake(this.#loop.arena, this.#fd);
    this.#take();
  }

  onFault(): void {}
}
