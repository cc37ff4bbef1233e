/**
 * A server's connection whose last frames are written: flush, FIN, read on for a bounded while,
 * close. Closing at once, with bytes unread, would make the kernel send a reset that can overtake
 * what we said.
 */
import { Timer } from "../lib/timer-wheel.ts";
import { INPUT, INPUT_BYTES } from "../net/arena.ts";
import { BROKEN, Connection, END, type Io, WAIT } from "../net/connection.ts";
import { FLUSH_TIMEOUT_MS, LINGER_BYTES_MAX, LINGER_MS } from "./limits.ts";

export class ClosingConnection extends Connection {
  readonly #onClosed: (closed: ClosingConnection) => void;
  readonly #timer: Timer;
  #discardedBytes = 0;
  #isLingering = false;

  /** Takes `from` over; its object owns nothing any more. */
  constructor(io: Io, from: Connection, onClosed: (closed: ClosingConnection) => void) {
    super(io, from.fd);
    this.takeOver(from);
    this.#onClosed = onClosed;
    this.#timer = new Timer(() => io.loop.guard(this, () => this.close()));
  }

  begin(): void {
    this.#arm(FLUSH_TIMEOUT_MS);
    this.flush();
    if (this.isBroken) this.close();
    else if (this.queuedBytes === 0) this.#linger();
  }

  /** It is already on its way out. */
  drain(): void {}

  protected override onReady(drained: boolean): void {
    if (this.hasError) this.close();
    else if (drained) this.#linger();
    else if (this.#isLingering) this.#discard();
  }

  override onDeferred(): void {
    if (this.isOpen && this.#isLingering) this.#discard();
  }

  override onFault(): void {
    this.close();
  }

  override close(): void {
    if (!this.isOpen) return;
    this.io.loop.timers.disarm(this.#timer);
    super.close();
    this.#onClosed(this);
  }

  #linger(): void {
    if (this.#isLingering) return;
    this.#isLingering = true;
    this.end();
    this.#arm(LINGER_MS);
    this.readable = true;
    // Not now: this may run while others use the bytes at INPUT.
    this.io.loop.defer(this);
  }

  #discard(): void {
    while (this.readable) {
      const count = this.read(INPUT, INPUT_BYTES);
      if (count === WAIT) return;
      if (count === END || count === BROKEN) return this.close();
      this.#discardedBytes += count;
      if (this.#discardedBytes > LINGER_BYTES_MAX) return this.close();
    }
  }

  #arm(ms: number): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + ms);
  }
}
