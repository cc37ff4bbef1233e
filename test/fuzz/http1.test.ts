// timeout: 180s
// The HTTP/1 codec against its own second reading and a strict reader that shares nothing with it;
// see test/support/fuzz.ts to run longer.
import * as assert from "uvu/assert";
import type { FieldSection } from "../../src/codec/http1/field-section.ts";
import { FIELDS_MAX, HEAD_BYTES_MAX, Step } from "../../src/codec/http1/field-section.ts";
import { BodyKind } from "../../src/codec/http1/framing.ts";
import { RequestHead } from "../../src/codec/http1/request-head.ts";
import { ResponseHead } from "../../src/codec/http1/response-head.ts";
import { ConnectionChoice } from "../../src/codec/http1/write-response.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzz.ts";
import { anyRequest, anyResponse, mutated } from "../support/generate-http1.ts";
import type { Random } from "../support/random.ts";
import {
  bytewise,
  decodeChunked,
  latin1,
  readRequest,
  readResponse,
  relayBody,
  textOf,
} from "../support/read-http1.ts";
import { strictChunked, strictRequest, strictResponse } from "../support/strict-http1.ts";
import { suite } from "../support/test.ts";

const test = suite("fuzz/http1");
test.timeout(FUZZ_TIMEOUT_MS);

/** A head that is good, nearly good, two in a row, or noise. */
function anyHead(random: Random, anyGood: (random: Random) => string): Uint8Array {
  if (random.chance(0.05)) return random.bytes(random.below(200));
  const good = anyGood(random);
  const text = random.chance(0.6) ? mutated(random, good) : good;
  return latin1(random.chance(0.1) ? text + anyGood(random) : text);
}

/** The bytes in pieces: single ones, or up to eight of any length. */
function anyPieces(random: Random, bytes: Uint8Array): Uint8Array[] {
  if (random.chance(0.2)) return bytewise(bytes);
  const cuts = Array.from({ length: random.below(8) }, () => random.below(bytes.length + 1));
  const ends = [...cuts, bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.slice(ends[i - 1] ?? 0, end));
}

function assertFieldsWithin(fields: FieldSection, end: number): void {
  assert.ok(fields.count <= FIELDS_MAX);
  let last = 0;
  for (let i = 0; i < fields.count; i++) {
    const offsets = [fields.nameStart(i), fields.nameEnd(i), fields.valueStart(i)];
    for (const offset of [...offsets, fields.valueEnd(i)]) {
      assert.ok(offset >= last && offset <= end, `field ${i}: ${offset} in ${last} to ${end}`);
      last = offset;
    }
    assert.ok(fields.nameStart(i) < fields.nameEnd(i), "a name is not empty");
  }
}

/** Parses at an offset, in an array that ends with the bytes. */
function parseAt(head: RequestHead | ResponseHead, bytes: Uint8Array, offset: number): Step {
  const moved = new Uint8Array(offset + bytes.length);
  moved.set(bytes, offset);
  head.reset();
  return head.parse(moved, offset, moved.length);
}

function assertRequestWithin(bytes: Uint8Array, offset: number): void {
  const head = new RequestHead();
  if (parseAt(head, bytes, offset) !== Step.done) return;
  assert.ok(head.end > 0 && head.end <= Math.min(bytes.length, HEAD_BYTES_MAX));
  for (const [start, end] of [
    [head.methodStart, head.methodEnd],
    [head.targetStart, head.targetEnd],
    [head.authorityStart, head.authorityEnd],
  ] as const) {
    assert.ok(start >= 0 && start <= end && end <= head.end, `${start} to ${end}`);
  }
  assertFieldsWithin(head.fields, head.end);
}

test("a request: any split, offsets within it, and written anew it means the same", () => {
  fuzz("request heads", (random) => {
    const bytes = anyHead(random, anyRequest);
    const text = JSON.stringify(textOf(bytes));
    const result = readRequest(bytes);
    assert.equal(readRequest(...anyPieces(random, bytes)), result, text);
    assertRequestWithin(bytes, random.below(50));
    if (result.kind !== "done") return;
    const { facts, written } = result;
    const strict = strictRequest(written);
    assert.is(strict.body, facts.body, text);
    assert.ok(strict.startLine.startsWith(`${facts.method} `), text);
    if (facts.method !== "CONNECT") assert.is(strict.host ?? "", facts.authority, text);
    const again = readRequest(latin1(written));
    if (again.kind !== "done") throw new Error(`${again.kind}: ${text} as ${written}`);
    assert.is(again.written, written, text);
    assert.is(again.rest, 0, text);
    const { method, minorVersion, authority, body, upgrade, expectsContinue } = facts;
    const sense = { method, minorVersion, authority, body, upgrade, expectsContinue };
    assert.equal({ ...again.facts, ...sense }, again.facts, text);
  });
});

