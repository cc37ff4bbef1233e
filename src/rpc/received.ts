/**
 * The messages of one call as the main thread gets them, for one reader. What was not read yet waits
 * here; the thread is told what was, so that it holds the server back when nobody reads.
 */
import { type Metadata, RpcError, Status } from "./status.ts";

export type ReceivedCalls = {
  readonly cancel: () => void;
  readonly read: (bytes: number) => void;
  readonly signal: AbortSignal | null;
};

export class Received {
  readonly #calls: ReceivedCalls;
  readonly #messages: Uint8Array[] = [];
  #end: { readonly error: RpcError | null } | null = null;
  #wake: () => void = () => {};
  readonly #onAbort = (): void => {
    this.#calls.cancel();
    this.onEnded(Status.cancelled, "the call was cancelled", []);
  };

  constructor(calls: ReceivedCalls) {
    this.#calls = calls;
    if (calls.signal?.aborted === true)
      this.onEnded(Status.cancelled, "the call was cancelled", []);
    else calls.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  onMessage(message: Uint8Array): void {
    if (this.#end !== null) return;
    this.#messages.push(message);
    this.#wake();
  }

  /** Only the first end counts. */
  onEnded(status: Status, text: string, metadata: Metadata): void {
    if (this.#end !== null) return;
    const error = status === Status.ok ? null : new RpcError(status, text, metadata);
    this.#end = { error };
    this.#calls.signal?.removeEventListener("abort", this.#onAbort);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const message = this.#messages.shift();
        if (message !== undefined) {
          yield message;
          if (this.#end === null) this.#calls.read(message.length);
        } else if (this.#end !== null) {
          if (this.#end.error !== null) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      if (this.#end === null) this.#onAbort();
    }
  }
}
