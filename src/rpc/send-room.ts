/**
 * How much of what handlers said may wait for one connection, all its streams together: they share a
 * socket, and more would not go out sooner. Whoever finds it full goes on when there is room, first
 * come, first served.
 */
import { QUEUED_BYTES_HIGH } from "./limits.ts";

export type Waiter = { onRoom(): void };

export class SendRoom {
  /** Calls that use it. */
  users = 0;
  #usedBytes = 0;
  readonly #waiting = new Set<Waiter>();

  get isFull(): boolean {
    return this.#usedBytes > QUEUED_BYTES_HIGH;
  }

  /** May go beyond what there is, by one message: how long it is, is known when it is there. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  wait(waiter: Waiter): void {
    this.#waiting.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    for (const waiter of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(waiter);
      waiter.onRoom();
    }
  }
}
