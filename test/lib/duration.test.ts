import * as assert from "uvu/assert";
import { formatDuration, parseDuration } from "../../src/lib/duration.ts";
import { suite } from "../support/test.ts";

const test = suite("lib/duration");

test("parseDuration() reads a whole number and its unit", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["0s", 0],
    ["1ms", 1],
    ["100ms", 100],
    ["10s", 10_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["999999999h", 999_999_999 * 3_600_000],
  ];
  for (const [text, ms] of table) assert.is(parseDuration(text), ms, text);
});

test("parseDuration() refuses bare numbers, fractions, signs and all else", () => {
  const table = ["", "10", "1", "s", "1.5s", "-1s", "+1s", "1e3s", "0x1s", " 1s", "1s ", "1 s"];
  const more = [
    "1S",
    "1d",
    "1us",
    "01s",
    "1m30s",
    "NaN",
    "NaNs",
    "Infinitys",
    "1000000000s",
    "１s",
  ];
  for (const text of [...table, ...more]) assert.is(parseDuration(text), null, text);
});

test("formatDuration() says in the largest whole unit what parseDuration() reads", () => {
  assert.is(formatDuration(120_000), "2m");
  assert.is(formatDuration(90_000), "90s");
  for (const ms of [0, 1, 999, 1_000, 61_000, 3_600_000]) {
    assert.is(parseDuration(formatDuration(ms)), ms);
  }
});

test.run();
