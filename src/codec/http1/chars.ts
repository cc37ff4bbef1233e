/** Character classes as tables of 256 bytes: 1 where the byte belongs. */

/** RFC 9110 §5.6.2: tchar. */
export const TCHAR = table(
  (byte) => isDigit(byte) || isAlpha(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte)),
);

/** RFC 9110 §5.5: what a field value may hold: VCHAR, obs-text, SP and HTAB. */
export const FIELD_VALUE = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/**
 * RFC 9112 §3.2: what a request target may hold here: visible ASCII but "#", for a fragment is
 * never sent. Wider than RFC 3986, because clients in the field send `|`, `{` and quotes.
 */
export const TARGET = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);

/** RFC 3986 §3.2.2: host and port, brackets of IPv6 literals included, userinfo not. */
export const AUTHORITY = table(
  (byte) =>
    isDigit(byte) || isAlpha(byte) || "-._~!$&'()*+;=%:[]".includes(String.fromCharCode(byte)),
);

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const STAR = 0x2a;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const BACKSLASH = 0x5c;

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isAlpha(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function table(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte) ? 1 : 0));
}
