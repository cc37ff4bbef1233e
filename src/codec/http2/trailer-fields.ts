/** The fields of a trailer section (RFC 9113 §8.1): no pseudo-header fields, nothing of a connection. */
import type { FieldSink } from "../hpack/decoder.ts";
import { FieldFlag } from "../hpack/decoder.ts";
import { Field } from "../http1/field-names.ts";
import { FIELDS_MAX, FieldSection } from "../http1/field-section.ts";
import { isForbiddenInHttp2 } from "./connection-specific.ts";
import { applyNameCase } from "./name-case.ts";

export class TrailerFields implements FieldSink {
  readonly fields = new FieldSection();
  isMalformed = false;
  #base = 0;
  #caseField = -1;

  /** Starts a section whose fields will lie from `base` on. */
  begin(base: number): void {
    this.fields.reset(0);
    this.isMalformed = false;
    this.#base = base;
    this.#caseField = -1;
  }

  /** Gives the names in `bytes`, whose text ends at `end`, the case back that a sidecar tells. */
  restoreCase(bytes: Uint8Array, end: number): void {
    if (this.#caseField === -1) return;
    const start = this.#base + this.fields.valueStart(this.#caseField);
    const signsEnd = this.#base + this.fields.valueEnd(this.#caseField);
    applyNameCase(bytes, this.#base, this.fields, start, signsEnd, end, false);
  }

  field(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): boolean {
    const base = this.#base;
    const isPseudo = id >= Field.method;
    const isBad = (flags & (FieldFlag.badName | FieldFlag.badValue)) !== 0;
    const isAdded = this.fields.add(
      id,
      nameStart - base,
      nameEnd - base,
      valueStart - base,
      valueEnd - base,
    );
    if (id === Field.origCase) this.#caseField = this.fields.count - 1;
    const isTooMany = this.fields.count > FIELDS_MAX && id !== Field.origCase;
    if (isTooMany || isPseudo || isBad || !isAdded || isForbiddenInHttp2(id))
      this.isMalformed = true;
    if ((flags & FieldFlag.neverIndexed) !== 0) this.fields.markNeverIndexed(this.fields.count - 1);
    return isAdded;
  }
}
