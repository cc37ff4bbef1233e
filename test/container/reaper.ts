/**
 * Waits for the end of who started it, then takes away what that has left. Containers are nobody's
 * children, so they would outlive a test that is killed.
 *
 *   reaper.ts FOLDER LABEL
 */
import { removeLeftovers } from "./leftovers.ts";

const [, , folder = "", label = ""] = process.argv;
// The other end is closed when it ends, however it does.
for await (const _ of process.stdin);
removeLeftovers({ folder, label });
