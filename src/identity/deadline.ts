/** An attempt that must end in time, whatever it waits for. */
import { RoundError } from "./join-round.ts";
import type { SetTimer } from "./source.ts";

/**
 * Runs an attempt. Rejects when it has not ended within `timeoutMs`, or when `abort` is aborted; what
 * it still brings then is dropped. Aborts `abort` when it is over.
 */
export async function within<T>(
  timeoutMs: number,
  setTimer: SetTimer,
  abort: AbortController,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let takeBack: () => void = () => {};
  const late = new Promise<never>((_, reject) => {
    takeBack = setTimer(timeoutMs, () => {
      reject(new RoundError(`the control plane did not answer within ${timeoutMs} ms`));
    });
    abort.signal.addEventListener("abort", () => reject(new RoundError("stopped")));
  });
  try {
    return await Promise.race([attempt(abort.signal), late]);
  } finally {
    takeBack();
    abort.abort();
  }
}
