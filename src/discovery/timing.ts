/** When discovery does what is not asked of it; a test brings its own. */
import { setImmediate } from "node:timers";

export type Timing = {
  /** Calls `task` every `ms` milliseconds until the function returned is called. */
  every(ms: number, task: () => void): () => void;
  /** Calls `task` once in `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, task: () => void): () => void;
  /** Calls `task` once, after what is to be done in this turn of the event loop. */
  soon(task: () => void): void;
};

export const systemTiming: Timing = {
  every: (ms, task) => {
    const timer = setInterval(task, ms);
    return () => clearInterval(timer);
  },
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  soon: (task) => void setImmediate(task),
};
