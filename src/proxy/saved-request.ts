/**
 * A request kept until its response begins, so that it can be sent once more: on another endpoint
 * when connecting failed, or when the endpoint says that it has not looked at it. Its head's text
 * lies first, then its content as far as that is little.
 */
import { type KeptBudget, KeptData } from "../protocol/http2/kept-data.ts";

/** Content that is kept after it was sent. More of it, and the request is sent only once. */
export const REPLAYED_BYTES_MAX = 16_384;

export class SavedRequest {
  readonly #data: KeptData;
  #textBytes = 0;
  #isWhole = false;

  constructor(budget: KeptBudget) {
    this.#data = new KeptData(budget);
  }

  /** Keeps a head's text. False: no memory. */
  save(bytes: Uint8Array, start: number, end: number): boolean {
    this.#data.clear();
    this.#textBytes = end - start;
    this.#isWhole = this.#data.append(bytes, start, end);
    return this.#isWhole;
  }

  /** Keeps content. False: no memory, and what is kept is of no use any more. */
  append(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isWhole) this.#isWhole = this.#data.append(bytes, start, end);
    return this.#isWhole;
  }

  /** All that came of the request so far is here. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get textBytes(): number {
    return this.#textBytes;
  }

  get contentBytes(): number {
    return this.#isWhole ? this.#data.length - this.#textBytes : 0;
  }

  /** Copies text and content to `bytes[at, …)`; returns where they end. */
  copyTo(bytes: Uint8Array, at: number): number {
    return this.#data.copyTo(bytes, at);
  }

  clear(): void {
    this.#data.clear();
    this.#isWhole = false;
  }
}
