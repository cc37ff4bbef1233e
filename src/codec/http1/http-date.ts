/**
 * Dates as HTTP writes them, RFC 9110 §5.6.7: the form that is sent today and the two old ones that
 * must be understood. Names of days are looked at for their shape only.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)";
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})";
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^${DAY}, (?<day>[0-9]{2}) ${MONTH} (?<year>[0-9]{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^${LONG_DAY}, (?<day>[0-9]{2})-${MONTH}-(?<year>[0-9]{2}) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^${DAY} ${MONTH} (?<day>[0-9 ][0-9]) ${TIME} (?<year>[0-9]{4})$`),
];

/**
 * Returns milliseconds since 1970, or null for what is no date. `nowMs`: the same of the present, by
 * which a year of two digits is understood: one more than 50 years ahead is a past one.
 */
export function parseHttpDate(text: string, nowMs: number): number | null {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return timeOf(parts, nowMs);
  }
  return null;
}

function timeOf(parts: Readonly<Record<string, string>>, nowMs: number): number | null {
  const number = (name: string): number => Number(parts[name]);
  const [hour, minute, second] = [number("hour"), number("minute"), number("second")];
  // 60: a leap second.
  if (hour > 23 || minute > 59 || second > 60) return null;
  const { month: name = "", year: digits = "" } = parts;
  const month = MONTHS.indexOf(name);
  const day = number("day");
  const year = digits.length === 2 ? wholeYear(number("year"), nowMs) : number("year");
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month, day);
  // 31 Feb is no date, and neither is day 0.
  if (midnight.getUTCMonth() !== month || midnight.getUTCDate() !== day) return null;
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1_000;
}

function wholeYear(year: number, nowMs: number): number {
  const now = new Date(nowMs).getUTCFullYear();
  const inCentury = now - (now % 100) + year;
  return inCentury > now + 50 ? inCentury - 100 : inCentury;
}
