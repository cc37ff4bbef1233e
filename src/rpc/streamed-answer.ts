/**
 * The answer of a streaming handler: its messages go out as they come, and the next is asked for
 * only while less than QUEUED_BYTES_HIGH waits for the client.
 */
import { QUEUED_BYTES_HIGH } from "./limits.ts";
import { PREFIX_BYTES } from "./message-reader.ts";

export class StreamedAnswer {
  readonly #signal: AbortSignal;
  readonly #send: (message: Uint8Array) => void;
  #sentBytes = 0;
  #takenBytes = 0;
  /** Has whatever is waited for end: room, or a message that does not come. */
  #go: () => void = () => {};

  constructor(signal: AbortSignal, send: (message: Uint8Array) => void) {
    this.#signal = signal;
    this.#send = send;
    signal.addEventListener("abort", () => this.#go());
  }

  /** So many bytes in all have left the queue, prefixes included. */
  onDrained(takenBytes: number): void {
    this.#takenBytes = takenBytes;
    this.#go();
  }

  /** Sends what `messages` yields until it ends or the call is cancelled. Throws what it throws. */
  async run(messages: AsyncIterable<Uint8Array>): Promise<void> {
    const iterator = messages[Symbol.asyncIterator]();
    while (!this.#signal.aborted) {
      const next = await this.#next(iterator);
      if (next === null) break;
      if (next.done === true) return;
      this.#sentBytes += PREFIX_BYTES + next.value.length;
      this.#send(next.value);
      await this.#room();
    }
    // A source that waits for news may end when it will; nobody is told of its errors.
    iterator.return?.().catch(() => {});
  }

  /** Resolves when the client has taken enough, or nobody wants more. */
  async #room(): Promise<void> {
    while (this.#sentBytes - this.#takenBytes > QUEUED_BYTES_HIGH && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#go = resolve;
      });
    }
  }

  /**
   * Resolves with null when the call is cancelled. Not by a race with one promise for the whole call:
   * that one would keep something of each message for as long as it waits.
   */
  #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array> | null> {
    return new Promise((resolve, reject) => {
      this.#go = () => {
        if (this.#signal.aborted) resolve(null);
      };
      iterator.next().then(resolve, reject);
    });
  }
}