test("a response: any split, offsets within it, and written anew it means the same", () => {
  const bodies = [null, BodyKind.none, BodyKind.chunked, BodyKind.untilClose] as const;
  const choices = Object.values(ConnectionChoice);
  fuzz("response heads", (random) => {
    const bytes = anyHead(random, anyResponse);
    const text = JSON.stringify(textOf(bytes));
    const body = random.pick(bodies);
    const choice = random.pick(choices);
    const result = readResponse([bytes], body, choice);
    assert.equal(readResponse(anyPieces(random, bytes), body, choice), result, text);
    const head = new ResponseHead();
    if (parseAt(head, bytes, random.below(50)) === Step.done) {
      assert.ok(head.end > 0 && head.end <= Math.min(bytes.length, HEAD_BYTES_MAX));
      assert.ok(head.reasonStart <= head.reasonEnd && head.reasonEnd <= head.end);
      assertFieldsWithin(head.fields, head.end);
    }
    if (result.kind !== "done") return;
    const strict = strictResponse(result.written);
    if (body === BodyKind.chunked) assert.is(strict.body, "chunked", text);
    if (body === BodyKind.untilClose) assert.is(strict.body, "none", text);
    const again = readResponse([latin1(result.written)], body, choice);
    if (again.kind !== "done") throw new Error(`${again.kind}: ${text} as ${result.written}`);
    assert.is(again.written, result.written, text);
    assert.is(again.facts.status, result.facts.status, text);
    assert.is(again.rest, 0, text);
  });
});

const TRAILERS = [
  "X-Checksum: 1",
  "a:",
  "B:  c\t",
  "Host: x",
  "Content-Length: 3",
  "grpc-status: 0",
];

/** A chunked body that is good, nearly good, or noise, and often something behind it. */
function anyChunked(random: Random): Uint8Array {
  if (random.chance(0.05)) return random.bytes(random.below(60));
  let text = "";
  for (let chunks = random.below(5); chunks > 0; chunks--) {
    const data = textOf(random.bytes(random.between(1, 40)));
    const digits = data.length.toString(16).padStart(random.between(1, 4), "0");
    const size = random.chance(0.5) ? digits : digits.toUpperCase();
    const extension = random.pick(["", "", ";a", ';a=b;c="d;\\"e"', "; a = b"]);
    text += `${size}${extension}\r\n${data}\r\n`;
  }
  const trailers = TRAILERS.filter(() => random.chance(0.2)).map((line) => `${line}\r\n`);
  const behind = random.chance(0.3) ? "GET / HTTP/1.1\r\n\r\n" : "";
  const good = `${text}0\r\n${trailers.join("")}\r\n${behind}`;
  return latin1(random.chance(0.5) ? mutated(random, good) : good);
}

test("a chunked body: any split gives the same, and coded anew it is pure", () => {
  fuzz("chunked bodies", (random) => {
    const bytes = anyChunked(random);
    const text = JSON.stringify(textOf(bytes));
    const whole = decodeChunked(bytes);
    const pieces = anyPieces(random, bytes);
    const cut = decodeChunked(...pieces);
    assert.is(cut.error, whole.error, text);
    const relayed = relayBody(BodyKind.chunked, BodyKind.chunked, -1, ...pieces);
    assert.is(relayed.isBroken, whole.error !== null, text);
    if (whole.error !== null) return;
    assert.equal(cut, whole, text);
    assert.is(relayed.isDone, whole.isDone, text);
    if (!whole.isDone) return;
    const { data, trailers } = strictChunked(relayed.output);
    assert.is(data, whole.data, text);
    assert.ok(
      trailers.every((line) => whole.trailers.includes(line)),
      text,
    );
    assert.is(relayed.rest, whole.rest, text);
    assert.ok(textOf(bytes).endsWith(whole.rest), text);
  });
});

test.run();
