import * as assert from "uvu/assert";
import {
  FRAGMENT_BYTES_MAX,
  firstMessage,
  type MessageLimits,
} from "../../../src/codec/tls/record.ts";
import { inRecords, vector } from "../../support/client-hello.ts";
import { forEachPrefix } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/tls/record");

const LIMITS: MessageLimits = { type: 1, bodyBytesMin: 4, wireBytesMax: 100, recordsMax: 10 };
const BODY = Uint8Array.from({ length: 12 }, (_, index) => index);
const MESSAGE = Uint8Array.of(1, ...vector(3, BODY));

function message(length: number): Uint8Array {
  return Uint8Array.of(1, ...vector(3, new Uint8Array(length)));
}

function first(bytes: Uint8Array, limits = LIMITS): ReturnType<typeof firstMessage> {
  return firstMessage(bytes, 0, bytes.length, limits);
}

/** Returns the body that has arrived, or the kind of another result. */
function body(bytes: Uint8Array): number[] | string {
  const found = first(bytes);
  if (found.kind !== "body") return found.kind;
  return Array.from(found.bytes.subarray(found.start, found.available));
}

test("firstMessage() returns a message in one record in place", () => {
  const bytes = inRecords(MESSAGE);
  const found = first(bytes);
  assert.is(found.kind, "body");
  if (found.kind !== "body") return;
  assert.is(found.bytes, bytes);
  assert.equal([found.start, found.available, found.end, found.needBytes], [9, 21, 21, 21]);
});

test("firstMessage() joins records of any sizes", () => {
  for (let size = 2; size <= MESSAGE.length; size += 1) {
    assert.equal(body(inRecords(MESSAGE, [size])), Array.from(BODY), `records of ${size}`);
  }
});

test("firstMessage() returns what has arrived of the body, and the least that the rest takes", () => {
  const bytes = inRecords(MESSAGE, [6]);
  const whole = inRecords(MESSAGE).length;
  forEachPrefix(bytes, (prefix, length) => {
    const found = first(prefix);
    assert.is(found.kind, length < 9 ? "incomplete" : "body");
    if (found.kind === "malformed") return;
    assert.ok(found.needBytes > length && found.needBytes <= bytes.length);
    if (found.kind === "incomplete") return;
    const arrived = prefix.filter((_, index) => index % 11 >= 5).length; // Headers left out.
    assert.is(found.available - found.start, arrived - 4);
    assert.is(found.end - found.start, BODY.length);
    assert.ok(found.needBytes >= whole);
  });
});

test("firstMessage() does not look beyond its end", () => {
  const bytes = inRecords(MESSAGE, [2, 5]);
  forEachPrefix(bytes, (prefix, length) => {
    const buffer = new Uint8Array(length + 16).fill(255);
    buffer.set(prefix, 8);
    const there = firstMessage(buffer, 8, 8 + length, LIMITS);
    const here = first(prefix);
    assert.is(there.kind, here.kind);
    if (there.kind === "malformed" || here.kind === "malformed") return;
    assert.is(there.needBytes, here.needBytes);
  });
});

test("firstMessage() counts the headers of records to come", () => {
  const limits = { ...LIMITS, wireBytesMax: 100_000 };
  const length = 2 * FRAGMENT_BYTES_MAX + 1 - 4;
  const found = first(inRecords(message(length), [FRAGMENT_BYTES_MAX]).subarray(0, 9), limits);
  assert.is(found.kind === "body" && found.needBytes, 4 + length + 3 * 5);
});

test("firstMessage() refuses a message beyond its limits as soon as its length says so", () => {
  const kind = (length: number, limits: MessageLimits): string =>
    first(inRecords(message(length), [8]).subarray(0, 13), limits).kind;
  assert.is(kind(86, LIMITS), "body");
  assert.is(kind(87, LIMITS), "malformed");
  assert.is(kind(5, { ...LIMITS, recordsMax: 2 }), "body");
  assert.is(kind(5, { ...LIMITS, recordsMax: 1 }), "malformed");
  assert.is(first(inRecords(message(3)), LIMITS).kind, "malformed");
  assert.is(first(inRecords(message(4)), LIMITS).kind, "body");
});

test("firstMessage() refuses another type and an empty record", () => {
  assert.equal(body(Uint8Array.of(22, 3, 1, 0, 40, 2)), "malformed");
  assert.equal(body(Uint8Array.of(22, 3, 1, 0, 0)), "malformed");
  assert.equal(body(Uint8Array.of(23)), "malformed");
  assert.equal(body(Uint8Array.of(22, 2)), "malformed");
  assert.equal(body(new Uint8Array(0)), "incomplete");
});

test.run();
