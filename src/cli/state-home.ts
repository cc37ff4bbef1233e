/** Where this program keeps what is to outlive it, unless it is told. */
import { homedir } from "node:os";
import { join } from "node:path";

/** Returns `$XDG_STATE_HOME/outrigger` (XDG Base Directory 0.8); null without a home directory. */
export function stateHome(env: Readonly<Record<string, string | undefined>>): string | null {
  const named = env["XDG_STATE_HOME"] ?? "";
  // "All paths must be absolute; a relative one is to be ignored."
  if (named.startsWith("/")) return join(named, "outrigger");
  const home = env["HOME"] ?? homedir();
  return home.startsWith("/") ? join(home, ".local", "state", "outrigger") : null;
}
