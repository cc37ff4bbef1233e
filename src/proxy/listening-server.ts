/** The dialled server of an opaque connection, while nobody has spoken. */
import type { Endpoint } from "../mesh/snapshot.ts";
import { CONTENT } from "../net/arena.ts";
import { Connection, WAIT } from "../net/connection.ts";
import { type ServerWords, wordsOf } from "../protocol/server-words.ts";
import type { Context } from "./context.ts";
import { recordClose } from "./outcome.ts";

export class ListeningServer extends Connection {
  readonly endpoint: Endpoint;
  readonly #context: Context;
  readonly #spoke: () => void;

  /**
   * Takes what was dialled, with its places in the balancer and in flight. `spoke` is called when it may
   * have said something, or will not any more.
   */
  constructor(context: Context, dialled: Connection, endpoint: Endpoint, spoke: () => void) {
    super(context.io, dialled.fd);
    this.endpoint = endpoint;
    this.#context = context;
    this.#spoke = spoke;
    this.takeOver(dialled);
  }

  /** What it has said, all of which is still to be read; `other` if it never will, null if not yet. */
  hear(): ServerWords | null {
    if (this.hasError) return "other";
    if (!this.readable) return null;
    const count = this.peek(CONTENT);
    if (count > 0) return wordsOf(this.io.arena.bytes, CONTENT, CONTENT + count);
    if (count !== WAIT) return "other";
    // Readiness alone can be TLS talking to itself.
    this.readable = false;
    return null;
  }

  /** Gives back its places; the connection itself goes on. */
  release(): void {
    this.#context.balancer.release(this.endpoint, true);
    this.#context.leave();
  }

  /** Nobody needs it any more. */
  letGo(): void {
    this.release();
    recordClose(this.#context, this.endpoint.series, 0, 0);
    this.close();
  }

  protected override onReady(): void {
    this.#spoke();
  }
  override onDeferred(): void {
    this.#spoke();
  }
  override onFault(): void {
    this.isBroken = true;
    this.#spoke();
  }
}
