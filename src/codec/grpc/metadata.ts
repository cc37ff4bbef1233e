/** Values of gRPC's metadata that say how long something takes. */

const DIGITS_MAX = 8;
const MS_PER_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

function textOf(bytes: Uint8Array, start: number, end: number, most: number): string {
  return end - start > most ? "" : String.fromCharCode(...bytes.subarray(start, end));
}

/**
 * `grpc-timeout` (PROTOCOL-HTTP2.md): up to eight digits and a unit. Returns milliseconds, rounded up;
 * null for anything else.
 */
export function grpcTimeoutMs(bytes: Uint8Array, start: number, end: number): number | null {
  const text = textOf(bytes, start, end, DIGITS_MAX + 1);
  const [, count, unit = ""] = /^([0-9]{1,8})([HMSmun])$/.exec(text) ?? [];
  return count === undefined ? null : Math.ceil(Number(count) * (MS_PER_UNIT[unit] ?? 0));
}

/**
 * `grpc-retry-pushback-ms` (gRFC A6). Returns milliseconds; -1: not to be tried again, which is what
 * a negative value says, and one that is no number too.
 */
export function pushbackMs(bytes: Uint8Array, start: number, end: number): number {
  const text = textOf(bytes, start, end, 11);
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : -1;
}
