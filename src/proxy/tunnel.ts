/**
 * Bytes both ways between two connections: opaque TCP, CONNECT, and what follows a 101. Each side
 * is read only while nothing is queued for the other. A FIN is passed on as a FIN after what came
 * before it, and the other direction goes on; a reset is passed on as a reset.
 */
import { INPUT, INPUT_BYTES } from "../net/arena.ts";
import { BROKEN, Connection, END, type Io, WAIT } from "../net/connection.ts";
import { READS_PER_TURN } from "./limits.ts";

/** Told once, when both directions are over, with both connections' byte counts. */
export type TunnelEnded = (client: Traffic, server: Traffic) => void;

export type Traffic = { readonly bytesRead: number; readonly bytesWritten: number };

export type Tunnel = {
  /** Until when both sides' proofs of who they are hold, milliseconds since 1970. */
  readonly provenUntilMs: number;
  /** Cuts it. */
  close(): void;
};

class Side extends Connection {
  peer: Side | null = null;
  sawEnd = false;
  readonly #over: () => void;

  constructor(io: Io, from: Connection, over: () => void) {
    super(io, from.fd);
    this.#over = over;
    this.takeOver(from);
  }

  protected override onReady(drained: boolean): void {
    if (this.isBroken) return this.onFault();
    if (drained && this.peer !== null) this.peer.pump();
    if (this.isOpen) this.pump();
  }

  override onDeferred(): void {
    if (this.isOpen) this.pump();
  }

  pump(): void {
    const peer = this.peer;
    for (let reads = 0; peer !== null && this.readable && peer.queuedBytes === 0; reads++) {
      if (reads === READS_PER_TURN) {
        this.io.loop.defer(this);
        return;
      }
      const count = this.read(INPUT, INPUT_BYTES);
      if (count === WAIT) return;
      if (count === BROKEN) return this.onFault();
      if (count === END) {
        this.sawEnd = true;
        peer.end();
        if (peer.sawEnd) this.#finish();
        return;
      }
      peer.write(INPUT, INPUT + count);
      if (peer.isBroken) return this.onFault();
    }
  }

  /** Both FINs are seen; the last bytes may still be queued, and are waited for. */
  #finish(): void {
    if (this.isFlushed && this.peer?.isFlushed === true) this.#over();
    else if (!this.isFlushed) this.onDrained = () => this.#finish();
    else if (this.peer !== null) this.peer.onDrained = () => this.#finish();
  }

  onDrained: (() => void) | null = null;

  override onEvents(events: number): void {
    super.onEvents(events);
    if (this.onDrained !== null && this.isFlushed) this.onDrained();
  }

  override onFault(): void {
    this.isBroken = true;
    this.#over();
  }
}

/**
 * Joins two connections. `early` bytes of `arena` (start, end) were read from the client already.
 * The connections are taken over: their old objects own nothing any more.
 */
export function joinTunnel(
  io: Io,
  client: Connection,
  server: Connection,
  early: { readonly start: number; readonly end: number } | null,
  ended: TunnelEnded,
): Tunnel {
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    const isClean = !clientSide.isBroken && !serverSide.isBroken;
    if (isClean) {
      clientSide.close();
      serverSide.close();
    } else {
      clientSide.reset();
      serverSide.reset();
    }
    ended(clientSide, serverSide);
  };
  const clientSide: Side = new Side(io, client, over);
  const serverSide: Side = new Side(io, server, over);
  clientSide.peer = serverSide;
  serverSide.peer = clientSide;
  if (early !== null) serverSide.write(early.start, early.end);
  // Edges that came before the take-over are not repeated: look once at each.
  clientSide.readable = true;
  serverSide.readable = true;
  io.loop.defer(clientSide);
  io.loop.defer(serverSide);
  return {
    provenUntilMs: Math.min(clientSide.provenUntilMs, serverSide.provenUntilMs),
    close: () => {
      clientSide.isBroken = true;
      over();
    },
  };
}
