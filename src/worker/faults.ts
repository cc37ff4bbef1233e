/**
 * Faults that tests stage in a running worker, to see that it is replaced and the others notice
 * nothing. Main passes them on only when OUTRIGGER_FAULTS=1.
 */

export const Fault = { none: 0, throw: 1, exit: 2, hang: 3 } as const;

/** How long a staged hang lasts, milliseconds: longer than the heartbeat is waited for. */
const HANG_MS = 3_000;

export function stage(fault: number, nowMs: () => number): void {
  if (fault === Fault.throw) throw new Error("a staged fault");
  if (fault === Fault.exit) process.exit(1);
  if (fault === Fault.hang) {
    const untilMs = nowMs() + HANG_MS;
    while (nowMs() < untilMs);
  }
}
