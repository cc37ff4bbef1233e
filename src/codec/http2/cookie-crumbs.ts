/**
 * HTTP/2 may split a Cookie into one field for each pair (RFC 9113 §8.2.3). Whoever reads the
 * request behind us gets one field, joined with "; ", at the place of the first. Each crumb has been
 * counted as a field of its own before.
 */

import { copyWithin } from "../../lib/viewed-bytes.ts";
import { bytesOf, Field } from "../http1/field-names.ts";
import { DROPPED, type FieldSection } from "../http1/field-section.ts";
import { put } from "../http1/write-fields.ts";

const NAME = bytesOf("cookie: ");
const NAME_BYTES = 6;
const SEPARATOR = bytesOf("; ");
const CRLF = bytesOf("\r\n");

export class CookieCrumbs {
  readonly #indices: number[] = [];

  reset(): void {
    this.#indices.length = 0;
  }

  /** Notes that field `index` is a Cookie. */
  add(index: number): void {
    this.#indices.push(index);
  }

  /**
   * Joins what was noted, if it is more than one, behind `end`; returns where the text ends. The
   * room needed is that of all crumbs once more.
   */
  join(bytes: Uint8Array, base: number, fields: FieldSection, end: number): number {
    const [first] = this.#indices;
    if (first === undefined || this.#indices.length === 1) return end;
    let to = put(bytes, end, NAME);
    const valueStart = to;
    let isSecret = false;
    for (const index of this.#indices) {
      fields.mark(index, DROPPED);
      // An empty one would leave a blank at an end, which HTTP/2 forbids (§8.2.1).
      if (fields.valueEnd(index) === fields.valueStart(index)) continue;
      if (to > valueStart) to = put(bytes, to, SEPARATOR);
      to = copyWithin(bytes, base + fields.valueStart(index), base + fields.valueEnd(index), to);
      isSecret ||= fields.isNeverIndexed(index);
    }
    const nameEnd = end + NAME_BYTES - base;
    fields.set(first, Field.cookie, end - base, nameEnd, valueStart - base, to - base);
    if (isSecret) fields.markNeverIndexed(first);
    return put(bytes, to, CRLF);
  }
}
