/**
 * The field lines of a head or a trailer section, RFC 9112 §5: parsed strictly, kept as offsets
 * into the bytes they came from. Nothing is made into a string, nothing is copied. Offsets are
 * relative to the message's first byte, so that the message may move to another buffer between two
 * calls. Strict means: CRLF only, no obs-fold, no space before the colon, no control byte.
 */
import { COLON, CR, FIELD_VALUE, LF, SP, TAB, TCHAR } from "./chars.ts";
import type { Http1Error } from "./errors.ts";
import { fieldOf, hashName, NAME_HASH_SEED } from "./field-names.ts";

/** Field lines in one section: each costs memory of its own, however short. HTTP/2 has the same. */
export const FIELDS_MAX = 100;
/** Room for those that sidecars add, and for a Transfer-Encoding that one takes away. */
const FIELDS_CAPACITY = FIELDS_MAX + 8;
/** Bytes of a whole head, start line included: one chunk of a worker's memory. */
export const HEAD_BYTES_MAX = 65_536;

/** Result of a step that may lack bytes. */
export const Step = { incomplete: 0, done: 1, malformed: 2 } as const;
export type Step = (typeof Step)[keyof typeof Step];

const WORDS_PER_FIELD = 5;
/** Room that a section begins with: most messages have fewer, and many sections live at once. */
const FIELDS_AT_FIRST = 20;

export class FieldSection {
  /** Fields seen so far. */
  count = 0;
  /** Why `parse` returned malformed. */
  error: Http1Error = "bad-field-name";
  /** Offset of the first byte after the section, once done. */
  end = 0;
  #offsets = new Int32Array(FIELDS_AT_FIRST * WORDS_PER_FIELD);
  /** Fields that HPACK may never index; made with the first of them. */
  #neverIndexed: Set<number> | null = null;
  /** Where the last call stopped: offset of the next byte, and of the line that it belongs to. */
  #at = 0;
  #line = 0;
  /** Offset of the colon of that line, 0 before it, and the hash of the name so far. */
  #nameEnd = 0;
  #hash = NAME_HASH_SEED;

