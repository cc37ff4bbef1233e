/**
 * The Connection field, RFC 9110 §7.6.1: its options, and the fields it nominates. What a message
 * nominates is dropped, except what frames the message or says where it goes: a client must not be
 * able to take Host, Content-Length or an identity away (CVE-2022-31813 and its kin).
 */
import { COMMA, SP, TAB, TCHAR } from "./chars.ts";
import { bytesOf, equals, Field } from "./field-names.ts";
import { DROPPED, type FieldSection } from "./field-section.ts";

/** Bits of what a Connection field asks for. */
export const Option = {
  close: 1,
  keepAlive: 2,
  upgrade: 4,
  te: 8,
  nominates: 16,
  bad: 32,
} as const;

const CLOSE = bytesOf("close");
const KEEP_ALIVE = bytesOf("keep-alive");
const UPGRADE = bytesOf("upgrade");
const TE = bytesOf("te");

/** Options in one line. Each is looked for among all fields: thousands would cost milliseconds. */
const OPTIONS_MAX = 64;

/** Reads one Connection field line's value in `bytes[start, end)` into bits of Option. */
export function readOptions(bytes: Uint8Array, start: number, end: number): number {
  let options = 0;
  let count = 0;
  forEachToken(bytes, start, end, (from, to) => {
    options |= ++count > OPTIONS_MAX ? Option.bad : optionOf(bytes, from, to);
    return count <= OPTIONS_MAX;
  });
  return options;
}

/** Marks as DROPPED every field of `section` that its Connection fields nominate. */
export function dropNominated(bytes: Uint8Array, base: number, section: FieldSection): void {
  for (let i = 0; i < section.count; i++) {
    if (section.id(i) !== Field.connection) continue;
    const start = base + section.valueStart(i);
    forEachToken(bytes, start, base + section.valueEnd(i), (from, to) => {
      if (optionOf(bytes, from, to) === Option.nominates) dropNamed(bytes, base, section, from, to);
      return true;
    });
  }
}

function dropNamed(
  bytes: Uint8Array,
  base: number,
  section: FieldSection,
  from: number,
  to: number,
): void {
  for (let i = 0; i < section.count; i++) {
    if (!isNominable(section.id(i))) continue;
    const start = base + section.nameStart(i);
    if (base + section.nameEnd(i) - start !== to - from) continue;
    let at = from;
    while (at < to && lower(bytes[at] ?? 0) === lower(bytes[start + at - from] ?? 0)) at++;
    if (at === to) section.mark(i, DROPPED);
  }
}

/** What frames the message, says where it goes or who sent it cannot be taken away. */
function isNominable(id: number): boolean {
  return (
    id === Field.other || id === Field.cookie || id === Field.secret || id === Field.contentType
  );
}

function optionOf(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from) return Option.bad;
  if (is(bytes, from, to, CLOSE)) return Option.close;
  if (is(bytes, from, to, KEEP_ALIVE)) return Option.keepAlive;
  if (is(bytes, from, to, UPGRADE)) return Option.upgrade;
  if (is(bytes, from, to, TE)) return Option.te;
  return Option.nominates;
}

/**
 * Calls `use` with each token of a comma-separated list (RFC 9110 §5.6.1); empty elements are
 * skipped, an element that is no token is passed as an empty one. Stops when `use` returns false.
 */
export function forEachToken(
  bytes: Uint8Array,
  start: number,
  end: number,
  use: (from: number, to: number) => boolean,
): void {
  let at = start;
  while (at < end) {
    while (at < end && isSeparator(bytes[at])) at++;
    if (at >= end) return;
    const from = at;
    while (at < end && TCHAR[bytes[at] ?? 0] === 1) at++;
    const to = at;
    while (at < end && (bytes[at] === SP || bytes[at] === TAB)) at++;
    const isToken = to > from && (at >= end || bytes[at] === COMMA);
    if (!isToken) while (at < end && bytes[at] !== COMMA) at++;
    if (!use(from, isToken ? to : from)) return;
  }
}

/** Compares a token with a lower-case name, letters folded. */
export function is(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  return to - from === name.length && equals(bytes, from, name);
}

function isSeparator(byte: number | undefined): boolean {
  return byte === COMMA || byte === SP || byte === TAB;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
