import * as assert from "uvu/assert";
import { DER_BYTES_MAX, DerReader, TAG } from "../../../src/codec/x509/der.ts";
import { der } from "../../support/certificates.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/x509/der");

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What one call says of these bytes: its value as JSON, or the fault. */
function outcome(input: Uint8Array, read: (reader: DerReader) => unknown): unknown {
  const reader = DerReader.over(input);
  const value = read(reader);
  reader.finish();
  return reader.error ?? value;
}

test("content() takes definite lengths in their shortest form", () => {
  for (const length of [0, 1, 127, 128, 255, 256, 16_000]) {
    const value = der(TAG.octetString, new Uint8Array(length));
    const content = outcome(value, (reader) => reader.content(TAG.octetString));
    assert.ok(content instanceof Uint8Array && content.length === length, `${length} bytes`);
  }
});

test("content() refuses every other length, and tags of many bytes", () => {
  const table: [Uint8Array, string][] = [
    [bytes(), "a value missing"],
    [bytes(0x04), "a length missing"],
    [bytes(0x04, 0x81), "a length missing"],
    [bytes(0x04, 0x82, 0x01), "a length missing"],
    [bytes(0x04, 0x80, 0x00, 0x00), "an indefinite length"],
    [bytes(0x04, 0x81, 0x01, 0xaa), "a length not in its shortest form"],
    [bytes(0x04, 0x81, 0x7f, ...Array<number>(127).fill(0)), "a length not in its shortest form"],
    [bytes(0x04, 0x82, 0x00, 0xff, ...Array<number>(255)), "a length not in its shortest form"],
    [bytes(0x04, 0x83, 0x00, 0x00, 0x01, 0xaa), "a length beyond the end"],
    [bytes(0x04, 0xff), "a length beyond the end"],
    [bytes(0x04, 0x02, 0xaa), "a length beyond the end"],
    [bytes(0x04, 0x01, 0xaa, 0xbb), "bytes after the last value"],
    [bytes(0x05, 0x00), "another tag"],
    [new Uint8Array(DER_BYTES_MAX + 1), "longer than 16384 bytes"],
  ];
  for (const [input, reason] of table) {
    assert.is(
      outcome(input, (reader) => reader.content(0x04)),
      reason,
    );
  }
  assert.is(
    outcome(bytes(0x1f, 0x01, 0x00), (reader) => reader.content(0x1f)),
    "a tag of many bytes",
  );
});

test("whole() and skip() walk what a value holds, up to a depth", () => {
  const nested = (depth: number): Uint8Array<ArrayBuffer> =>
    depth === 0 ? der(0x02, [1]) : der(0x30, nested(depth - 1));
  const skip = (reader: DerReader): string => {
    reader.skip();
    return "fine";
  };
  assert.is(outcome(nested(16), skip), "fine");
  assert.is(outcome(nested(17), skip), "values nested too deep");
  assert.is(outcome(bytes(0x30, 0x02, 0x04, 0x01), skip), "a length beyond the end");
  assert.is(outcome(bytes(0x30, 0x03, 0x30, 0x01, 0x04), skip), "a length missing");
  assert.equal(
    outcome(nested(3), (reader) => reader.whole(0x30)),
    nested(3),
  );
});

test("boolean(), smallInteger(), integer(), oid() and bitString() take one form of a value", () => {
  const table: [Uint8Array, (reader: DerReader) => unknown, unknown][] = [
    [der(1, [0x00]), (reader) => reader.boolean(), false],
    [der(1, [0xff]), (reader) => reader.boolean(), true],
    [der(1, [0x01]), (reader) => reader.boolean(), "not a BOOLEAN"],
    [der(1, []), (reader) => reader.boolean(), "not a BOOLEAN"],
    [der(1, [0xff, 0xff]), (reader) => reader.boolean(), "not a BOOLEAN"],
    [der(2, [0x00]), (reader) => reader.smallInteger(), 0],
    [der(2, [0x00, 0x80]), (reader) => reader.smallInteger(), 128],
    [der(2, [0x7f, 0xff, 0xff, 0xff]), (reader) => reader.smallInteger(), 2 ** 31 - 1],
    [der(2, [0x80]), (reader) => reader.smallInteger(), "an INTEGER out of range"],
    [der(2, [1, 0, 0, 0, 0]), (reader) => reader.smallInteger(), "an INTEGER out of range"],
    [der(2, []), (reader) => reader.integer(), "an INTEGER not in its shortest form"],
    [der(2, [0x00, 0x7f]), (reader) => reader.integer(), "an INTEGER not in its shortest form"],
    [der(2, [0xff, 0x80]), (reader) => reader.integer(), "an INTEGER not in its shortest form"],
    [der(2, [0xff, 0x7f]), (reader) => reader.integer(), bytes(0xff, 0x7f)],
    [der(6, [0x55, 0x1d, 0x11]), (reader) => reader.oid(), "551d11"],
    [der(6, []), (reader) => reader.oid(), "not an OBJECT IDENTIFIER"],
    [der(6, [0x55, 0x80]), (reader) => reader.oid(), "an OBJECT IDENTIFIER with a padded arc"],
    [der(6, [0x55, 0x81]), (reader) => reader.oid(), "not an OBJECT IDENTIFIER"],
    [der(6, new Uint8Array(33).fill(1)), (reader) => reader.oid(), "not an OBJECT IDENTIFIER"],
    [der(3, [1, 0x82]), (reader) => reader.bitString(), { unusedBits: 1, bytes: bytes(0x82) }],
    [der(3, [0]), (reader) => reader.bitString(), { unusedBits: 0, bytes: bytes() }],
    [der(3, []), (reader) => reader.bitString(), "not a BIT STRING"],
    [der(3, [1]), (reader) => reader.bitString(), "not a BIT STRING"],
    [der(3, [8, 0]), (reader) => reader.bitString(), "not a BIT STRING"],
    [der(3, [1, 0x81]), (reader) => reader.bitString(), "not a BIT STRING"],
  ];
  for (const [input, read, expected] of table) assert.equal(outcome(input, read), expected);
});

test("a fault ends a reader and all it has made, and the first one is told", () => {
  const reader = DerReader.over(der(0x30, der(0x30, der(2, [1]), der(2, [2]))));
  const outer = reader.enter(0x30);
  const inner = outer.enter(0x30);
  assert.is(inner.smallInteger(), 1);
  inner.boolean();
  assert.is(inner.error, "another tag");
  for (const each of [reader, outer, inner]) {
    assert.ok(each.isAtEnd);
    assert.is(each.tag, -1);
    each.fail("later");
    assert.is(each.error, "another tag");
    assert.is(each.content(0x02).length, 0);
    assert.is(each.whole(0x02).length, 0);
    assert.is(each.smallInteger(), 0);
    assert.is(each.again(der(2, [7])).smallInteger(), 0);
  }
});

test.run();
