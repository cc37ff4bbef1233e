/** The text forms of gRPC: grpc-timeout, grpc-message, and what foreign codes mean. */
import * as assert from "uvu/assert";
import { Status, statusOf, statusOfHttp, statusOfReset } from "../../src/rpc/status.ts";
import {
  decodeStatusText,
  encodeStatusText,
  STATUS_TEXT_BYTES_MAX,
} from "../../src/rpc/status-text.ts";
import { formatTimeout, parseTimeout } from "../../src/rpc/timeout.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("rpc/texts");

test("grpc-timeout has six units, and is rounded up to milliseconds", () => {
  const table: [string, number][] = [
    ["0m", 0],
    ["1m", 1],
    ["99999999m", 99_999_999],
    ["2S", 2_000],
    ["3M", 180_000],
    ["1H", 3_600_000],
    ["99999999H", 99_999_999 * 3_600_000],
    ["1u", 1],
    ["1000u", 1],
    ["1001u", 2],
    ["1n", 1],
    ["99999999n", 100],
    ["007S", 7_000],
  ];
  for (const [text, ms] of table) assert.is(parseTimeout(text), ms, text);
});

test("what is no grpc-timeout is none", () => {
  const table = ["", "1", "m", "-1m", "+1m", "1.5S", "1 S", " 1S", "1s", "1h", "1x", "1mm"];
  for (const text of [...table, "123456789m", "1e3m", "0x1S", "١S", "1S\n"]) {
    assert.is(parseTimeout(text), null, JSON.stringify(text));
  }
});

test("a grpc-timeout that is written is never shorter than was asked, nor much longer", () => {
  const random = seeded("rpc/texts timeout");
  const table = [0, 1, 0.2, 99_999_999, 100_000_000, 1e11, 1e13, 6e12];
  for (const ms of [...table, ...Array.from({ length: 200 }, () => random.unit() * 1e12)]) {
    const text = formatTimeout(ms);
    assert.match(text, /^[0-9]{1,8}[mSMH]$/);
    const back = parseTimeout(text) ?? -1;
    assert.ok(back >= ms, `${ms}: ${text}`);
    assert.ok(back <= Math.ceil(ms) * 1.001 + 1, `${ms}: ${text}`);
  }
  assert.is(formatTimeout(1e30), "99999999H");
  assert.is(formatTimeout(-5), "0m");
});

test("grpc-message is percent-encoded as the specification has it", () => {
  const table: [string, string][] = [
    ["", ""],
    ['plain text, with ~ and "', 'plain text, with ~ and "'],
    ["100%", "100%25"],
    ["%41", "%2541"],
    ["\t\r\n", "%09%0D%0A"],
    ["ü€😀", "%C3%BC%E2%82%AC%F0%9F%98%80"],
    ["\x7f", "%7F"],
    [" blanks ", "%20blanks%20"],
    [" ", "%20"],
  ];
  for (const [text, encoded] of table) {
    assert.is(encodeStatusText(text), encoded);
    assert.is(decodeStatusText(encoded), text);
  }
});

test("a grpc-message that breaks the rules is decoded as far as it goes", () => {
  assert.is(decodeStatusText("50% of %zz %4"), "50% of %zz %4");
  assert.is(decodeStatusText("%41%4a%4A"), "AJJ");
  assert.is(decodeStatusText("%ff"), "\ufffd");
});

test("a long grpc-message is cut between characters", () => {
  for (let lead = 0; lead < 4; lead++) {
    const text = "x".repeat(lead) + "😀".repeat(STATUS_TEXT_BYTES_MAX);
    const back = decodeStatusText(encodeStatusText(text));
    assert.ok(text.startsWith(back));
    const { length } = new TextEncoder().encode(back);
    assert.ok(length > STATUS_TEXT_BYTES_MAX - 4 && length <= STATUS_TEXT_BYTES_MAX, `${length}`);
  }
});

test("foreign codes mean what gRPC says they mean", () => {
  const http: [number, Status][] = [
    [400, Status.internal],
    [401, Status.unauthenticated],
    [403, Status.permissionDenied],
    [404, Status.unimplemented],
    [415, Status.unknown],
    [429, Status.unavailable],
    [500, Status.unknown],
    [502, Status.unavailable],
    [503, Status.unavailable],
    [504, Status.unavailable],
  ];
  for (const [code, status] of http) assert.is(statusOfHttp(code), status, String(code));
  const resets = [13, 13, 13, 13, 13, 13, 13, 14, 1, 13, 13, 8, 7, 13, 13];
  resets.forEach((status, code) => {
    assert.is(statusOfReset(code), status, String(code));
  });
  assert.is(statusOf(16), Status.unauthenticated);
  for (const number of [-1, 17, 0.5, Number.NaN]) assert.is(statusOf(number), null);
});

test.run();
