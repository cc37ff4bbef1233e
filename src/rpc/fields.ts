/**
 * Header blocks that gRPC itself makes, and the fields it reads from those of a peer. None of this
 * is on the proxy's hot path, so fields are strings here.
 */
import { Indexing } from "../codec/hpack/encoder.ts";
import { bytesOf } from "../codec/http1/field-names.ts";
import type { FieldSection } from "../codec/http1/field-section.ts";
import { blockBytesMax } from "../codec/http2/write-head.ts";
import { OUTPUT } from "../net/arena.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";
import type { Http2Stream } from "../protocol/http2/stream.ts";
import { METADATA_BYTES_MAX } from "./limits.ts";
import { type Metadata, Status } from "./status.ts";
import { encodeStatusText } from "./status-text.ts";

/** Custom-Metadata of PROTOCOL-HTTP2.md: what a name and a value may be. */
const NAME = /^[0-9a-z_.-]+$/;
const VALUE = /^[\x20-\x7e]*$/;
/** They repeat, so the peer's table may hold them. */
const REPEATED: ReadonlySet<string> = new Set([":status", "content-type", "grpc-accept-encoding"]);

/** What the protocol itself says in fields; no custom metadata. */
const RESERVED = /^(?:grpc-.*|content-type|te|user-agent|host|content-length|l5d-.*)$/;

export const RESPONSE_HEAD: Metadata = [
  [":status", "200"],
  ["content-type", "application/grpc"],
  ["grpc-accept-encoding", "identity"],
];

/** The metadata that may be sent, within the limit; what breaks the grammar is left out. */
export function sendable(metadata: Metadata): Metadata {
  let bytes = 0;
  return metadata.filter(([name, value]) => {
    if (!NAME.test(name) || RESERVED.test(name) || !VALUE.test(value)) return false;
    bytes += name.length + value.length;
    return bytes <= METADATA_BYTES_MAX && value.trim() === value;
  });
}

/** Sends a block of fields. */
export function sendFields(
  frames: Http2Connection,
  stream: Http2Stream,
  fields: Metadata,
  isEnd: boolean,
): void {
  const text = bytesOf(fields.map(([name, value]) => name + value).join(""));
  const { encoder, sender } = frames;
  const at = sender.beginBlock(blockBytesMax(text.length, fields.length));
  const { bytes } = frames;
  let to = encoder.begin(bytes, at);
  let from = 0;
  for (const [name, value] of fields) {
    const nameEnd = from + name.length;
    const end = nameEnd + value.length;
    const indexing = REPEATED.has(name) ? Indexing.incremental : Indexing.without;
    to = encoder.field(bytes, to, text, from, nameEnd, nameEnd, end, indexing);
    from = end;
  }
  sender.sendBlock(stream, to, isEnd);
}

/** The fields that say how a call ended. */
export function statusFields(status: Status, text: string, metadata: Metadata): Metadata {
  const fields: [string, string][] = [["grpc-status", String(status)]];
  if (text !== "" && status !== Status.ok) fields.push(["grpc-message", encodeStatusText(text)]);
  return [...fields, ...sendable(metadata)];
}

/** Sends a trailer section, behind all content that still waits. */
export function sendTrailers(frames: Http2Connection, stream: Http2Stream, fields: Metadata): void {
  const text = bytesOf(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(""));
  frames.bytes.set(text, OUTPUT);
  frames.sender.sendTrailers(stream, OUTPUT, OUTPUT + text.length, false);
}

/** ASCII text of `bytes[start, end)`. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** What a peer's fields say, as far as gRPC reads them. */
export class ReceivedFields {
  /** Custom metadata, as much as the limit allows. */
  readonly metadata: [string, string][] = [];
  readonly #reserved = new Map<string, string>();

  constructor(bytes: Uint8Array, base: number, fields: FieldSection) {
    let metadataBytes = 0;
    for (let i = 0; i < fields.count; i++) {
      const name = textOf(bytes, base + fields.nameStart(i), base + fields.nameEnd(i));
      const value = textOf(bytes, base + fields.valueStart(i), base + fields.valueEnd(i));
      if (RESERVED.test(name)) {
        if (!this.#reserved.has(name)) this.#reserved.set(name, value);
        continue;
      }
      metadataBytes += name.length + value.length;
      if (metadataBytes <= METADATA_BYTES_MAX) this.metadata.push([name, value]);
    }
  }

  /** A field of the protocol's own, or null. */
  get(name: string): string | null {
    return this.#reserved.get(name) ?? null;
  }

  /** `application/grpc`, perhaps with `+proto` or parameters. */
  get isGrpc(): boolean {
    return /^application\/grpc(?:$|[+;])/i.test(this.get("content-type") ?? "");
  }
}
