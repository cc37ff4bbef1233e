/**
 * A client whose last response is written: flush, then close. Where unread bytes are about, closing
 * at once would make the kernel send a reset that can overtake the response, so such a connection
 * sends its FIN and reads on for a bounded while.
 */
import { INPUT, INPUT_BYTES } from "../net/arena.ts";
import { BROKEN, END, WAIT } from "../net/connection.ts";
import { MSG_MORE } from "../net/constants.ts";
import { ClientConnection } from "./client-connection.ts";
import { CLIENT_STALL_MS, LINGER_BYTES_MAX, LINGER_MS } from "./limits.ts";

export class ClosingClient extends ClientConnection {
  readonly #needsLinger: boolean;
  #isLingering = false;
  #discardedBytes = 0;

  /** Takes `from` over; its object owns nothing any more. */
  constructor(from: ClientConnection, needsLinger: boolean) {
    super(from.context, from.fd, from.origin);
    from.retire();
    this.takeOver(from);
    // A client of TLS must see close_notify, which may have to wait until the socket takes it.
    this.#needsLinger = needsLinger || this.readable || this.tls !== null;
    this.context.clients.add(this);
  }

  override begin(): void {
    this.arm(CLIENT_STALL_MS);
    // The kernel keeps what was written for the FIN: one packet instead of two.
    this.flush(MSG_MORE);
    if (this.isBroken) this.reset();
    else if (this.queuedBytes === 0) this.#afterFlush();
  }

  override drain(): void {}

  protected override onReady(drained: boolean): void {
    if (this.hasError) this.reset();
    else if (drained) this.#afterFlush();
    else if (this.#isLingering) this.#discard();
  }

  override onDeferred(): void {
    if (this.isOpen) this.#discard();
  }

  override onFault(): void {
    this.close();
  }

  protected override onTimer(): void {
    this.close();
  }

  protected override onClosing(): void {}

  #afterFlush(): void {
    if (!this.#needsLinger) return this.close();
    this.#isLingering = true;
    this.end();
    this.arm(LINGER_MS);
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
}
