/** A script of ours that is told what to do line by line on stdin and answers line by line on stdout. */
import { type Child, LOAD_CORE, startScript } from "../child.ts";

const LIFE_MS = 24 * 3_600_000; // each line has a deadline of its own

export interface Talk {
  readonly child: Child;
  /** Returns the next line that was not yet returned; rejects when the script has gone or says nothing
   * for `timeoutMs`. */
  nextLine(timeoutMs: number): Promise<string>;
}

/** Starts the script on the load's core; `what` names it in errors. */
export function startTalk(what: string, path: string, scriptArguments: readonly string[]): Talk {
  const unread: string[] = [];
  let onLine: ((line: string) => void) | null = null;
  const child = startScript(path, scriptArguments, {
    core: LOAD_CORE,
    killAfterMs: LIFE_MS,
    onLine: (line) => {
      if (onLine === null) {
        unread.push(line);
        return;
      }
      onLine(line);
      onLine = null;
    },
  });
  return {
    child,
    nextLine: (timeoutMs) => {
      const line = unread.shift();
      if (line !== undefined) {
        return Promise.resolve(line);
      }
      return new Promise((resolve, reject) => {
        const fail = (): void => {
          onLine = null;
          reject(new Error(`${what} stopped: ${child.complaint()}`));
        };
        const bound = setTimeout(fail, timeoutMs);
        onLine = (next) => {
          clearTimeout(bound);
          resolve(next);
        };
        child.exited.then(fail, fail);
      });
    },
  };
}
