/**
 * The chunked coding, RFC 9112 §7.1, strictly: sizes below 2^53 of at most 16 hexadecimal digits
 * without sign or space, extensions thrown away under a budget, CRLF after each chunk, trailers
 * parsed as fields. What goes on is always coded anew (`writeChunkHeader`), so no disguise in a
 * size line or an extension can reach a backend.
 */
import { BACKSLASH, CR, FIELD_VALUE, HEX, LF, QUOTE, SEMICOLON } from "./chars.ts";
import type { Http1Error } from "./errors.ts";
import { FieldSection, Step } from "./field-section.ts";

/** Digits of a chunk size, leading zeros included: some senders pad to 64 bits. */
const SIZE_DIGITS_MAX = 16;
/** Size line with extensions; nobody needs more. */
const SIZE_LINE_BYTES_MAX = 4_096;
/** Bytes of size lines over a whole body: so many, and so many more for each byte of data. */
const OVERHEAD_BYTES_MAX = 4 * SIZE_LINE_BYTES_MAX;
const OVERHEAD_PER_DATA_BYTE = 16;
/** Bytes of a trailer section; its field count is limited like a head's. */
export const TRAILER_BYTES_MAX = 16_384;

const State = {
  size: 0,
  extension: 1,
  quoted: 2,
  quotedPair: 3,
  sizeEnd: 4,
  data: 5,
  dataCr: 6,
  dataLf: 7,
  trailers: 8,
  done: 9,
} as const;
type State = (typeof State)[keyof typeof State];

export class ChunkedDecoder {
  error: Http1Error = "bad-chunk";
  /** Offset in `bytes` after the last byte that `decode` used. */
  consumed = 0;
  /** The trailer fields, with offsets relative to `consumed` of the first call that is done. */
  readonly trailers = new FieldSection();
  #state: State = State.size;
  #digits = 0;
  #remaining = 0;
  #lineBytes = 0;
  #overheadBytes = 0;
  #dataBytes = 0;

  reset(): void {
    this.error = "bad-chunk";
    this.#state = State.size;
    this.#startLine();
    this.#overheadBytes = 0;
    this.#dataBytes = 0;
  }

  /**
   * Decodes `bytes[start, end)`, copies the data to `bytes[out, …)` and returns where it ends
   * there, or -1 when the coding is broken. The data is never longer than the input. With
   * `isDone` false afterwards, bytes from `consumed` to `end` are to be given again with more: that
   * only happens for an unfinished trailer section.
   */
  decode(bytes: Uint8Array, start: number, end: number, out: number): number {
    let at = start;
    let to = out;
    while (at < end && this.#state < State.trailers) {
      if (this.#state === State.data) {
        const count = Math.min(this.#remaining, end - at);
        bytes.copyWithin(to, at, at + count);
        to += count;
        at += count;
        this.#dataBytes += count;
        this.#remaining -= count;
        if (this.#remaining === 0) this.#state = State.dataCr;
      } else if (!this.#step(bytes[at++] ?? 0)) {
        return -1;
      }
    }
    this.consumed = at;
    if (this.#state === State.trailers) return this.#decodeTrailers(bytes, at, end) ? to : -1;
    return to;
  }

  get isDone(): boolean {
    return this.#state === State.done;
  }

  /** One byte of a size line or of the CRLF after a chunk's data. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case State.size:
        return this.#stepSize(byte);
      case State.extension:
      case State.quoted:
      case State.quotedPair:
        return this.#stepExtension(byte);
      case State.sizeEnd:
        if (byte !== LF) return false;
        this.#overheadBytes += this.#lineBytes;
        this.#state = this.#remaining === 0 ? State.trailers : State.data;
        if (this.#state === State.trailers) this.trailers.reset(0);
        return this.#isWithinBudget();
      case State.dataCr:
        this.#state = State.dataLf;
        return byte === CR;
      default:
        this.#startLine();
        this.#state = State.size;
        return byte === LF;
    }
  }

  #stepSize(byte: number): boolean {
    const digit = HEX[byte] ?? 255;
    if (digit !== 255) {
      this.#digits++;
      this.#remaining = this.#remaining * 16 + digit;
      return (
        this.#digits <= SIZE_DIGITS_MAX &&
        this.#remaining <= Number.MAX_SAFE_INTEGER &&
        this.#countLine()
      );
    }
    if (this.#digits === 0) return false;
    if (byte === CR) this.#state = State.sizeEnd;
    else if (byte === SEMICOLON) this.#state = State.extension;
    else return false;
    return true;
  }

  /** A quoted string must end on its line, or another reader may see the line end elsewhere. */
  #stepExtension(byte: number): boolean {
    if (byte === CR) {
      if (this.#state !== State.extension) return false;
      this.#state = State.sizeEnd;
      return true;
    }
    if (FIELD_VALUE[byte] === 0) return false;
    if (this.#state === State.quotedPair) this.#state = State.quoted;
    else if (byte === QUOTE) {
      this.#state = this.#state === State.quoted ? State.extension : State.quoted;
    } else if (byte === BACKSLASH && this.#state === State.quoted) this.#state = State.quotedPair;
    return this.#countLine();
  }

  #countLine(): boolean {
    return ++this.#lineBytes <= SIZE_LINE_BYTES_MAX;
  }

  /** One-byte chunks with long extensions make a proxy read much for little (CVE-2024-22019). */
  #isWithinBudget(): boolean {
    const budget = OVERHEAD_BYTES_MAX + this.#dataBytes * OVERHEAD_PER_DATA_BYTE;
    return this.#overheadBytes <= budget;
  }

  #startLine(): void {
    this.#digits = 0;
    this.#remaining = 0;
    this.#lineBytes = 0;
  }

  #decodeTrailers(bytes: Uint8Array, at: number, end: number): boolean {
    const step = this.trailers.parse(bytes, at, Math.min(end, at + TRAILER_BYTES_MAX));
    if (step === Step.malformed) {
      this.error = this.trailers.error;
      return false;
    }
    if (step === Step.done) {
      this.#state = State.done;
      this.consumed = at + this.trailers.end;
      return true;
    }
    if (end - at < TRAILER_BYTES_MAX) return true;
    this.error = "head-too-large";
    return false;
  }
}

/** Bytes that `writeChunkHeader` may need: 8 digits and CRLF. */
export const CHUNK_HEADER_BYTES_MAX = 10;

/** Writes `size` in hexadecimal and CRLF so that it ends at `end`; returns where it starts. */
export function writeChunkHeader(bytes: Uint8Array, end: number, size: number): number {
  let at = end;
  bytes[--at] = LF;
  bytes[--at] = CR;
  let rest = size;
  do {
    const digit = rest & 15;
    bytes[--at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest >>>= 4;
  } while (rest > 0);
  return at;
}
