/**
 * Durations as people write them: a whole number and its unit. A bare number is refused, because
 * half of its readers would take it for seconds and half for milliseconds.
 */

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Nine digits keep the longest, in hours, exact as a number. */
const DURATION = /^(0|[1-9][0-9]{0,8})(ms|s|m|h)$/;

/** Returns the milliseconds of `100ms`, `10s`, `2m`, `1h` or `0`; null for anything else. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  const [, count, unit] = DURATION.exec(text) ?? [];
  switch (unit) {
    case "ms":
    case "s":
    case "m":
    case "h":
      return Number(count) * MS_PER_UNIT[unit];
    default:
      return null;
  }
}

/** Returns whole milliseconds in the largest unit that says them exactly: 120000 is `2m`. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    if (ms !== 0 && ms % MS_PER_UNIT[unit] === 0) return `${ms / MS_PER_UNIT[unit]}${unit}`;
  }
  return `${ms}ms`;
}
