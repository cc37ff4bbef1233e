/** What completions want to know of the table of commands and flags, the same for every shell. */
import type { Command, Flag, Verb } from "../keys.ts";

export type Table = Readonly<Record<string, Command>>;

/** What may stand where a value is expected. */
export type Values =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "folder" }
  /** A file's name behind an `@`, or something that nobody can guess. */
  | { readonly kind: "@file" }
  | { readonly kind: "free" };

/** The command whose words are the commands' names. */
export const HELP = "help";
/** The command that another one may follow, behind `--`. */
export const RUN = "run";

const ON_OFF: readonly string[] = ["on", "off"];
const FREE: Values = { kind: "free" };

/** Reads the placeholder: what is in small letters is meant literally, as in `text|json`. */
export function valuesOf(placeholder: string | null): Values {
  if (placeholder === null) return { kind: "words", words: ON_OFF };
  if (/^[a-z0-9-]+(?:\|[a-z0-9-]+)*$/.test(placeholder)) {
    return { kind: "words", words: placeholder.split("|") };
  }
  const parts = placeholder.split("|");
  if (parts.includes("@FILE")) return { kind: "@file" };
  if (parts.includes("FILE")) return { kind: "file" };
  return parts.includes("DIR") ? { kind: "folder" } : FREE;
}

export type Entry = { readonly name: string; readonly summary: string };

/** The commands of one word. */
export function firstWords(table: Table): readonly Entry[] {
  return entries(table).filter(({ name }) => !name.includes(" "));
}

/** The words that make another command of one: of `control` it is `token`, `anchor` … */
export function secondWords(table: Table, command: string): readonly Entry[] {
  return entries(table)
    .filter(({ name }) => name.startsWith(`${command} `))
    .map(({ name, summary }) => ({ name: name.slice(command.length + 1), summary }));
}

export function verbsOf(command: Command): readonly Verb[] {
  return command.verbs ?? [];
}

/** The flags that mean nothing with a verb. */
export function idleFlags(command: Command, verb: Verb): readonly Flag[] {
  return command.flags.filter(({ verbs }) => verbs !== undefined && !verbs.includes(verb.name));
}

function entries(table: Table): readonly Entry[] {
  return Object.entries(table).map(([name, { summary }]) => ({ name, summary }));
}
