/** The shells that there are completions for. */
import type { Verb } from "./keys.ts";

export const SHELLS = [
  {
    name: "bash",
    summary: "for bash 4.2 or newer, with or without bash-completion",
    placeholder: null,
  },
  { name: "zsh", summary: "for zsh, as a file _outrigger in $fpath or sourced", placeholder: null },
  { name: "fish", summary: "for fish 3.1 or newer", placeholder: null },
] as const satisfies readonly Verb[];

export type Shell = (typeof SHELLS)[number]["name"];
