/** Bun and Deno: how each runs a TypeScript file of ours. It is bin/runtimes.mjs that knows, since the
 * bench must run the same programs with the same flags as every other command. */
import { asObject } from "./json.ts";

const ROOT_URL = new URL("..", import.meta.url);
export const ROOT = decodeURIComponent(ROOT_URL.pathname);

export const RUNTIMES = ["bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

// By a computed name, for it is JavaScript without types: what it returns is checked below instead.
const bin: unknown = await import(new URL("bin/runtimes.mjs", ROOT_URL).href);

/** Returns the command that runs the file on the runtime. Without the runtime the whole bench ends. */
export function scriptCommand(
  runtime: Runtime,
  file: string,
  scriptArguments: readonly string[],
): string[] {
  const { commandFor } = asObject(bin) ?? {};
  const found: unknown =
    typeof commandFor === "function" ? commandFor(runtime, file, scriptArguments) : null;
  const words = Array.isArray(found) ? found.flat() : [];
  if (words.length === 0 || !words.every((word) => typeof word === "string")) {
    throw new Error(`bin/runtimes.mjs gave no command for ${runtime}`);
  }
  return words;
}

/** Returns the path of the runtime's own program. */
export function runtimeProgram(runtime: Runtime): string {
  return scriptCommand(runtime, "", [])[0] ?? runtime;
}
