/**
 * The streams that ended last, and how. A frame for one of them may have crossed our RST_STREAM and
 * is ignored; after an end of the peer's own it is an error (RFC 9113 §5.1). Older ones are
 * forgotten and count as ended by the peer.
 */

const KEPT = 128;

export const Closed = { forgotten: 0, byEnd: 1, byPeer: 2, byUs: 3 } as const;
export type Closed = (typeof Closed)[keyof typeof Closed];

export class ClosedStreams {
  #ids: Int32Array | null = null;
  readonly #how: Closed[] = [];
  #next = 0;

  add(id: number, how: Closed): void {
    this.#ids ??= new Int32Array(KEPT);
    this.#ids[this.#next] = id;
    this.#how[this.#next] = how;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** One that had ended has been reset besides: by the peer, who knows now, or by us. Rare. */
  set(id: number, how: Closed): void {
    const at = this.#ids?.indexOf(id) ?? -1;
    if (at === -1) this.add(id, how);
    else this.#how[at] = how;
  }

  /** Off the hot path: asked only for frames that should not have come. */
  how(id: number): Closed {
    const at = this.#ids?.indexOf(id) ?? -1;
    return at === -1 ? Closed.forgotten : (this.#how[at] ?? Closed.forgotten);
  }
}