  /** Starts over; the section's first byte is at `offset`. */
  reset(offset: number): void {
    this.count = 0;
    this.end = offset;
    if (this.#neverIndexed !== null) this.#neverIndexed = null;
    this.#wait(offset, offset, 0, NAME_HASH_SEED);
  }

  /** Adds a field that another decoder found; offsets are relative. False: there is no room. */
  add(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    if (this.count === FIELDS_CAPACITY) return false;
    if (this.count * WORDS_PER_FIELD === this.#offsets.length) this.#grow();
    this.set(this.count++, id, nameStart, nameEnd, valueStart, valueEnd);
    return true;
  }

  #grow(): void {
    const grown = new Int32Array(FIELDS_CAPACITY * WORDS_PER_FIELD);
    grown.set(this.#offsets);
    this.#offsets = grown;
  }

  /** Puts a field before `index`. False: there is no room. */
  insert(
    index: number,
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    if (this.count === FIELDS_CAPACITY) return false;
    const word = index * WORDS_PER_FIELD;
    if (this.count * WORDS_PER_FIELD === this.#offsets.length) this.#grow();
    this.#offsets.copyWithin(word + WORDS_PER_FIELD, word, this.count * WORDS_PER_FIELD);
    this.count++;
    this.set(index, id, nameStart, nameEnd, valueStart, valueEnd);
    const never = this.#neverIndexed;
    if (never !== null) {
      this.#neverIndexed = new Set([...never].map((each) => (each >= index ? each + 1 : each)));
    }
    return true;
  }

  /** Has the fields of `other` from now on. */
  copyFrom(other: FieldSection): void {
    const words = other.count * WORDS_PER_FIELD;
    if (words > this.#offsets.length) this.#grow();
    for (let i = 0; i < words; i++) this.#offsets[i] = other.#offsets[i] ?? 0;
    this.count = other.count;
    this.end = other.end;
    this.#neverIndexed = other.#neverIndexed === null ? null : new Set(other.#neverIndexed);
  }

  /** Whether the fields are where those of `other` are, and the same as far as they are known. */
  isLike(other: FieldSection): boolean {
    if (this.count !== other.count || this.hasNeverIndexed || other.hasNeverIndexed) return false;
    const words = this.count * WORDS_PER_FIELD;
    for (let i = 0; i < words; i++) if (this.#offsets[i] !== other.#offsets[i]) return false;
    return true;
  }

  get hasNeverIndexed(): boolean {
    return this.#neverIndexed !== null;
  }

  /** Replaces a field. */
  set(
    index: number,
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const word = index * WORDS_PER_FIELD;
    const offsets = this.#offsets;
    offsets[word] = id;
    offsets[word + 1] = nameStart;
    offsets[word + 2] = nameEnd;
    offsets[word + 3] = valueStart;
    offsets[word + 4] = valueEnd;
  }

  /** Whoever encoded the field asked that no table ever hold it (RFC 7541 §7.1.3). */
  isNeverIndexed(index: number): boolean {
    return this.#neverIndexed?.has(index) === true;
  }

  markNeverIndexed(index: number): void {
    this.#neverIndexed ??= new Set();
    this.#neverIndexed.add(index);
  }

  /** Field number, see Field. */
  id(index: number): number {
    return this.#offsets[index * WORDS_PER_FIELD] ?? 0;
  }
  nameStart(index: number): number {
    return this.#offsets[index * WORDS_PER_FIELD + 1] ?? 0;
  }
  nameEnd(index: number): number {
    return this.#offsets[index * WORDS_PER_FIELD + 2] ?? 0;
  }
  valueStart(index: number): number {
    return this.#offsets[index * WORDS_PER_FIELD + 3] ?? 0;
  }
  valueEnd(index: number): number {
    return this.#offsets[index * WORDS_PER_FIELD + 4] ?? 0;
  }

  /** Makes a field an ordinary one, or marks it to be dropped by giving it a number of its own. */
  mark(index: number, id: number): void {
    this.#offsets[index * WORDS_PER_FIELD] = id;
  }

  /**
   * Parses on from where the last call stopped. `bytes[base]` is the message's first byte, `end`
   * the end of what has arrived. Every byte is looked at once over all calls, so the work is linear
   * and the result does not depend on how the bytes were cut.
   */
  parse(bytes: Uint8Array, base: number, end: number): Step {
    let at = base + this.#at;
    let lineStart = base + this.#line;
    let nameEnd = base + this.#nameEnd;
    let hash = this.#hash;
    for (;;) {
      let byte = 0;
      if (nameEnd <= lineStart) {
        for (; at < end; at++) {
          byte = bytes[at] ?? 0;
          if (TCHAR[byte] === 0) break;
          hash = hashName(hash, byte);
        }
        if (at >= end) return this.#wait(at - base, lineStart - base, 0, hash);
        if (at === lineStart && byte === CR) return this.#parseEnd(bytes, base, at, end);
        if (byte !== COLON || at === lineStart) return this.#badName(byte);
        nameEnd = at++;
      }
      for (; at < end; at++) {
        byte = bytes[at] ?? 0;
        if (FIELD_VALUE[byte] === 0) break;
      }
      if (at < end && byte !== CR) return this.#badValue(byte);
      if (at + 1 >= end) return this.#wait(at - base, lineStart - base, nameEnd - base, hash);
      if (bytes[at + 1] !== LF) return this.#fail("bad-line-end");
      if (this.count === FIELDS_MAX) return this.#fail("too-many-fields");
      const word = this.count++ * WORDS_PER_FIELD;
      if (word === this.#offsets.length) this.#grow();
      const offsets = this.#offsets;
      offsets[word] = fieldOf(bytes, lineStart, nameEnd, hash);
      offsets[word + 1] = lineStart - base;
      offsets[word + 2] = nameEnd - base;
      let valueStart = nameEnd + 1;
      while (valueStart < at && isSpace(bytes[valueStart])) valueStart++;
      offsets[word + 3] = valueStart - base;
      let valueEnd = at;
      while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1])) valueEnd--;
      offsets[word + 4] = valueEnd - base;
      at += 2;
      lineStart = at;
      hash = NAME_HASH_SEED;
    }
  }

  /** The empty line at the end, whose CR is at `at`. */
  #parseEnd(bytes: Uint8Array, base: number, at: number, end: number): Step {
    if (at + 1 >= end) return this.#wait(at - base, at - base, 0, NAME_HASH_SEED);
    if (bytes[at + 1] !== LF) return this.#fail("bad-line-end");
    this.end = at + 2 - base;
    return Step.done;
  }

  #wait(at: number, line: number, nameEnd: number, hash: number): Step {
    this.#at = at;
    this.#line = line;
    this.#nameEnd = nameEnd;
    this.#hash = hash;
    return Step.incomplete;
  }

  #badName(byte: number): Step {
    return this.#fail(byte === LF || byte === CR ? "bad-line-end" : "bad-field-name");
  }

  #badValue(byte: number): Step {
    return this.#fail(byte === LF ? "bad-line-end" : "bad-field-value");
  }

  #fail(error: Http1Error): Step {
    this.error = error;
    return Step.malformed;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === SP || byte === TAB;
}

/** A field that must not be sent on, whatever it was. */
export const DROPPED = -1;
