/**
 * IP and socket addresses as text and bytes. Strict on purpose: what getaddrinfo would read in its
 * own way (`127.1`, `0x7f.1`, `010.0.0.1`, a zone) is no address here and no host name either, so
 * that nothing is looked up that a check took for something else. Pure.
 */

/** Where a socket listens or goes: 4 or 16 bytes and a port. */
export type SocketAddress = {
  readonly ip: Uint8Array;
  readonly port: number;
};

/** A host by name or by address, without brackets, and a port. */
export type HostPort = {
  readonly host: string;
  readonly port: number;
};

const PORT_MAX = 65_535;
const V4_BYTES = 4;
const V6_BYTES = 16;
const V6_GROUPS = 8;

/** RFC 1035 §2.3.4: 255 bytes on the wire are 253 characters of text. */
const HOST_NAME_CHARS_MAX = 253;

const DECIMAL_BYTE = /^(?:0|[1-9][0-9]{0,2})$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
/** RFC 1123 §2.1 letters, digits and inner hyphens; underscores are in use for service names. */
const LABEL = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/;
/** What the URL standard's "ends in a number" check takes for the last part of an IPv4 address. */
const NUMBER_LABEL = /^(?:[0-9]+|0[xX][0-9a-fA-F]*)$/;

/** Returns the 4 or 16 bytes of an address without brackets; null if it is not strictly one. */
export function parseIp(text: string): Uint8Array | null {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== V4_BYTES || !parts.every(isDecimalByte)) return null;
  return Uint8Array.from(parts, Number);
}

function isDecimalByte(part: string): boolean {
  return DECIMAL_BYTE.test(part) && Number(part) <= 255;
}

/** RFC 4291 §2.2: eight groups, one run of zero groups as `::`, the last two maybe as IPv4. */
function parseV6(text: string): Uint8Array | null {
  const halves = text.split("::");
  const [headText, tailText] = halves;
  if (headText === undefined || halves.length > 2) return null;
  const isWhole = tailText === undefined;
  const head = parseGroups(headText, isWhole);
  const tail = parseGroups(tailText ?? "", true);
  if (head === null || tail === null) return null;
  const zeros = V6_GROUPS - head.length - tail.length;
  if (isWhole ? zeros !== 0 : zeros < 1) return null;
  const groups = [...head, ...Array<number>(zeros).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Returns the 16-bit groups of one side of `::`; `isLast` allows dotted IPv4 at its end. */
function parseGroups(text: string, isLast: boolean): number[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (HEX_GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = isLast && index === parts.length - 1 ? parseV4(part) : null;
    if (v4 === null) return null;
    const view = new DataView(v4.buffer);
    groups.push(view.getUint16(0), view.getUint16(2));
  }
  return groups;
}

/** Returns the text of 4 or 16 bytes; IPv6 in the form of RFC 5952 §4 and §5. */
export function formatIp(ip: Uint8Array): string {
  if (ip.length === V4_BYTES) return ip.join(".");
  if (ip.length !== V6_BYTES) throw new RangeError(`an IP address of ${ip.length} bytes`);
  // §5: a mapped address shows its IPv4 part as IPv4.
  if (isMapped(ip)) return `::ffff:${ip.subarray(12).join(".")}`;
  const view = new DataView(ip.buffer, ip.byteOffset, V6_BYTES);
  const groups = Array.from({ length: V6_GROUPS }, (_, index) => view.getUint16(index * 2));
  const [start, length] = longestZeros(groups);
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  // §4.2.2: one zero group alone is not shortened.
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** §4.2.3: the longest run of zero groups, the first of equal ones, as start and length. */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  }
  return best;
}

/** Returns the 4 bytes within an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), else the same bytes. */
export function unmapIp(ip: Uint8Array): Uint8Array {
  return isMapped(ip) ? ip.subarray(12) : ip;
}

function isMapped(ip: Uint8Array): boolean {
  return (
    ip.length === V6_BYTES &&
    ip.subarray(0, 10).every((byte) => byte === 0) &&
    ip[10] === 0xff &&
    ip[11] === 0xff
  );
}

/** Says whether an address is of 127.0.0.0/8 or `::1`, mapped or not. */
export function isLoopbackIp(ip: Uint8Array): boolean {
  const bytes = unmapIp(ip);
  if (bytes.length === V4_BYTES) return bytes[0] === 127;
  return bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1;
}

/** Says whether an address is `0.0.0.0` or `::`, mapped or not. */
export function isUnspecifiedIp(ip: Uint8Array): boolean {
  return unmapIp(ip).every((byte) => byte === 0);
}

/** Says whether an address is of 169.254.0.0/16 (RFC 3927) or fe80::/10, mapped or not. */
export function isLinkLocalIp(ip: Uint8Array): boolean {
  const bytes = unmapIp(ip);
  const [first = 0, second = 0] = bytes;
  if (bytes.length === V4_BYTES) return first === 169 && second === 254;
  return first === 0xfe && (second & 0xc0) === 0x80;
}

/**
 * Reads `host:port` or `[v6]:port`, port 0 to 65535 in plain digits. Null when either half is
 * missing or wrong; an IPv6 address without brackets is refused, as its end is a guess.
 */
export function parseHostPort(text: string): HostPort | null {
  const colon = text.lastIndexOf(":");
  if (colon === -1) return null;
  const port = parsePort(text.slice(colon + 1));
  const host = text.slice(0, colon);
  if (port === null) return null;
  if (host.startsWith("[") && host.endsWith("]")) {
    const inner = host.slice(1, -1);
    return inner.includes(":") && parseIp(inner) !== null ? { host: inner, port } : null;
  }
  if (host.includes(":") || (parseIp(host) === null && !isHostName(host))) return null;
  return { host, port };
}

/** Returns a port from 0 to 65535; null for anything but its plain digits. */
export function parsePort(text: string): number | null {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text)) return null;
  const port = Number(text);
  return port <= PORT_MAX ? port : null;
}

/** Returns `host:port`, with brackets when the host is an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Says whether a text can be a host name: labels of letters, digits, hyphens and underscores, at
 * most 63 each and 253 in all, maybe a final dot. A name whose last label is a number is refused:
 * it is a mistyped IPv4 address (`10.0.0.256`), which resolvers read in surprising ways.
 */
export function isHostName(text: string): boolean {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (name.length > HOST_NAME_CHARS_MAX) return false;
  const labels = name.split(".");
  return labels.every((label) => LABEL.test(label)) && !NUMBER_LABEL.test(labels.at(-1) ?? "");
}
