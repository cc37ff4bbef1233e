/** `grpc-timeout`: at most eight digits and a unit, PROTOCOL-HTTP2.md ("Requests"). */

const DIGITS_MAX = 8;
const NUMBER_MAX = 10 ** DIGITS_MAX - 1;

/** Milliseconds in each unit. */
const UNIT_MS: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  S: 1_000,
  M: 60_000,
  H: 3_600_000,
};

/** Returns whole milliseconds, rounded up; null when it breaks the grammar. */
export function parseTimeout(text: string): number | null {
  const [, digits, unit] = /^([0-9]{1,8})([HMSmun])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit ?? ""];
  if (digits === undefined || unitMs === undefined) return null;
  return Math.ceil(Number(digits) * unitMs);
}

/** Returns the field's value for milliseconds, in the finest unit that has room for them. */
export function formatTimeout(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  for (const unit of ["m", "S", "M"]) {
    const count = Math.ceil(ms / (UNIT_MS[unit] ?? 1));
    if (count <= NUMBER_MAX) return `${count}${unit}`;
  }
  return `${Math.min(NUMBER_MAX, Math.ceil(ms / 3_600_000))}H`;
}
