/**
 * Whether bytes that a peer calls a host name are one: the preferred syntax of RFC 1035 §2.3.1, with
 * the leading digits of RFC 1123 §2.1 and the underscores of service names. Not internationalised:
 * on the wire those names are ASCII too (RFC 5890 §2.3.2.1).
 */

/** RFC 1035 §2.3.4 allows 255 bytes in wire form, which are 253 as text without the root. */
const NAME_BYTES_MAX = 253;

/** RFC 1035 §2.3.4. */
const LABEL_BYTES_MAX = 63;

const DOT = 0x2e;
const HYPHEN = 0x2d;

/** The byte in lower case if a label may hold it, else 0. */
const LABEL = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[0-9A-Za-z_-]/.test(char) ? char.toLowerCase().charCodeAt(0) : 0;
});

/** A last label that parsers of addresses take for a number; no top-level domain looks like it. */
const NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

/**
 * Returns the host name in `bytes[start, end)` in lower case and without one trailing dot, or null
 * when it is not one. Labels have 1 to 63 bytes and no hyphen at either end; all have 253 at the
 * most. What reads as an IPv4 address ("10.0.0.1", "1", "0x7f.1") is not a name.
 */
export function hostName(bytes: Uint8Array, start: number, end: number): string | null {
  const last = bytes[end - 1] === DOT ? end - 1 : end;
  if (last <= start || last - start > NAME_BYTES_MAX) return null;
  let name = "";
  let labelStart = start;
  for (let at = start; at < last; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === DOT) {
      if (!isLabel(bytes, labelStart, at)) return null;
      labelStart = at + 1;
      name += ".";
      continue;
    }
    const lower = LABEL[byte] ?? 0;
    if (lower === 0) return null;
    name += String.fromCharCode(lower);
  }
  if (!isLabel(bytes, labelStart, last) || NUMBER.test(name)) return null;
  return name;
}

/** Tells whether bytes that may stand in a label make one by their number and by their ends. */
function isLabel(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < 1 || length > LABEL_BYTES_MAX) return false;
  return bytes[start] !== HYPHEN && bytes[end - 1] !== HYPHEN;
}
