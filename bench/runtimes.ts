/** Bun and Deno: how each runs a TypeScript file of ours. It is bin/runtimes.mjs that knows, since the
 * bench must run the same programs with the same flags as every other command. */
import { asObject } from "./json.ts";

export const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

export const RUNTIMES = ["bun", "deno"] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** Returns the command that runs the file on the runtime. Without the runtime the whole bench ends. */
export type ScriptCommand = (
  runtime: Runtime,
  file: string,
  scriptArguments: readonly string[],
) => string[];

/** Returns how the checkout at `root`, which ends in a slash, runs its files: that may be another
 * version of the runtimes, with other flags. */
export async function scriptCommandOf(root: string): Promise<ScriptCommand> {
  // By a computed name, for it is JavaScript without types: what it returns is checked below instead.
  const bin: unknown = await import(new URL(`file://${root}bin/runtimes.mjs`).href);
  return (runtime, file, scriptArguments) => {
    const { commandFor } = asObject(bin) ?? {};
    const found: unknown =
      typeof commandFor === "function" ? commandFor(runtime, file, scriptArguments) : null;
    const words = Array.isArray(found) ? found.flat() : [];
    if (words.length === 0 || !words.every((word) => typeof word === "string")) {
      throw new Error(`${root}bin/runtimes.mjs gave no command for ${runtime}`);
    }
    return words;
  };
}

export const scriptCommand: ScriptCommand = await scriptCommandOf(ROOT);
