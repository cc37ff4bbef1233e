/** Labels of inbound clients, by the name that each has proved: for ever, but of a bounded number. */
import type { SeriesAllocator } from "./series-allocator.ts";

/** Clients that are told apart in metrics; identities can be as many as the mesh is large. */
export const CLIENTS_MAX = 256;

export class Clients {
  readonly #series: SeriesAllocator;
  readonly #numbers = new Map<string, number>();

  constructor(series: SeriesAllocator) {
    this.#series = series;
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** Returns whether there is something new. Beyond the limit all others share one number. */
  meet(name: string): boolean {
    if (this.#numbers.has(name) || this.#numbers.size >= CLIENTS_MAX) return false;
    const labels = { direction: "inbound", authority: "", target: "", peer: name } as const;
    this.#numbers.set(name, this.#series.allocate(labels));
    return true;
  }

  entries(): { readonly name: string; readonly series: number }[] {
    return [...this.#numbers].map(([name, series]) => ({ name, series }));
  }
}
