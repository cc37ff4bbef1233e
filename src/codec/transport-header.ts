/**
 * The header that one sidecar sends another as the first bytes inside TLS, once the protocol
 * `transport.l5d.io/v1` was agreed on: for which port of the application the connection is, and what
 * it speaks. The format is linkerd2-proxy's (linkerd/transport-header): a preface, the length of a
 * message in four bytes, and the message in protobuf:
 *
 *     message Header { int32 port = 1; string name = 2; SessionProtocol session_protocol = 3; }
 *     message SessionProtocol { oneof kind { Http1 http1 = 1; Http2 http2 = 2; } }
 *
 * Where protobuf would let the last of two fields win, the header is refused: no encoder writes two.
 */
import { assert } from "../lib/assert.ts";
import { hostName } from "./tls/host-name.ts";

export type TransportHeader = {
  /** 1 to 65535. */
  readonly port: number;
  /** The host behind a gateway, in lower case; "" is the workload itself. */
  readonly name: string;
  /** What the application is spoken to; null is whatever it is, it is carried as bytes. */
  readonly protocol: "http1" | "http2" | null;
};

/** `incomplete`: more bytes may make it one. `end` is where the application's bytes begin. */
export type TransportHeaderResult =
  | "incomplete"
  | { readonly error: string }
  | (TransportHeader & { readonly end: number });

const PREFACE = Uint8Array.from("transport.l5d.io/v1\r\n\r\n", (char) => char.charCodeAt(0));
const LENGTH_BYTES = 4;
const PORT_MAX = 65_535;
/** RFC 1035 §2.3.4, as text. */
const NAME_BYTES_MAX = 253;

/**
 * The longest message that is taken. One with the longest name has 265 bytes; the rest is room for
 * fields to come, and still fits in one read.
 */
export const MESSAGE_BYTES_MAX = 4_096;

/** A tag and a varint of three bytes; a tag, a length of two and the name; a message in a message. */
const WRITTEN_BYTES_MAX = 4 + 3 + NAME_BYTES_MAX + 4;

/** The most that `encodeTransportHeader` writes. */
export const TRANSPORT_HEADER_BYTES_MAX = PREFACE.length + LENGTH_BYTES + WRITTEN_BYTES_MAX;

// Protobuf: a field's tag is its number and the wire type of its value.
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const PORT_TAG = (1 << 3) | VARINT;
const NAME_TAG = (2 << 3) | LENGTH_DELIMITED;
const PROTOCOL_TAG = (3 << 3) | LENGTH_DELIMITED;
const HTTP1_TAG = (1 << 3) | LENGTH_DELIMITED;
const HTTP2_TAG = (2 << 3) | LENGTH_DELIMITED;
/** How many fields are known of Header, SessionProtocol, and Http1 or Http2. */
const HEADER_FIELDS = 3;
const PROTOCOL_FIELDS = 2;
const NO_FIELDS = 0;
const TAG_MAX = 2 ** 32 - 1;
const VARINT_BYTES_MAX = 10;

/**
 * Writes a header at `at`, where TRANSPORT_HEADER_BYTES_MAX must be free, and returns its end. Throws
 * when the port is none or the name is no ASCII of at most 253 bytes, which are bugs.
 */
export function encodeTransportHeader(
  header: TransportHeader,
  bytes: Uint8Array,
  at: number,
): number {
  const { port, name, protocol } = header;
  assert(Number.isInteger(port) && port >= 1 && port <= PORT_MAX, "a port from 1 to 65535");
  assert(name.length <= NAME_BYTES_MAX, "a name of at most 253 bytes");
  bytes.set(PREFACE, at);
  const start = at + PREFACE.length + LENGTH_BYTES;
  bytes[start] = PORT_TAG;
  let end = writeVarint(bytes, start + 1, port);
  if (name !== "") {
    bytes[end] = NAME_TAG;
    end = writeVarint(bytes, end + 1, name.length);
    for (let i = 0; i < name.length; i += 1) {
      const code = name.charCodeAt(i);
      assert(code < 0x80, "a name in ASCII");
      bytes[end + i] = code;
    }
    end += name.length;
  }
  if (protocol !== null) {
    bytes[end] = PROTOCOL_TAG;
    bytes[end + 1] = 2;
    bytes[end + 2] = protocol === "http1" ? HTTP1_TAG : HTTP2_TAG;
    bytes[end + 3] = 0;
    end += 4;
  }
  const length = end - start;
  bytes[start - 4] = 0;
  bytes[start - 3] = 0;
  bytes[start - 2] = length >> 8;
  bytes[start - 1] = length & 0xff;
  return end;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let to = at;
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes[to++] = (left & 0x7f) | 0x80;
  bytes[to] = left;
  return to + 1;
}

/**
 * Reads the header at the start of a connection's bytes `[start, end)`. Nothing is kept between
 * calls; a header that no further byte can mend is an error at once, with its reason in a few words.
 * Never throws.
 */
