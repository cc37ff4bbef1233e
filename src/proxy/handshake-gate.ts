/**
 * How many handshakes go on at once. One costs about a millisecond, a thousand times a request, so a
 * burst of them would make every live connection of this worker wait: at the end of each turn a few
 * steps are taken, first come, first served, and what would have to wait too long is turned away.
 */
import type { Deferred, Loop } from "../net/loop.ts";
import type { Pollable } from "../net/poller.ts";
import { HANDSHAKE_STEPS_PER_TURN, HANDSHAKES_MAX } from "./limits.ts";

/** A connection whose handshake goes on when it is told to. */
export interface Handshaking extends Pollable {
  readonly isOpen: boolean;
  /** It is in line; the gate's own note. */
  isInLine: boolean;
  stepHandshake(): void;
}

export class HandshakeGate implements Deferred {
  isDeferred = false;
  readonly #loop: Loop;
  readonly #line: Handshaking[] = [];
  #underWay = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Counts one in. False: there are too many, close it. */
  enter(): boolean {
    if (this.#underWay >= HANDSHAKES_MAX) return false;
    this.#underWay++;
    return true;
  }

  leave(): void {
    this.#underWay--;
  }

  /** Has the handshake take a step when it is its turn. */
  request(connection: Handshaking): void {
    if (connection.isInLine) return;
    connection.isInLine = true;
    this.#line.push(connection);
    this.#loop.defer(this);
  }

  onDeferred(): void {
    for (const connection of this.#line.splice(0, HANDSHAKE_STEPS_PER_TURN)) {
      connection.isInLine = false;
      if (connection.isOpen) this.#loop.guard(connection, () => connection.stepHandshake());
    }
    if (this.#line.length > 0) this.#loop.defer(this);
  }

  onEvents(): void {}
  onFault(): void {}
}
