/** The Upgrade field, RFC 9110 §7.8, as far as a proxy must read it. */
import { forEachToken, is } from "./connection-field.ts";
import { bytesOf } from "./field-names.ts";

const H2C = bytesOf("h2c");

/** Whether an Upgrade value is a list of plain protocol names without h2c. May be ignored (§7.8). */
export function isUpgrade(bytes: Uint8Array, start: number, end: number): boolean {
  let protocols = 0;
  let hasOther = false;
  forEachToken(bytes, start, end, (from, to) => {
    protocols++;
    if (to === from || is(bytes, from, to, H2C)) hasOther = true;
    return true;
  });
  return protocols > 0 && !hasOther;
}
