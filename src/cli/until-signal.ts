/** Waiting to be told to stop. */

/** A launcher passes on what the whole group got too: two signals so close together are one. */
const SIGNAL_ECHO_MS = 300;

/** Resolves upon SIGTERM or SIGINT; from then on a second one ends the process at once. */
export function untilSignal(): Promise<void> {
  return new Promise<void>((resolve) => {
    let firstMs = 0;
    const onSignal = (): void => {
      const nowMs = performance.now();
      if (firstMs === 0) firstMs = nowMs;
      else if (nowMs - firstMs > SIGNAL_ECHO_MS) process.exit(130);
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
