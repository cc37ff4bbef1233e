/** Writing to stdout. */

const EXIT_FAILURE = 1;

/**
 * Resolves when `text` is written, which a pipe may take its time for: the program's end would cut
 * what it has not taken yet. False: nobody reads any more.
 */
export function printed(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const onError = (): void => resolve(false);
    process.stdout.once("error", onError);
    process.stdout.write(text, (error) => {
      // What is told of by the event comes after this, or before.
      setTimeout(() => process.stdout.off("error", onError), 0);
      resolve(error === null || error === undefined);
    });
  });
}

/** Of a command that is there to print: what was not written, on a full disk say, is a failure. */
export function statusOf(isWritten: boolean): number {
  return isWritten ? 0 : EXIT_FAILURE;
}
