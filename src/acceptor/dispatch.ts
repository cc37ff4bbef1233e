/** Which worker gets a connection, and the hand-off itself. */
import { below, xorshift32 } from "../lib/random.ts";
import type { Arena } from "../net/arena.ts";
import type { Descriptors } from "../net/descriptors.ts";
import { wake } from "../net/wake.ts";
import { type HandOff, HandOffRing } from "../shared/hand-off-ring.ts";
import type { Memory } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";

export class Dispatcher {
  readonly #rows: WorkerRows;
  readonly #rings: readonly HandOffRing[];
  readonly #arena: Arena;
  readonly #descriptors: Descriptors;
  readonly #random = xorshift32(0x9e3779b9);

  constructor(memory: Memory, arena: Arena, descriptors: Descriptors) {
    this.#rows = new WorkerRows(memory);
    this.#arena = arena;
    this.#descriptors = descriptors;
    this.#rings = Array.from(
      { length: memory.layout.workers },
      (_, worker) => new HandOffRing(memory, worker),
    );
  }

  /**
   * Hands a connection to the less busy of two random workers, or to any that serves and has room.
   * False: none has; the connection still is the acceptor's.
   */
  dispatch(handOff: HandOff, nowMs: number): boolean {
    const count = this.#rings.length;
    const first = below(this.#random(), count);
    const second = count === 1 ? first : (first + 1 + below(this.#random(), count - 1)) % count;
    const [best, other] =
      this.#busy(second) < this.#busy(first) ? [second, first] : [first, second];
    if (this.#handTo(best, handOff, nowMs) || this.#handTo(other, handOff, nowMs)) return true;
    for (let worker = 0; worker < count; worker++) {
      if (this.#handTo(worker, handOff, nowMs)) return true;
    }
    return false;
  }

  #busy(worker: number): number {
    return this.#rows.get(worker, "connections") + (this.#rings[worker]?.length() ?? 0);
  }

  #handTo(worker: number, handOff: HandOff, nowMs: number): boolean {
    const ring = this.#rings[worker];
    if (ring === undefined || !this.#rows.isServing(worker, nowMs)) return false;
    const ticket = this.#descriptors.hand(handOff.fd, worker);
    if (ticket === -1) return false;
    handOff.ticket = ticket;
    if (!ring.push(handOff)) {
      this.#descriptors.unhand(handOff.fd, ticket);
      return false;
    }
    if (this.#rows.take(worker, "sleeping") === 1) {
      wake(this.#arena, this.#rows.fd(worker, "wakeFd"));
    }
    return true;
  }
}
