/** Where this program keeps what is to outlive it, unless it is told. */
import { isAbsolute, join } from "node:path";
import type { Environment } from "./config.ts";

/**
 * Returns `$XDG_STATE_HOME/outrigger`, or its default by `$HOME`; null where neither is said. By XDG
 * Base Directory 0.8, a path that is not absolute is to be ignored.
 */
export function stateHome({ HOME = "", XDG_STATE_HOME = "" }: Environment): string | null {
  if (isAbsolute(XDG_STATE_HOME)) return join(XDG_STATE_HOME, "outrigger");
  return isAbsolute(HOME) ? join(HOME, ".local", "state", "outrigger") : null;
}
