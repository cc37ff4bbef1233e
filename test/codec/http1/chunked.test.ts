import * as assert from "uvu/assert";
import {
  CHUNK_HEADER_BYTES_MAX,
  ChunkedDecoder,
  TRAILER_BYTES_MAX,
  writeChunkHeader,
} from "../../../src/codec/http1/chunked.ts";
import { CHUNKED } from "../../support/chunks-http1.ts";
import { bytewise, decodeChunked, latin1, textOf } from "../../support/read-http1.ts";
import { forEachPrefix, forEachSplit } from "../../support/splits.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/chunked");

/** Longer examples are cut at a few places only. */
const EVERY_CUT_BYTES_MAX = 1_200;

for (const row of CHUNKED) {
  test(`ChunkedDecoder ${row.error === null ? "reads" : "refuses"} ${row.name}`, () => {
    const result = decodeChunked(latin1(row.input));
    if (row.error !== null) return assert.is(result.error, row.error);
    const { data, trailers, rest } = row;
    assert.equal(result, { data, trailers, isDone: true, error: null, rest });
  });
}

test("every split and the single bytes give what the whole gives", () => {
  for (const { input, name, error } of CHUNKED) {
    const bytes = latin1(input);
    const whole = decodeChunked(bytes);
    const expected = error === null ? whole : { error };
    const reduced = (result: typeof whole): unknown =>
      error === null ? result : { error: result.error };
    assert.equal(reduced(decodeChunked(...bytewise(bytes.slice(0, 20_000)))), expected, name);
    if (bytes.length > EVERY_CUT_BYTES_MAX) continue;
    forEachSplit(bytes, (head, tail) => {
      assert.equal(reduced(decodeChunked(head, tail)), expected, name);
    });
  }
});

test("every prefix waits for more, or fails as the whole does", () => {
  for (const { input, name, error } of CHUNKED) {
    if (input.length > EVERY_CUT_BYTES_MAX) continue;
    const whole = decodeChunked(latin1(input));
    const used = input.length - whole.rest.length;
    let hasFailed = false;
    forEachPrefix(latin1(input), (prefix, length) => {
      const result = decodeChunked(prefix);
      if (error === null) {
        assert.is(result.error, null, name);
        assert.is(result.isDone, length >= used, name);
        assert.ok(whole.data.startsWith(result.data), name);
      } else {
        assert.not(result.isDone, name);
        if (hasFailed || result.error !== null) assert.is(result.error, error, name);
        hasFailed = result.error !== null;
      }
    });
  }
});

test("sizes below 2^53 are taken, from there on refused", () => {
  for (const size of [
    "1fffffffffffff",
    "1FFFFFFFFFFFFF",
    "001fffffffffffff",
    "7fffffff",
    "ffffffff",
  ]) {
    assert.equal(decodeChunked(latin1(`${size}\r\nabc`)), {
      data: "abc",
      trailers: [],
      isDone: false,
      error: null,
      rest: "",
    });
  }
  for (const size of ["20000000000000", "0020000000000001", "ffffffffffffff", "8000000000000000"]) {
    assert.is(decodeChunked(latin1(`${size}\r\n`)).error, "bad-chunk", size);
  }
});

test("size lines may take 16 bytes for each byte of data, and 16 KiB", () => {
  const isRead = (body: string): boolean => decodeChunked(latin1(body)).error === null;
  assert.ok(isRead("1\r\nx\r\n".repeat(50_000)));
  assert.ok(isRead("0000000000000001\r\nx\r\n".repeat(20_000)));
  assert.ok(isRead(`1;${"a".repeat(14)}\r\nx\r\n`.repeat(20_000)));
  assert.not(isRead(`1;${"a".repeat(24)}\r\nx\r\n`.repeat(20_000)));
  assert.ok(isRead(`1000;${"a".repeat(4_000)}\r\n${"x".repeat(4_096)}\r\n`.repeat(50)));
});

test("an endless extension is refused within a size line's limit", () => {
  const bytes = latin1(`1;${"a".repeat(10_000)}`);
  const decoder = new ChunkedDecoder();
  decoder.reset();
  let at = 0;
  while (decoder.decode(bytes, at, at + 1, 0) !== -1) at++;
  assert.ok(at <= 4_100, `${at}`);
});

test("trailers take 16 KiB and not a byte more", () => {
  for (const more of [-1, 0, 1]) {
    const value = "b".repeat(TRAILER_BYTES_MAX - "a: \r\n\r\n".length + more);
    const bytes = latin1(`0\r\na: ${value}\r\n\r\n`);
    const error = more > 0 ? "head-too-large" : null;
    assert.is(decodeChunked(bytes).error, error);
    assert.is(decodeChunked(bytes.slice(0, 9_000), bytes.slice(9_000)).error, error);
    assert.is(decodeChunked(bytes.slice(0, -1), bytes.slice(-1)).error, error);
  }
});

test("reset() forgets the last body, whatever became of it", () => {
  const decoder = new ChunkedDecoder();
  const good = latin1("2\r\nab\r\n0\r\n\r\n");
  const room = new Uint8Array(200_000);
  for (const { input, name } of CHUNKED) {
    for (const cut of [0, 1, input.length >> 1]) {
      decoder.reset();
      room.set(latin1(input.slice(0, input.length - cut)));
      decoder.decode(room, 0, input.length - cut, 100_000);
      decoder.reset();
      room.set(good);
      assert.is(decoder.decode(room, 0, good.length, 100_000), 100_002, name);
      assert.ok(decoder.isDone && decoder.consumed === good.length && decoder.trailers.count === 0);
      decoder.reset();
      assert.is(decoder.decode(latin1("x"), 0, 1, 0), -1);
      assert.is(decoder.error, "bad-chunk", name);
    }
  }
});

test("a body that is done takes no more bytes", () => {
  const decoder = new ChunkedDecoder();
  decoder.reset();
  const bytes = latin1("0\r\n\r\n0\r\n\r\n");
  assert.is(decoder.decode(bytes, 0, bytes.length, 0), 0);
  assert.is(decoder.consumed, 5);
  assert.is(decoder.decode(bytes, 5, bytes.length, 0), 0);
  assert.is(decoder.consumed, 5);
});

test("writeChunkHeader() writes lower-case hexadecimal without zeros", () => {
  for (const size of [
    1, 9, 10, 15, 16, 255, 256, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xffffffff,
  ]) {
    const bytes = new Uint8Array(CHUNK_HEADER_BYTES_MAX);
    const start = writeChunkHeader(bytes, bytes.length, size);
    assert.is(textOf(bytes, start), `${size.toString(16)}\r\n`);
  }
});

test.run();
