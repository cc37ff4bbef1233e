/** Help texts, made from the table of commands and flags. */
import {
  COMMAND_NAMES,
  COMMANDS,
  type Command,
  type CommandName,
  type Flag,
  type Verb,
} from "./keys.ts";

/** Returns the text for one command, or for the whole program. Ends with a line feed. */
export function helpText(command: CommandName | null): string {
  return `${command === null ? overview() : commandHelp(COMMANDS[command])}\n`;
}

function overview(): string {
  const width = Math.max(...COMMAND_NAMES.map((name) => name.length));
  return [
    "outrigger: a service-mesh sidecar",
    "",
    "usage: outrigger [COMMAND] [flags]",
    "",
    ...COMMAND_NAMES.map((name) => `  ${name.padEnd(width)}  ${COMMANDS[name].summary}`),
    "",
    "outrigger help COMMAND lists its flags. Example:",
    "",
    `  ${COMMANDS.run.examples[0]}`,
  ].join("\n");
}

function commandHelp({ summary, usage, verbs = [], examples, flags }: Command): string {
  const lines = [`outrigger ${usage}`, "", `  ${summary}`, ""];
  const width = Math.max(...verbs.map((verb) => verbHead(verb).length));
  for (const verb of verbs) lines.push(`  ${verbHead(verb).padEnd(width)}  ${verb.summary}`);
  if (verbs.length > 0) lines.push("");
  for (const flag of flags) lines.push(...flagLines(flag));
  if (flags.length > 0) lines.push("A flag beats its variable, which beats the default.", "");
  const heading = examples.length === 1 ? "Example:" : "Examples:";
  return [...lines, heading, "", ...examples.map((example) => `  ${example}`)].join("\n");
}

function verbHead({ name, placeholder }: Verb): string {
  return placeholder === null ? name : `${name} ${placeholder}`;
}

function flagLines(flag: Flag): string[] {
  const { name, placeholder } = flag;
  return [
    `  ${name}${placeholder === null ? "[=on|off]" : ` ${placeholder}`}`,
    `      ${flagHelp(flag)}`,
    `      (${flagNotes(flag).join("; ")})`,
    "",
  ];
}

/** What a flag is for, and of which verbs where it is not for all of them. */
export function flagHelp({ help, verbs }: Flag): string {
  return verbs === undefined ? help : `${verbs.join(", ")}: ${help}`;
}

/** Whether it may be given again, its default and its variable. */
export function flagNotes(flag: Flag): readonly string[] {
  const { variable, fallback, fallbackText = fallback } = flag;
  const notes = [
    flag.isRepeatable ? "repeatable" : null,
    fallbackText === null ? null : `default: ${fallbackText}`,
    `${variable}${flag.isRepeatable ? ", entries separated by ;" : ""}`,
  ];
  return notes.filter((note) => note !== null);
}
