/** A worker's wake-up descriptor: there are messages, the ring was filled, or it woke itself. */
import type { Pollable } from "../net/poller.ts";

export class WakeUp implements Pollable {
  readonly #take: () => void;

  constructor(take: () => void) {
    this.#take = take;
  }

  onEvents(): void {
    this.#take();
  }

  onFault(): void {}
}
