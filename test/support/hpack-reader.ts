/**
 * A second HPACK decoder (RFC 7541) for tests, so that what the program encodes is not read by its
 * own decoder. It keeps every byte of names and values and how each field was written; what RFC 7541
 * calls a decoding error is thrown.
 */
import { huffmanDecode } from "./hpack-huffman.ts";
import type { ReceivedField } from "./strict-http2.ts";

/** RFC 7541 Appendix A, from index 1. */
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = (
  ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|" +
  ":status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500|" +
  "accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|" +
  "access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|" +
  "content-encoding|content-language|content-length|content-location|content-range|content-type|" +
  "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|" +
  "if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|" +
  "proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|" +
  "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry): [string, string] => {
    const [name = "", value = ""] = entry.split("=");
    return [name, value];
  });

const ENTRY_OVERHEAD_BYTES = 32;
/** Larger integers than this are a mistake or an attack. */
const INTEGER_MAX = 2 ** 28;
const TABLE_BYTES_DEFAULT = 4_096;

export class HpackReader {
  /** Newest first. */
  readonly #table: (readonly [name: string, value: string])[] = [];
  /** What our side allows; a size update may not exceed it (§6.3). */
  #limitBytes: number = TABLE_BYTES_DEFAULT;
  #capacityBytes: number = TABLE_BYTES_DEFAULT;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Sets what our SETTINGS allow once they are acknowledged; a smaller table must be announced. */
  limit(bytes: number): void {
    this.#limitBytes = bytes;
  }

  /** Names and values that are in the dynamic table now, newest first. */
  get entries(): readonly (readonly [name: string, value: string])[] {
    return this.#table;
  }

  /** Decodes a whole block; throws what is an error of decoding. */
  decode(block: Uint8Array): ReceivedField[] {
    this.#bytes = block;
    this.#at = 0;
    const fields: ReceivedField[] = [];
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0) throw new Error("HPACK: a size update behind a field");
        this.#resize(this.#integer(5));
        continue;
      }
      if (this.#capacityBytes > this.#limitBytes) throw new Error("HPACK: no size update");
      fields.push(this.#field(first));
    }
    return fields;
  }

  #field(first: number): ReceivedField {
    if ((first & 0x80) !== 0) {
      const [name, value] = this.#entry(this.#integer(7));
      return { name, value, isNeverIndexed: false };
    }
    const isAdded = (first & 0x40) !== 0;
    const index = this.#integer(isAdded ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    const value = this.#string();
    if (isAdded) {
      this.#table.unshift([name, value]);
      this.#evict();
    }
    return { name, value, isNeverIndexed: (first & 0xf0) === 0x10 };
  }

  #entry(index: number): readonly [name: string, value: string] {
    const found =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#table[index - STATIC_TABLE.length - 1];
    if (found === undefined) throw new Error(`HPACK: no entry ${index}`);
    return found;
  }

  #string(): string {
    const isHuffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new Error("HPACK: the block ends in a string");
    this.#at += length;
    return isHuffman ? huffmanDecode(bytes) : Buffer.from(bytes).toString("latin1");
  }

  #integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#byte() & limit;
    if (value < limit) return value;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (value > INTEGER_MAX) throw new Error("HPACK: an integer is too large");
      if (byte < 0x80) return value;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error("HPACK: the block ends too early");
    return byte;
  }

  #resize(bytes: number): void {
    if (bytes > this.#limitBytes) throw new Error(`HPACK: a table of ${bytes} bytes`);
    this.#capacityBytes = bytes;
    this.#evict();
  }

  #evict(): void {
    let size = 0;
    for (const [index, [name, value]] of this.#table.entries()) {
      size += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      if (size <= this.#capacityBytes) continue;
      this.#table.length = index;
      return;
    }
  }
}
