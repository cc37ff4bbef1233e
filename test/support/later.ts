/** A peer that takes its time: part of what is tested, never a wait for something to come true. */

/** Calls `action` after `ms`, as a slow peer would. */
export function later(ms: number, action: () => void): void {
  setTimeout(action, ms);
}

/** Resolves once everything that was due has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
