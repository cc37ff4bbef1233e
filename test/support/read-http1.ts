/**
 * Runs the HTTP/1 codec as a connection would: bytes come in pieces into a large buffer, at an
 * offset, with line ends behind what has arrived, so that a parser which reads on finds something.
 * What came out is told in text, one character per byte, to be compared with what was expected.
 */
import { BODY_GROWTH_BYTES, BodyRelay } from "../../src/codec/http1/body.ts";
import { ChunkedDecoder } from "../../src/codec/http1/chunked.ts";
import type { Http1Error } from "../../src/codec/http1/errors.ts";
import { HEAD_BYTES_MAX, Step } from "../../src/codec/http1/field-section.ts";
import { BodyKind, type Framing } from "../../src/codec/http1/framing.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../src/codec/http1/response-head.ts";
import {
  REQUEST_HEAD_GROWTH_BYTES,
  writeRequestHead,
} from "../../src/codec/http1/write-request.ts";
import {
  type ConnectionChoice,
  RESPONSE_HEAD_GROWTH_BYTES,
  writeResponseHead,
} from "../../src/codec/http1/write-response.ts";

/** Where a message begins in the buffer. */
const BASE = 7;
const POISON = latin1("\r\n\r\n");

/** Length of a body in bytes, or how its end is found. */
export type BodyFact = number | "none" | "chunked";

export interface RequestFacts {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly authority: string;
  readonly body: BodyFact;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  readonly expectsContinue: boolean;
  readonly acceptsTrailers: boolean;
}

export interface ResponseFacts {
  readonly status: number;
  readonly minorVersion: number;
  readonly body: BodyFact;
  readonly keepAlive: boolean;
  readonly idleSeconds: number;
  readonly upgrades: boolean;
}

/** `rest` is how many of the given bytes came behind the head. */
export type Parsed<Facts> =
  | { kind: "done"; facts: Facts; written: string; rest: number }
  | { kind: "malformed"; error: Http1Error }
  | { kind: "incomplete" };

/** Bytes of a text whose characters are at most U+00FF. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The text of bytes, one character each. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** The pieces of one byte each. */
export function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Parses a request that comes in pieces, and writes it as it would go to an endpoint. */
export function readRequest(...pieces: readonly Uint8Array[]): Parsed<RequestFacts> {
  return readRequestWith(new RequestHead(), pieces);
}

/** The same with a head that may have been used before. */
export function readRequestWith(
  head: RequestHead,
  pieces: readonly Uint8Array[],
): Parsed<RequestFacts> {
  head.reset();
  const { bytes, end, out, step } = feed(head, pieces, REQUEST_HEAD_GROWTH_BYTES);
  if (step === Step.incomplete) return { kind: "incomplete" };
  if (step === Step.malformed) return { kind: "malformed", error: head.error };
  const text = (from: number, to: number): string => textOf(bytes, BASE + from, BASE + to);
  const facts = {
    method: text(head.methodStart, head.methodEnd),
    target: text(head.targetStart, head.targetEnd),
    minorVersion: head.minorVersion,
    authority: text(head.authorityStart, head.authorityEnd),
    body: bodyOf(head.framing),
    keepAlive: head.keepAlive,
    upgrade: head.wantsUpgrade,
    expectsContinue: head.expectsContinue,
    acceptsTrailers: head.acceptsTrailers,
  };
  const written = textOf(bytes, out, writeRequestHead(bytes, BASE, head, out));
  return { kind: "done", facts, written, rest: end - BASE - head.end };
}

/** Parses a response that comes in pieces, and writes it as it would go to a client. */
export function readResponse(
  pieces: readonly Uint8Array[],
  body: BodyKind | null,
  choice: ConnectionChoice,
): Parsed<ResponseFacts> {
  const head = new ResponseHead();
  head.reset();
  const { bytes, end, out, step } = feed(head, pieces, RESPONSE_HEAD_GROWTH_BYTES);
  if (step === Step.incomplete) return { kind: "incomplete" };
  if (step === Step.malformed) return { kind: "malformed", error: head.error };
  const { status, minorVersion, keepAlive, idleSeconds, upgrades, framing } = head;
  const facts = { status, minorVersion, body: bodyOf(framing), keepAlive, idleSeconds, upgrades };
  let to = body;
  if (to === null && framing.isChunked) to = BodyKind.chunked;
  to ??= framing.contentLength === -1 ? BodyKind.none : BodyKind.length;
  const written = textOf(bytes, out, writeResponseHead(bytes, BASE, head, to, choice, out));
  return { kind: "done", facts, written, rest: end - BASE - head.end };
}

