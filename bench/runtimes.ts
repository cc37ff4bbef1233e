/** The native programs of Bun and Deno, and how each runs a TypeScript file. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

export const RUNTIMES = ["bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** Returns the path of the runtime's program, or null if it is not installed. */
export function findRuntime(runtime: Runtime): string | null {
  if (basename(process.execPath) === runtime) {
    return process.execPath;
  }
  const path = `${ROOT}node_modules/.bin/${runtime}`;
  return existsSync(path) ? path : null;
}

/** Returns the words that run a TypeScript file on the runtime at `path`; the file comes next. */
export function runtimeCommand(path: string): string[] {
  return basename(path) === "deno" ? [path, "run", "-A", "--no-config"] : [path];
}
