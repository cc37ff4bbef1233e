/**
 * Reads a client's bytes when somebody wants them, kept ones before the socket's, and no more per
 * turn than is fair to the others. What they mean is its heir's business.
 */
import { BROKEN, END, WAIT } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import type { ClientOrigin } from "./client.ts";
import { ClientConnection } from "./client-connection.ts";
import type { Context } from "./context.ts";
import { READS_PER_TURN } from "./limits.ts";

export abstract class ReadingClient extends ClientConnection {
  /** Bytes that were read but not used: part of a head or body, or what was sent ahead. */
  protected readonly kept: KeptBytes;
  /** The kept bytes are to be looked at; otherwise they wait for more. */
  protected isUnseen = false;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.kept = new KeptBytes(context.io.arena);
  }

  /** Whether bytes can be used now; `areKept` asks for those that were read already. */
  protected abstract wantsBytes(areKept: boolean): boolean;
  /** Uses `bytes[start, end)` of the arena; what is left is given to `keep`. */
  protected abstract use(start: number, end: number): void;
  /** The client sends no more. */
  protected abstract onEnd(): void;
  protected abstract abort(): void;

  /** Something this connection waited for has changed; it looks again at the end of the turn. */
  wantsPump(): void {
    this.io.loop.defer(this);
  }

  override onDeferred(): void {
    if (this.isOpen) this.pump();
  }

  override onFault(): void {
    this.abort();
  }

  protected pump(): void {
    const { kept } = this;
    for (let reads = 0; this.isOpen; reads++) {
      if (this.isUnseen) {
        if (!this.wantsBytes(true)) return;
        this.use(kept.start, kept.end);
        continue;
      }
      if (!this.readable || !this.wantsBytes(false)) return;
      if (reads >= READS_PER_TURN) return this.wantsPump();
      const at = kept.end;
      const count = this.read(at, kept.room);
      if (count === WAIT) return;
      if (count === BROKEN) return this.abort();
      if (count === END) return this.onEnd();
      this.use(kept.start, at + count);
    }
  }

  /** Keeps `bytes[at, end)` for later. */
  protected keep(at: number, end: number, isUnseen: boolean): void {
    this.isUnseen = isUnseen && end > at;
    if (!this.kept.keep(at, end)) this.abort();
  }
}
