/**
 * A cursor over DER (ITU-T X.690 §8 to §11). Takes one form of each value only: definite lengths in
 * their shortest form, tags of one byte, integers without padding. What is skipped is walked all the
 * same, so that no length lies unnoticed.
 *
 * A fault is kept, not thrown, and shared by a reader and those it made: after it each of them is at
 * its end and reads nothing, so a caller reads on and asks once, by `error`, whether all was well.
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** Context-specific tags (X.690 §8.1.2) of a value that holds others, and of one that does not. */
export const CONTEXT_CONSTRUCTED = 0xa0;
export const CONTEXT_PRIMITIVE = 0x80;

/**
 * The most bytes that are looked at. A certificate of a mesh has 600, one with RSA-4096 and many
 * names 3,000; TLS itself would carry 16 MiB.
 */
export const DER_BYTES_MAX = 16_384;

/** A certificate nests its values 7 deep at most, directory names in extensions 10. */
const DEPTH_MAX = 16;

const CONSTRUCTED_BIT = 0x20;
/** X.690 §8.1.2.4: a tag number above 30, in further bytes. Nothing in a certificate needs one. */
const TAG_NUMBER_LONG = 0x1f;
const LENGTH_LONG_BIT = 0x80;
/** Two bytes of length tell 65,535, more than DER_BYTES_MAX. */
const LENGTH_BYTES_MAX = 2;
const INTEGER_BYTES_MAX = 4;
/** The longest in use have 20 bytes; a UUID as an arc (2.25) takes 20. */
const OID_BYTES_MAX = 32;

type Fault = { reason: string | null };

