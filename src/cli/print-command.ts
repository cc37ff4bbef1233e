/** `outrigger completion` and `outrigger man`: texts about the program, made from its own table. */
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { zshCompletion } from "./completion/zsh.ts";
import { COMMANDS } from "./keys.ts";
import { manPage } from "./man/page.ts";
import { printed, statusOf } from "./printed.ts";
import type { Shell } from "./shell-keys.ts";
import { VERSION } from "./version.ts";

const COMPLETIONS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** Prints a shell's completion script. Returns the exit status. */
export async function completion({ shell }: { readonly shell: Shell }): Promise<number> {
  return statusOf(await printed(COMPLETIONS[shell](COMMANDS)));
}

/**
 * Prints the man page. It is of today, or of the time that SOURCE_DATE_EPOCH gives in seconds, so that
 * a build can be done again (https://reproducible-builds.org/specs/source-date-epoch/).
 */
export async function man(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"] ?? "";
  const ms = /^[0-9]{1,11}$/.test(given) ? Number(given) * 1_000 : Date.now();
  return statusOf(
    await printed(manPage({ table: COMMANDS, version: VERSION, date: new Date(ms) })),
  );
}
