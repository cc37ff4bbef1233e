/**
 * The static table, RFC 7541 Appendix A, kept as the dynamic table is: lines `name: value` CRLF in
 * one array, and numbers that say where they are. Indexes count from 1; nothing is at 0.
 */

import { hashFolded, isSame, ViewedBytes } from "../../lib/viewed-bytes.ts";
import { bytesOf, fieldOf, hashName, NAME_HASH_SEED } from "../http1/field-names.ts";
import { isSameName, LINE_OVERHEAD_BYTES, SEPARATOR_BYTES } from "./line.ts";

const ENTRIES: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** Entries of the static table; the dynamic table's indexes go on from here. */
export const STATIC_COUNT = 61;

/** All lines in a row. */
export const STATIC_LINES = new ViewedBytes(
  bytesOf(ENTRIES.map(([name, value]) => `${name}: ${value}\r\n`).join("")),
);
/** Where in STATIC_LINES an entry's line begins. */
export const STATIC_START: Uint16Array = starts();
export const STATIC_NAME_BYTES = Uint8Array.of(0, ...ENTRIES.map(([name]) => name.length));
export const STATIC_VALUE_BYTES = Uint8Array.of(0, ...ENTRIES.map(([, value]) => value.length));
/** `hashFolded` over the name. */
export const STATIC_NAME_HASH = Int32Array.of(0, ...ENTRIES.map(([name]) => hashOf(name)));
/** Field number of the name, as field-names.ts has it. */
export const STATIC_FIELD = Uint8Array.of(
  0,
  ...ENTRIES.map(([name]) => fieldNumberOf(bytesOf(name))),
);
/** First and last index with the same name; they are neighbours. */
export const STATIC_FIRST = Uint8Array.of(0, ...ENTRIES.map(([name]) => firstOf(name)));
export const STATIC_LAST = Uint8Array.of(0, ...ENTRIES.map(([name]) => lastOf(name)));

/** Slots of the look-up by name: four times the 52 names, so that most look-ups see one. */
const SLOTS = 256;
/** The first index of a name, at the slot of its hash or one behind it; 0 is free. */
const BY_HASH: Uint8Array = slots();

/**
 * Returns the first index whose name is `bytes[start, end)`, letters folded to lower case, or 0.
 * `hash` is `hashFolded` over it.
 */
export function staticNameIndex(
  bytes: ViewedBytes,
  start: number,
  end: number,
  hash: number,
): number {
  for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
    const index = BY_HASH[slot] ?? 0;
    if (index === 0) return 0;
    if (STATIC_NAME_HASH[index] !== hash || STATIC_NAME_BYTES[index] !== end - start) continue;
    if (isSameName(bytes, start, end, STATIC_LINES, STATIC_START[index] ?? 0)) return index;
  }
}

/** Returns the index that has the name of `nameIndex` and the value `bytes[start, end)`, or 0. */
export function staticFieldIndex(
  nameIndex: number,
  bytes: ViewedBytes,
  start: number,
  end: number,
): number {
  const last = STATIC_LAST[nameIndex] ?? 0;
  for (let index = STATIC_FIRST[nameIndex] ?? 1; index <= last; index++) {
    if (STATIC_VALUE_BYTES[index] !== end - start) continue;
    const value = (STATIC_START[index] ?? 0) + (STATIC_NAME_BYTES[index] ?? 0) + SEPARATOR_BYTES;
    if (isSame(bytes, start, end, STATIC_LINES, value)) return index;
  }
  return 0;
}

function hashOf(name: string): number {
  return hashFolded(new ViewedBytes(bytesOf(name)), 0, name.length);
}

function fieldNumberOf(name: Uint8Array): number {
  return fieldOf(name, 0, name.length, name.reduce(hashName, NAME_HASH_SEED));
}

function firstOf(name: string): number {
  return 1 + ENTRIES.findIndex(([other]) => other === name);
}

function lastOf(name: string): number {
  return 1 + ENTRIES.findLastIndex(([other]) => other === name);
}

function starts(): Uint16Array {
  const starts = new Uint16Array(STATIC_COUNT + 1);
  let at = 0;
  for (const [i, [name, value]] of ENTRIES.entries()) {
    starts[i + 1] = at;
    at += name.length + value.length + LINE_OVERHEAD_BYTES;
  }
  return starts;
}

function slots(): Uint8Array {
  const slots = new Uint8Array(SLOTS);
  for (const [name] of ENTRIES) {
    const index = firstOf(name);
    let slot = hashOf(name) & (SLOTS - 1);
    while (slots[slot] !== 0 && slots[slot] !== index) slot = (slot + 1) & (SLOTS - 1);
    slots[slot] = index;
  }
  return slots;
}
