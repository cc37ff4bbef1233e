/** Blocks of fields to heads and back, told in text; what is encoded goes through HPACK as it would. */
import * as assert from "uvu/assert";
import { HpackDecoder } from "../../../src/codec/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/codec/hpack/encoder.ts";
import { DROPPED, type FieldSection } from "../../../src/codec/http1/field-section.ts";
import { RequestHead } from "../../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../../src/codec/http1/response-head.ts";
import { writeRequestHead } from "../../../src/codec/http1/write-request.ts";
import { RequestFields } from "../../../src/codec/http2/request-fields.ts";
import { ResponseFields, restoreResponseCase } from "../../../src/codec/http2/response-fields.ts";
import { TrailerFields } from "../../../src/codec/http2/trailer-fields.ts";
import { encodeRequestHead, encodeResponseHead } from "../../../src/codec/http2/write-head.ts";
import { HpackReader } from "../../support/hpack-reader.ts";
import { encodeFields, type Field, type Form } from "../../support/http2-fields.ts";
import { latin1, textOf } from "../../support/read-http1.ts";

const IN = 16;
const BLOCK = 131_072;
const DECODED = 262_144;
const OUT = 524_288;
export const memory: Uint8Array<ArrayBuffer> = new Uint8Array(720_896);

/** A field as it came, and whether no table may hold it. */
export type Line = readonly [name: string, value: string, isNeverIndexed?: boolean];

export function linesOf(fields: FieldSection, base: number): Line[] {
  const lines: Line[] = [];
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) === DROPPED) continue;
    const name = textOf(memory, base + fields.nameStart(i), base + fields.nameEnd(i));
    const value = textOf(memory, base + fields.valueStart(i), base + fields.valueEnd(i));
    lines.push(fields.isNeverIndexed(i) ? [name, value, true] : [name, value]);
  }
  return lines;
}

export type Options = {
  readonly isEnd?: boolean;
  readonly believesMesh?: boolean;
  readonly form?: Form;
};

export interface ReadRequest {
  readonly verdict: string;
  readonly head: RequestHead;
  readonly lines: readonly Line[];
  readonly text: (start: number, end: number) => string;
  /** As it goes to a backend of HTTP/1. */
  readonly written: string;
}

/** Reads a block as a server does. */
export function readRequestBlock(
  block: Uint8Array,
  options: Options = {},
  decoder = new HpackDecoder(),
): ReadRequest {
  const { isEnd = true, believesMesh = false } = options;
  const head = new RequestHead();
  const sink = new RequestFields();
  sink.begin(head, memory, DECODED);
  assert.ok(decoder.decode(block, 0, block.length, memory, DECODED, sink), "it is decoded");
  const verdict = sink.finish(decoder.outEnd, isEnd, decoder.isTooLarge, believesMesh);
  const isGood = verdict === "ok";
  return {
    verdict,
    head,
    lines: linesOf(head.fields, DECODED),
    text: (start, end) => textOf(memory, DECODED + start, DECODED + end),
    written: isGood ? textOf(memory, OUT, writeRequestHead(memory, DECODED, head, OUT)) : "",
  };
}

export function readRequestFields(fields: readonly Field[], options: Options = {}): ReadRequest {
  return readRequestBlock(encodeFields(fields, options.form), options);
}

export interface ReadResponse {
  readonly isGood: boolean;
  readonly head: ResponseHead;
  readonly lines: readonly Line[];
}

/** Reads a block as a client does; `restores`: what a sidecar tells of the names' case counts. */
export function readResponseBlock(
  block: Uint8Array,
  isEnd = true,
  isHead = false,
  restores = false,
): ReadResponse {
  const decoder = new HpackDecoder();
  const head = new ResponseHead();
  const sink = new ResponseFields();
  sink.begin(head, memory, DECODED);
  assert.ok(decoder.decode(block, 0, block.length, memory, DECODED, sink), "it is decoded");
  const isGood = sink.finish(decoder.outEnd, isEnd, isHead) && !decoder.isTooLarge;
  if (isGood && restores) restoreResponseCase(memory, DECODED, head);
  return { isGood, head, lines: linesOf(head.fields, DECODED) };
}

/** Reads a block of trailers; null: it is malformed. */
export function readTrailerBlock(block: Uint8Array): Line[] | null {
  const decoder = new HpackDecoder();
  const sink = new TrailerFields();
  sink.begin(DECODED);
  assert.ok(decoder.decode(block, 0, block.length, memory, DECODED, sink), "it is decoded");
  if (sink.isMalformed) return null;
  sink.restoreCase(memory, decoder.outEnd);
  return linesOf(sink.fields, DECODED);
}

/** Parses a request of HTTP/1 and encodes it; `edit` may change the head in between. */
export function encodeRequestText(
  text: string,
  carries: boolean,
  encoder = new HpackEncoder(),
  edit: (head: RequestHead) => void = () => {},
): Uint8Array {
  const bytes = latin1(text);
  memory.set(bytes, IN);
  const head = new RequestHead();
  head.reset();
  assert.is(head.parse(memory, IN, IN + bytes.length), 1, `${text} is parsed`);
  edit(head);
  const end = encodeRequestHead(encoder, memory, IN, head, memory, BLOCK, carries);
  return memory.slice(BLOCK, end);
}

/** Parses a response of HTTP/1 and encodes it. */
export function encodeResponseText(text: string, origMinor = -1): Uint8Array {
  const bytes = latin1(text);
  memory.set(bytes, IN);
  const head = new ResponseHead();
  head.reset();
  assert.is(head.parse(memory, IN, IN + bytes.length), 1, `${text} is parsed`);
  const encoder = new HpackEncoder();
  const end = encodeResponseHead(encoder, memory, IN, head, memory, BLOCK, origMinor);
  return memory.slice(BLOCK, end);
}

/** What a second decoder reads in a block, ` (never)` behind what no table may hold. */
export function fieldsIn(block: Uint8Array, reader = new HpackReader()): string[] {
  return reader
    .decode(block)
    .map(
      ({ name, value, isNeverIndexed }) => `${name}: ${value}${isNeverIndexed ? " (never)" : ""}`,
    );
}
