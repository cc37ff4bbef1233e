/** How this program was started, to start it once more. */
import { readKernelFile } from "./kernel-files.ts";

/** `process.argv` begins with the runtime and the script, or what stands for them in a build. */
const ARGV_OWN = 2;
/** This very executable, also when its file was deleted or replaced. */
const SELF = "/proc/self/exe";

/**
 * Returns the command line that starts this very program anew, with the runtime's flags and rights
 * that it has itself, to which its arguments are added. Null where there is no /proc.
 */
export function ownProgram(): readonly [command: string, ...args: string[]] | null {
  const line = readKernelFile("/proc/self/cmdline");
  if (line === null) return null;
  // Each argument ends with a zero.
  const all = Buffer.from(line, "latin1").toString().split("\0").slice(0, -1);
  const given = process.argv.length - ARGV_OWN;
  // Not by its path, where there may be another program by now.
  return [SELF, ...all.slice(1, all.length - given)];
}
