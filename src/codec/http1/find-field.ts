/** A field by its name, for the few that are looked for only when something has gone wrong. */
import { equals } from "./field-names.ts";
import type { FieldSection } from "./field-section.ts";

/** Returns the index of the first field called `name` (lower case), or -1. */
export function indexOfField(
  bytes: Uint8Array,
  base: number,
  fields: FieldSection,
  name: Uint8Array,
): number {
  for (let i = 0; i < fields.count; i++) {
    const start = fields.nameStart(i);
    if (fields.nameEnd(i) - start === name.length && equals(bytes, base + start, name)) return i;
  }
  return -1;
}