const NOTHING = new Uint8Array(0);

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #fault: Fault;
  #at: number;

  private constructor(bytes: Uint8Array, at: number, end: number, fault: Fault) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#fault = fault;
  }

  /** Makes a reader of all the bytes, which are not copied and must stay as they are. */
  static over(bytes: Uint8Array): DerReader {
    const reader = new DerReader(bytes, 0, bytes.length, { reason: null });
    if (bytes.length > DER_BYTES_MAX) reader.fail(`longer than ${DER_BYTES_MAX} bytes`);
    return reader;
  }

  /** Makes a reader of bytes that this one has returned, which shares its fault. */
  again(bytes: Uint8Array): DerReader {
    return new DerReader(bytes, 0, bytes.length, this.#fault);
  }

  /** What was wrong first, in a few words, or null. */
  get error(): string | null {
    return this.#fault.reason;
  }

  /** Nothing is left, or something was wrong. */
  get isAtEnd(): boolean {
    return this.#at >= this.#end || this.#fault.reason !== null;
  }

  /** The tag of the next value, or -1 at the end. */
  get tag(): number {
    return this.isAtEnd ? -1 : (this.#bytes[this.#at] ?? 0);
  }

  /** Keeps the reason, if it is the first. */
  fail(reason: string): void {
    this.#fault.reason ??= reason;
  }

  /** Says that nothing may be left. */
  finish(): void {
    if (!this.isAtEnd) this.fail("bytes after the last value");
  }

  /** Steps into a value of this tag: returns a reader of its content and goes on behind it. */
  enter(tag: number): DerReader {
    const end = this.#header(tag);
    const inner = new DerReader(this.#bytes, this.#at, end, this.#fault);
    this.#at = end;
    return inner;
  }

  /** Reads the content of a value of this tag, which holds no others. A view, not a copy. */
  content(tag: number): Uint8Array {
    const end = this.#header(tag);
    const content = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return this.error === null ? content : NOTHING;
  }

  /** Reads a whole value of this tag, header included, and walks what it holds. A view. */
  whole(tag: number): Uint8Array {
    const start = this.#at;
    this.#walk(tag, 0);
    return this.error === null ? this.#bytes.subarray(start, this.#at) : NOTHING;
  }

  /** Passes over a value of any tag and walks what it holds. */
  skip(): void {
    this.#walk(this.tag, 0);
  }

  /** BOOLEAN: only 0x00 and 0xff (X.690 §11.1). */
  boolean(): boolean {
    const content = this.content(TAG.boolean);
    const value = content[0] ?? 0;
    if (content.length !== 1 || (value !== 0 && value !== 0xff)) this.fail("not a BOOLEAN");
    return value === 0xff;
  }

  /** The bytes of an INTEGER of any size, two's complement, in their shortest form (X.690 §8.3.2). */
  integer(): Uint8Array {
    const content = this.content(TAG.integer);
    const [first = 0, second = 0] = content;
    const isPadded =
      content.length > 1 &&
      ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (content.length === 0 || isPadded) this.fail("an INTEGER not in its shortest form");
    return content;
  }

  /** An INTEGER from 0 to 2^31 - 1. */
  smallInteger(): number {
    const content = this.integer();
    if (content.length > INTEGER_BYTES_MAX || (content[0] ?? 0) >= 0x80) {
      this.fail("an INTEGER out of range");
      return 0;
    }
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  /** An OBJECT IDENTIFIER as the hexadecimal digits of its content (X.690 §8.19). */
  oid(): string {
    const content = this.content(TAG.oid);
    let isStart = true;
    for (const byte of content) {
      // §8.19.2: an arc does not begin with seven zero bits.
      if (isStart && byte === 0x80) this.fail("an OBJECT IDENTIFIER with a padded arc");
      isStart = byte < 0x80;
    }
    if (content.length === 0 || content.length > OID_BYTES_MAX || !isStart) {
      this.fail("not an OBJECT IDENTIFIER");
    }
    return hex(content);
  }

  /** A BIT STRING: how many bits of its last byte are unused, 0 to 7, and its bytes (X.690 §8.6). */
  bitString(): { readonly unusedBits: number; readonly bytes: Uint8Array } {
    const content = this.content(TAG.bitString);
    const unusedBits = content[0] ?? 8;
    const bytes = content.subarray(1);
    const last = bytes.at(-1) ?? 0;
    const isBad = unusedBits > 7 || (bytes.length === 0 && unusedBits > 0);
    // §11.2.1: unused bits are zero.
    if (isBad || (last & ((1 << unusedBits) - 1)) !== 0) this.fail("not a BIT STRING");
    return { unusedBits, bytes };
  }

  /** Passes over a value and, if it holds others, over these, DEPTH_MAX deep at the most. */
  #walk(tag: number, depth: number): void {
    const end = this.#header(tag);
    if (this.error !== null) return;
    if ((tag & CONSTRUCTED_BIT) !== 0) {
      if (depth >= DEPTH_MAX) return this.fail("values nested too deep");
      const inner = new DerReader(this.#bytes, this.#at, end, this.#fault);
      while (!inner.isAtEnd) inner.#walk(inner.tag, depth + 1);
    }
    this.#at = end;
  }

  /** Reads tag and length, goes on to the content and returns its end; after a fault, the place. */
  #header(tag: number): number {
    if (this.error !== null) return this.#at;
    const left = this.#end - this.#at;
    const found = this.#bytes[this.#at] ?? 0;
    if (left < 1 || found !== tag)
      return this.#refuse(left < 1 ? "a value missing" : "another tag");
    if ((found & TAG_NUMBER_LONG) === TAG_NUMBER_LONG) return this.#refuse("a tag of many bytes");
    if (left < 2) return this.#refuse("a length missing");
    let length = this.#bytes[this.#at + 1] ?? 0;
    let headerBytes = 2;
    if (length >= LENGTH_LONG_BIT) {
      const count = length - LENGTH_LONG_BIT;
      // A count of 0 is an indefinite length, which DER has not (X.690 §10.1).
      if (count === 0) return this.#refuse("an indefinite length");
      if (count > LENGTH_BYTES_MAX) return this.#refuse("a length beyond the end");
      headerBytes += count;
      if (left < headerBytes) return this.#refuse("a length missing");
      length = this.#bytes[this.#at + 2] ?? 0;
      if (count === 2) length = length * 256 + (this.#bytes[this.#at + 3] ?? 0);
      const isShortest = count === 1 ? length >= LENGTH_LONG_BIT : length >= 256;
      if (!isShortest) return this.#refuse("a length not in its shortest form");
    }
    if (length > left - headerBytes) return this.#refuse("a length beyond the end");
    this.#at += headerBytes;
    return this.#at + length;
  }

  #refuse(reason: string): number {
    this.fail(reason);
    return this.#at;
  }
}

/** Returns bytes as hexadecimal digits in lower case. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