export function decodeTransportHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
): TransportHeaderResult {
  const available = end - start;
  for (let i = 0; i < PREFACE.length && i < available; i += 1) {
    if (bytes[start + i] !== PREFACE[i]) return { error: "another preface" };
  }
  const messageStart = start + PREFACE.length + LENGTH_BYTES;
  if (end < messageStart) return "incomplete";
  let length = 0;
  for (let at = messageStart - LENGTH_BYTES; at < messageStart; at += 1) {
    length = length * 256 + (bytes[at] ?? 0);
  }
  if (length > MESSAGE_BYTES_MAX) return { error: `a message above ${MESSAGE_BYTES_MAX} bytes` };
  const messageEnd = messageStart + length;
  if (end < messageEnd) return "incomplete";
  return readHeader(bytes, messageStart, messageEnd);
}

function readHeader(bytes: Uint8Array, start: number, end: number): TransportHeaderResult {
  const fields = new Fields(bytes, start, end, HEADER_FIELDS);
  let port = 0;
  let name: string | null = "";
  let protocol: TransportHeader["protocol"] = null;
  while (!fields.isAtEnd) {
    const tag = fields.tag();
    if (tag === PORT_TAG) {
      port = fields.varint();
      if (port < 1 || port > PORT_MAX) fields.fail("a port out of range");
    } else if (tag === NAME_TAG) {
      const { from, to } = fields.content();
      name = from === to ? "" : hostName(bytes, from, to);
      if (name === null) fields.fail("a name that is no host name");
    } else if (tag === PROTOCOL_TAG) {
      protocol = readProtocol(fields.enter(PROTOCOL_FIELDS));
    } else fields.skip(tag);
  }
  if (fields.error === null && port === 0) fields.fail("no port");
  if (fields.error !== null || name === null) return { error: fields.error ?? "no name" };
  return { port, name, protocol, end };
}

/** Reads a SessionProtocol. A kind that is not known yet is none, as in linkerd2-proxy. */
function readProtocol(fields: Fields): TransportHeader["protocol"] {
  let protocol: TransportHeader["protocol"] = null;
  while (!fields.isAtEnd) {
    const tag = fields.tag();
    if (tag !== HTTP1_TAG && tag !== HTTP2_TAG) {
      fields.skip(tag);
      continue;
    }
    if (protocol !== null) fields.fail("two protocols");
    protocol = tag === HTTP1_TAG ? "http1" : "http2";
    const kind = fields.enter(NO_FIELDS);
    while (!kind.isAtEnd) kind.skip(kind.tag());
  }
  return protocol;
}

/** A cursor over the fields of a protobuf message. A fault is kept and ends it, and those above. */
class Fields {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #known: number;
  readonly #fault: { reason: string | null };
  /** A bit for each known field that was met. */
  #seen = 0;
  #at: number;

  /** The message's known fields are numbered from 1 to `known`. */
  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    known: number,
    fault: { reason: string | null } = { reason: null },
  ) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#known = known;
    this.#fault = fault;
  }

  get error(): string | null {
    return this.#fault.reason;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end || this.#fault.reason !== null;
  }

  fail(reason: string): void {
    this.#fault.reason ??= reason;
  }

  /** The tag of the next field. A known one may be there once. */
  tag(): number {
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (tag > TAG_MAX || number === 0) this.fail("not a field");
    if (number > this.#known) return tag;
    if ((this.#seen & (1 << number)) !== 0) this.fail("a field twice");
    this.#seen |= 1 << number;
    return tag;
  }

  /** A varint of up to 64 bits; what 53 bits do not hold is only known to be large. */
  varint(): number {
    let value = 0;
    let unit = 1;
    for (let count = 1; count <= VARINT_BYTES_MAX; count += 1) {
      if (this.#at >= this.#end) break;
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * unit;
      unit *= 128;
      if (count === VARINT_BYTES_MAX && byte > 1) break;
      if (byte < 0x80) return value;
    }
    this.fail("not a varint");
    return 0;
  }

  /** Where the content of a length-delimited field is. */
  content(): { readonly from: number; readonly to: number } {
    const length = this.varint();
    if (length > this.#end - this.#at) this.fail("a length beyond the end");
    const from = this.#at;
    if (this.error !== null) return { from, to: from };
    this.#at += length;
    return { from, to: this.#at };
  }

  /** Steps into a message. */
  enter(known: number): Fields {
    const { from, to } = this.content();
    return new Fields(this.#bytes, from, to, known, this.#fault);
  }

  /** Passes over the value of an unknown field. Groups, which protobuf has given up, are refused. */
  skip(tag: number): void {
    if (Math.floor(tag / 8) <= this.#known) return this.fail("a field of another type");
    switch (tag & 7) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        return this.#pass(8);
      case LENGTH_DELIMITED:
        this.content();
        return;
      case FIXED32:
        return this.#pass(4);
      default:
        this.fail("an unknown wire type");
    }
  }

  #pass(count: number): void {
    if (count > this.#end - this.#at) this.fail("a value beyond the end");
    this.#at += count;
  }
}
