/** The man page outrigger(1), made from the table of commands and flags and from prose.ts. */
import { flagHelp, flagNotes } from "../help.ts";
import { type Command, ENTRY_SEPARATOR, type Flag } from "../keys.ts";
import {
  DESCRIPTION,
  EXAMPLES,
  EXIT_STATUS,
  FILES,
  OTHER_VARIABLES,
  type Prose,
  SIGNALS,
} from "./prose.ts";
import { bold, entry, escaped, example, italic, macro, text } from "./roff.ts";

type Table = Readonly<Record<string, Command>>;

type PageOptions = {
  readonly table: Table;
  readonly version: string;
  /** Shown as its day, in UTC. */
  readonly date: Date;
};

/** Returns the page. Ends with a line feed. */
export function manPage({ table, version, date }: PageOptions): string {
  const commands = Object.entries(table);
  return [
    '.\\" Made by: outrigger man',
    // The day is no text: a hyphen is a hyphen there.
    `.TH OUTRIGGER 1 ${date.toISOString().slice(0, 10)} "${escaped(`outrigger ${version}`)}"`,
    macro("SH", "NAME"),
    `outrigger \\- ${escaped("a service-mesh sidecar")}`,
    macro("SH", "SYNOPSIS"),
    `${bold("outrigger")} [${italic("COMMAND")}] [${italic("flags")}]`,
    macro("SH", "DESCRIPTION"),
    DESCRIPTION.map(text).join("\n.PP\n"),
    macro("SH", "COMMANDS"),
    ...commands.map(([name, command]) => commandText(name, command)),
    macro("SH", "ENVIRONMENT"),
    text(`A flag beats its variable, which beats the default. ${ENTRIES}`),
    ...variables(table),
    ...OTHER_VARIABLES.map(proseText),
    macro("SH", "FILES"),
    ...FILES.map(proseText),
    macro("SH", "EXIT STATUS"),
    ...EXIT_STATUS.map(proseText),
    macro("SH", "SIGNALS"),
    ...SIGNALS.map(proseText),
    macro("SH", "EXAMPLES"),
    ...EXAMPLES.flatMap(([about, ...lines], index) => [
      ...(index === 0 ? [] : [".PP"]),
      text(about),
      ".PP",
      ...example(lines),
    ]),
    macro("SH", "SEE ALSO"),
    ["openssl(1)", "nft(8)", "iptables(8)"].map(reference).join(",\n"),
    "",
  ].join("\n");
}

const ENTRIES = `The entries of a repeatable flag are separated by ${ENTRY_SEPARATOR} in its variable.`;

function commandText(name: string, command: Command): string {
  const { usage, summary, verbs = [], flags, examples } = command;
  const rest = usage.slice(name.length);
  return [
    macro("SS", name),
    `${bold(`outrigger ${name}`)}${escaped(rest)}`,
    ".PP",
    text(sentence(summary)),
    ...verbs.map((verb) => {
      const word = verb.placeholder === null ? "" : ` ${italic(verb.placeholder)}`;
      return entry(`${bold(verb.name)}${word}`, sentence(verb.summary));
    }),
    ...flags.map(flagText),
    ".PP",
    ...example(examples),
  ].join("\n");
}

function flagText(flag: Flag): string {
  const { name, placeholder } = flag;
  const value = placeholder === null ? escaped("[=on|off]") : ` ${italic(placeholder)}`;
  return entry(
    `${bold(name)}${value}`,
    sentence(flagHelp(flag)),
    `(${flagNotes(flag).join("; ")})`,
  );
}

/** Every variable that a flag has, with the commands that heed it. */
function variables(table: Table): readonly string[] {
  const uses = new Map<string, { flag: Flag; commands: string[] }>();
  for (const [name, { flags }] of Object.entries(table)) {
    for (const flag of flags) {
      const use = uses.get(flag.variable);
      if (use === undefined) uses.set(flag.variable, { flag, commands: [name] });
      else use.commands.push(name);
    }
  }
  return [...uses]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([variable, { flag, commands }]) =>
      entry(bold(variable), `${flag.name} of ${commands.join(", ")}.`),
    );
}

function proseText([head, ...paragraphs]: Prose): string {
  return entry(bold(head), ...paragraphs);
}

/** `nft(8)` as man pages write it. */
function reference(name: string): string {
  const [, page = name, section = ""] = /^(.*)(\(.*\))$/.exec(name) ?? [];
  return `${bold(page)}${section}`;
}

/** Help texts are written to stand in a list; here they are sentences. */
function sentence(plain: string): string {
  const first = plain.slice(0, 1);
  // A flag or a name stays as it is.
  const isWord = /^[a-z]+[ ,]/.test(plain) && !plain.startsWith("outrigger");
  return `${isWord ? first.toUpperCase() : first}${plain.slice(1)}.`;
}
