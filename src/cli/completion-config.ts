/** From the words behind `completion` to the shell that is meant. */
import { type Configured, configure, type Environment, type Values } from "./config.ts";
import { SHELLS, type Shell } from "./shell-keys.ts";
import { readVerb } from "./verb.ts";

export type CompletionConfig = { readonly shell: Shell };

/** Reads the arguments that follow `completion`. */
export function completionConfig(
  argv: readonly string[],
  env: Environment,
): Configured<CompletionConfig> {
  const build = (values: Values): CompletionConfig => {
    return { shell: readVerb(values, "completion", SHELLS).verb };
  };
  return configure("completion", argv, env, build, 2);
}
