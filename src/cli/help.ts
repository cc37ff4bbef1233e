/** Help texts, made from the table of commands and flags. */
import { COMMAND_NAMES, COMMANDS, type Command, type CommandName, type Flag } from "./keys.ts";

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
    `  ${COMMANDS.run.example}`,
  ].join("\n");
}

function commandHelp({ summary, usage, example, flags }: Command): string {
  const lines = [`outrigger ${usage}`, "", `  ${summary}`, ""];
  for (const flag of flags) lines.push(...flagLines(flag));
  if (flags.length > 0) lines.push("A flag beats its variable, which beats the default.", "");
  return [...lines, "Example:", "", `  ${example}`].join("\n");
}

function flagLines(flag: Flag): string[] {
  const { name, variable, placeholder, fallback, fallbackText = fallback } = flag;
  const notes = [
    flag.isRepeatable ? "repeatable" : null,
    fallbackText === null ? null : `default: ${fallbackText}`,
    `${variable}${flag.isRepeatable ? ", entries separated by ;" : ""}`,
  ];
  return [
    `  ${name}${placeholder === null ? "[=on|off]" : ` ${placeholder}`}`,
    `      ${flag.help}`,
    `      (${notes.filter((note) => note !== null).join("; ")})`,
    "",
  ];
}
