/**
 * The header block that was sent last, for heads that come again: a caller's requests and a server's
 * responses are the same over and over on many connections, and to encode ten fields takes a microsecond.
 * A block is a function of the head's text, of where its fields lie, of a few numbers, and of the table;
 * when all of these are the same, so is the block.
 */
import { copyBytes, isSame, ViewedBytes } from "../../lib/viewed-bytes.ts";
import type { HpackEncoder } from "../hpack/encoder.ts";
import { FieldSection } from "../http1/field-section.ts";
import { MemoPace } from "./memo-pace.ts";

/** Longer ones hardly ever come again. */
const TEXT_BYTES_MAX = 1_024;
const BLOCK_BYTES_MAX = 256;
/** Numbers of a head that count; the rest are 0. */
const TRAITS = 10;

/** What a block depends on besides text and fields. */
export class HeadTraits {
  readonly numbers = new Float64Array(TRAITS);
  /** What is written besides, by identity. */
  addition: object | null = null;
}

export class SentBlock {
  readonly #pace = new MemoPace();
  readonly #numbers = new Float64Array(TRAITS);
  readonly #fields = new FieldSection();
  readonly #text = new ViewedBytes(new Uint8Array(0));
  readonly #block = new ViewedBytes(new Uint8Array(0));
  readonly #bytes = new ViewedBytes(new Uint8Array(0));
  #addition: object | null = null;
  #textBytes = -1;
  #blockBytes = 0;
  #tableChanges = 0;

  /**
   * Writes the block of a head to `bytes[at, …)` and returns where it ends, if the head is the one of
   * before; else -1. Its text is `bytes[base, end)`.
   */
  again(
    encoder: HpackEncoder,
    bytes: Uint8Array,
    base: number,
    end: number,
    fields: FieldSection,
    traits: HeadTraits,
    at: number,
  ): number {
    if (end - base !== this.#textBytes || traits.addition !== this.#addition) return -1;
    if (encoder.tableChanges !== this.#tableChanges || !fields.isLike(this.#fields)) return -1;
    const { numbers } = traits;
    for (let i = 0; i < TRAITS; i++) if (numbers[i] !== this.#numbers[i]) return -1;
    this.#bytes.use(bytes);
    if (!isSame(this.#bytes, base, end, this.#text, 0)) return -1;
    this.#pace.hit();
    return copyBytes(this.#block, 0, this.#blockBytes, this.#bytes, at);
  }

  /** Keeps what was just encoded to `bytes[at, to)`; `before`: `encoder.tableChanges` until then. */
  keep(
    encoder: HpackEncoder,
    before: number,
    bytes: Uint8Array,
    base: number,
    end: number,
    fields: FieldSection,
    traits: HeadTraits,
    at: number,
    to: number,
  ): void {
    if (encoder.tableChanges !== before || !encoder.isPublic || fields.hasNeverIndexed) return;
    if (end - base > TEXT_BYTES_MAX || to - at > BLOCK_BYTES_MAX || !this.#pace.miss()) return;
    this.#tableChanges = before;
    this.#numbers.set(traits.numbers);
    this.#addition = traits.addition;
    this.#fields.copyFrom(fields);
    this.#textBytes = end - base;
    this.#text.use(bytes.slice(base, end));
    this.#blockBytes = to - at;
    this.#block.use(bytes.slice(at, to));
  }
}
