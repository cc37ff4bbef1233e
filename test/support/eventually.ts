/**
 * The one way a test waits for something that another thread, process or socket will do: ask again
 * and again until it holds. PATIENCE=4 in the environment makes every deadline four times as long.
 */

const EVERY_MS = 5;

/** A fact comes true in milliseconds; ten seconds are for a loaded machine. What must be sooner says so. */
const WITHIN_DEFAULT_MS = 10_000;

const patience = Number(process.env["PATIENCE"] ?? "1");

/** Returns a deadline of `ms` as it is on this machine. */
export function patient(ms: number): number {
  return ms * patience;
}

export interface EventuallyOptions {
  /** Gives up after this long. */
  readonly withinMs?: number;
  /** What is waited for, for the message when it does not come true. */
  readonly what?: string;
}

/**
 * Polls `check` until it neither throws nor returns `false` or `null`, and returns what it returned.
 * Rejects after `withinMs` with what was waited for and the last answer or error.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = WITHIN_DEFAULT_MS, what }: EventuallyOptions = {},
): Promise<Exclude<T, false | null>> {
  const limitMs = patient(withinMs);
  const startMs = performance.now();
  for (;;) {
    const answer = await ask(check);
    if (answer.ok) return answer.value;
    if (performance.now() - startMs >= limitMs) {
      const subject = what ?? String(check).replace(/\s+/g, " ");
      throw new Error(`not within ${limitMs} ms: ${subject}\n    last: ${answer.last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/**
 * Lets time pass, only to show that nothing happens meanwhile: idle CPU, silence on a socket. What is
 * to happen is waited for with `eventually()`.
 */
export async function lapse(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

type Answer<T> = { ok: true; value: Exclude<T, false | null> } | { ok: false; last: string };

async function ask<T>(check: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    const value = await check();
    if (value === false || value === null) return { ok: false, last: String(value) };
    return { ok: true, value: value as Exclude<T, false | null> };
  } catch (error) {
    return { ok: false, last: error instanceof Error ? error.message : String(error) };
  }
}
