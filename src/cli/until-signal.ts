/** Waiting to be told to stop. */

/** A launcher passes on what the whole group got too: two signals so close together are one. */
const SIGNAL_ECHO_MS = 300;

/**
 * Resolves upon SIGTERM or SIGINT with which it was; from then on a second one ends the process at
 * once.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstMs = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      const nowMs = performance.now();
      if (firstMs === 0) firstMs = nowMs;
      else if (nowMs - firstMs > SIGNAL_ECHO_MS) process.exit(130);
      resolve(signal);
    };
    process.on("SIGTERM", () => onSignal("SIGTERM"));
    process.on("SIGINT", () => onSignal("SIGINT"));
  });
}
