/**
 * The two forms of a date in a certificate (RFC 5280 §4.1.2.5): UTCTime with two digits of the year
 * and GeneralizedTime with four, both to the second and in UTC, and nothing that X.680 allows besides.
 */
import { type DerReader, TAG } from "./der.ts";

/** YYMMDDHHMMSSZ */
const UTC_TIME = /^[0-9]{12}Z$/;
/** YYYYMMDDHHMMSSZ */
const GENERALIZED_TIME = /^[0-9]{14}Z$/;

/** RFC 5280 §4.1.2.5.1: from 50 on, two digits are a year of the 20th century. */
const UTC_TIME_PIVOT = 50;
/** Below this Date.UTC would read the year as one of the 20th century. */
const YEAR_MIN = 1_000;

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Reads a Time, in milliseconds since 1970. A date that no calendar has is a fault of the reader. */
export function readTime(reader: DerReader): number {
  const isShort = reader.tag === TAG.utcTime;
  const content = reader.content(isShort ? TAG.utcTime : TAG.generalizedTime);
  // A character more than the longer form has is enough to tell that it is neither.
  const text = String.fromCharCode(...content.subarray(0, 16));
  if (!(isShort ? UTC_TIME : GENERALIZED_TIME).test(text)) {
    reader.fail("not a date");
    return 0;
  }
  const ms = isShort ? timeOf(century(text) + text) : timeOf(text);
  if (ms === null) reader.fail("a date that does not exist");
  return ms ?? 0;
}

function century(text: string): string {
  return Number(text.slice(0, 2)) >= UTC_TIME_PIVOT ? "19" : "20";
}

/** `text` has 14 digits. */
function timeOf(text: string): number | null {
  const year = Number(text.slice(0, 4));
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = [4, 6, 8, 10, 12].map((at) =>
    Number(text.slice(at, at + 2)),
  );
  if (year < YEAR_MIN || month < 1 || day < 1 || day > daysIn(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** Returns 0 for a month above 12. */
function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
}
