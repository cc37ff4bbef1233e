/**
 * The streams of a connection by their numbers, in place of a `Map`: an engine makes that anew when many
 * were deleted from it, some hundred bytes for every few requests, and the old ones pile up until all is
 * collected (bench/README.md, Memory). Open addressing, and a deletion closes its gap: nothing is made
 * but a larger table when half of one is used. Numbers rise by two, so that neighbours lie side by side;
 * a peer that has them collide is searched for through all of its streams, a thousand at the most.
 */
import type { Http2Stream } from "./stream.ts";

/** A power of two, for eight streams. Longer ones are kept: twice the most streams there were at once. */
const SLOTS_MIN = 16;

export class Streams {
  #slots: (Http2Stream | null)[] = emptySlots(SLOTS_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Http2Stream | undefined {
    return this.#slots[this.#placeOf(id)] ?? undefined;
  }

  /** Adds a stream, of which the number must be new. */
  add(stream: Http2Stream): void {
    if (++this.#size * 2 > this.#slots.length) this.#grow();
    this.#slots[this.#placeOf(stream.id)] = stream;
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = this.#placeOf(id);
    if (slots[gap] === null) return;
    this.#size--;
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at] ?? null;
      if (stream === null) break;
      // Whoever would be looked for from the gap or before it moves there.
      const home = (stream.id >>> 1) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = stream;
      gap = at;
    }
    slots[gap] = null;
  }

  /** All there are, by their numbers, which is the order in which they were opened; may be kept. */
  list(): readonly Http2Stream[] {
    if (this.#size === 0) return NONE;
    return this.#slots.filter((stream) => stream !== null).sort((a, b) => a.id - b.id);
  }

  /** Where a number is, or would be. */
  #placeOf(id: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (id >>> 1) & mask;
    for (let stream = slots[at]; stream && stream.id !== id; stream = slots[at])
      at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = emptySlots(2 * old.length);
    for (const stream of old) if (stream !== null) this.#slots[this.#placeOf(stream.id)] = stream;
  }
}

const NONE: readonly Http2Stream[] = [];

function emptySlots(count: number): (Http2Stream | null)[] {
  return new Array<Http2Stream | null>(count).fill(null);
}
