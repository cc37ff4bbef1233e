// What servers say of when to come again, as strictly read as it is hostile.
import * as assert from "uvu/assert";
import { grpcTimeoutMs, pushbackMs } from "../../src/codec/grpc/metadata.ts";
import { parseHttpDate } from "../../src/codec/http1/http-date.ts";
import { retryAfterMs } from "../../src/codec/http1/retry-after.ts";
import { suite } from "../support/test.ts";

const test = suite("codec/when-again");

const NOW_MS = Date.UTC(2026, 10, 26, 4, 0, 0);

function read<T>(parse: (bytes: Uint8Array, start: number, end: number) => T, text: string): T {
  const bytes = new TextEncoder().encode(`??${text}9`);
  return parse(bytes, 2, bytes.length - 1);
}

test("dates of HTTP in their three forms, and nothing else", () => {
  const then = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (const text of [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ]) {
    assert.is(parseHttpDate(text, NOW_MS), then, text);
  }
  assert.is(
    parseHttpDate("Sunday, 06-Nov-75 08:49:37 GMT", NOW_MS),
    Date.UTC(2075, 10, 6, 8, 49, 37),
  );
  assert.is(
    parseHttpDate("Sunday, 06-Nov-77 08:49:37 GMT", NOW_MS),
    Date.UTC(1977, 10, 6, 8, 49, 37),
  );
  assert.is(parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT", NOW_MS), Date.UTC(2017, 0, 1));
  assert.is(parseHttpDate("Thu, 29 Feb 2024 00:00:00 GMT", NOW_MS), Date.UTC(2024, 1, 29));
  assert.is(parseHttpDate("Mon, 01 Jan 0001 00:00:00 GMT", NOW_MS), -62_135_596_800_000);
  for (const text of [
    "",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Thu, 29 Feb 2023 00:00:00 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "1994-11-06T08:49:37Z",
    "784111777",
  ]) {
    assert.is(parseHttpDate(text, NOW_MS), null, text);
  }
});

test("Retry-After", () => {
  const after = (text: string) => read((...at) => retryAfterMs(...at, NOW_MS), text);
  assert.is(after("0"), 0);
  assert.is(after("120"), 120_000);
  assert.is(after("000120"), 120_000);
  assert.is(after("Thu, 26 Nov 2026 04:00:30 GMT"), 30_000);
  assert.is(after("Thu, 26 Nov 2026 03:59:30 GMT"), 0, "past");
  assert.is(after("999999999"), 999_999_999_000);
  assert.is(after("9999999999999999999999"), Number.MAX_SAFE_INTEGER, "still a number");
  for (const text of ["", "-1", "+1", "1.5", "1s", " 1", "1 ", "1e3", "0x10", "soon", "1,2"]) {
    assert.is(after(text), null, text);
  }
  assert.is(after("1".repeat(41)), null);
});

test("gRPC's pushback, which means never again where it is no number", () => {
  assert.is(read(pushbackMs, "0"), 0);
  assert.is(read(pushbackMs, "1500"), 1_500);
  for (const text of ["", "-1", "-0", "1.5", "abc", "99999999999", "1 ", "１"]) {
    assert.is(read(pushbackMs, text), -1, text);
  }
});

test("gRPC's timeout", () => {
  for (const [text, ms] of [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["100m", 100],
    ["1u", 1],
    ["99999999n", 100],
    ["0m", 0],
    ["99999999H", 359_999_996_400_000],
  ] as const) {
    assert.is(read(grpcTimeoutMs, text), ms, text);
  }
  for (const text of ["", "1", "m", "100ms", "1s", "-1S", "1.5S", "999999999S", "1S "]) {
    assert.is(read(grpcTimeoutMs, text), null, text);
  }
});

test.run();
