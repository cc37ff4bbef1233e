/** The calls of a connection that have something to send, in turns, while it can send at all. */
import type { Sender } from "../protocol/http2/sender.ts";

export class PumpQueue {
  readonly #calls = new Set<{ pump(): void }>();
  /** When it last could send, or had nothing to. Monotonic milliseconds. */
  #movedMs = 0;

  /** Whether calls wait, for the turn's end or for the connection. */
  get isEmpty(): boolean {
    return this.#calls.size === 0;
  }

  /** How long calls have waited because the connection is blocked. */
  stalledMs(nowMs: number): number {
    return this.isEmpty ? 0 : nowMs - this.#movedMs;
  }

  add(call: { pump(): void }, nowMs: number): void {
    if (this.isEmpty) this.#movedMs = nowMs;
    this.#calls.add(call);
  }

  clear(): void {
    this.#calls.clear();
  }

  /** Lets each call send once, until the connection is blocked; then the rest goes on waiting. */
  run(sender: Sender, nowMs: number): void {
    for (const call of [...this.#calls]) {
      if (sender.isBlocked) return;
      this.#movedMs = nowMs;
      this.#calls.delete(call);
      call.pump();
      // It may have had more.
      if (sender.isBlocked) this.#calls.add(call);
    }
  }
}