interface Head {
  parse(bytes: Uint8Array, base: number, end: number): Step;
}

interface Fed {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** A place of `bytes` for the rebuilt head. */
  readonly out: number;
  readonly step: Step;
}

function feed(head: Head, pieces: readonly Uint8Array[], growth: number): Fed {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const out = BASE + total + POISON.length;
  const bytes = new Uint8Array(out + Math.min(total, HEAD_BYTES_MAX) + growth);
  let end = BASE;
  let step: Step = Step.incomplete;
  bytes.set(POISON, end);
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.length;
    bytes.set(POISON, end);
    if (step === Step.incomplete) step = head.parse(bytes, BASE, end);
  }
  return { bytes, end, out, step };
}

function bodyOf(framing: Framing): BodyFact {
  if (framing.isChunked) return "chunked";
  return framing.contentLength === -1 ? "none" : framing.contentLength;
}

export interface Decoded {
  readonly data: string;
  /** The trailer section as it came, once done. */
  readonly trailers: readonly string[];
  readonly isDone: boolean;
  readonly error: Http1Error | null;
  /** What came behind the body. */
  readonly rest: string;
}

/** Decodes a chunked body that comes in pieces; what was not consumed is given again. */
export function decodeChunked(...pieces: readonly Uint8Array[]): Decoded {
  const decoder = new ChunkedDecoder();
  decoder.reset();
  let data = "";
  let kept = new Uint8Array(0);
  for (const [index, piece] of pieces.entries()) {
    const { bytes, end, out } = arenaFor(kept, piece);
    const outEnd = decoder.decode(bytes, BASE, end, out);
    if (outEnd === -1) return { data, trailers: [], isDone: false, error: decoder.error, rest: "" };
    data += textOf(bytes, out, outEnd);
    kept = bytes.slice(decoder.consumed, end);
    if (!decoder.isDone) continue;
    const base = decoder.consumed - decoder.trailers.end;
    const trailers = Array.from({ length: decoder.trailers.count }, (_, i) => {
      const name = textOf(
        bytes,
        base + decoder.trailers.nameStart(i),
        base + decoder.trailers.nameEnd(i),
      );
      return `${name}: ${textOf(bytes, base + decoder.trailers.valueStart(i), base + decoder.trailers.valueEnd(i))}`;
    });
    const rest =
      textOf(kept) +
      pieces
        .slice(index + 1)
        .map((later) => textOf(later))
        .join("");
    return { data, trailers, isDone: true, error: null, rest };
  }
  return { data, trailers: [], isDone: false, error: null, rest: textOf(kept) };
}

export interface Relayed {
  readonly output: string;
  readonly isDone: boolean;
  readonly isBroken: boolean;
  readonly rest: string;
  /** What `finish` said, and wrote, after the last piece. */
  readonly isWhole: boolean;
  readonly ending: string;
}

/** Relays a body that comes in pieces and ends it; what was not consumed is given again. */
export function relayBody(
  from: BodyKind,
  to: BodyKind,
  length: number,
  ...pieces: readonly Uint8Array[]
): Relayed {
  const relay = new BodyRelay();
  relay.start(from, to, length);
  let output = "";
  let kept = new Uint8Array(0);
  for (const piece of pieces) {
    const { bytes, end, out } = arenaFor(kept, piece);
    const isGood = relay.relay(bytes, BASE, end, out);
    if (!isGood) {
      return { output, isDone: false, isBroken: true, rest: "", isWhole: false, ending: "" };
    }
    output += textOf(bytes, relay.outStart, relay.outEnd);
    kept = bytes.slice(relay.consumed, end);
  }
  const isDone = relay.isDone;
  const { bytes, out } = arenaFor(new Uint8Array(0), new Uint8Array(0));
  const isWhole = relay.finish(bytes, out);
  const ending = textOf(bytes, relay.outStart, relay.outEnd);
  return { output, isDone, isBroken: false, rest: textOf(kept), isWhole, ending };
}

/** A buffer with both parts in a row, and room for exactly what the codec may write. */
function arenaFor(
  kept: Uint8Array,
  piece: Uint8Array,
): { bytes: Uint8Array<ArrayBuffer>; end: number; out: number } {
  const end = BASE + kept.length + piece.length;
  const out = end + POISON.length;
  const bytes = new Uint8Array(out + (end - BASE) + BODY_GROWTH_BYTES);
  bytes.set(kept, BASE);
  bytes.set(piece, BASE + kept.length);
  bytes.set(POISON, end);
  return { bytes, end, out };
}
