/**
 * From the words of a command line to a command and the texts of its flags. `--flag value` and
 * `--flag=value`; `--` ends the flags. Knows nothing of what the values mean.
 */
import { COMMAND_NAMES, COMMANDS, type CommandName, type Flag } from "./keys.ts";
import { nearest } from "./nearest.ts";
import { quote } from "./values.ts";

export type Failure = { readonly ok: false; readonly message: string };

export type ParsedCommand = {
  readonly ok: true;
  readonly command: CommandName;
  /** What follows the command. */
  readonly argv: readonly string[];
};

export type ParsedFlags = {
  readonly ok: true;
  /** By the flag's name, in the order given; a flag that was not given is not there. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Words that are neither flags nor their values. */
  readonly words: readonly string[];
  /** What follows `--`; null without one. */
  readonly rest: readonly string[] | null;
};

const ALIASES: ReadonlyMap<string, CommandName> = new Map([
  ["-h", "help"],
  ["--help", "help"],
  ["--version", "version"],
]);

/** Says which command a command line asks for; nothing at all asks for the demo. */
export function parseCommand(argv: readonly string[]): ParsedCommand | Failure {
  const [word, ...rest] = argv;
  if (word === undefined) return { ok: true, command: "demo", argv: [] };
  const [second, ...others] = rest;
  const long = COMMAND_NAMES.find((name) => name === `${word} ${second}`);
  if (long !== undefined) return { ok: true, command: long, argv: others };
  const isGroup = COMMAND_NAMES.some((name) => name.startsWith(`${word} `));
  if (isGroup && second !== undefined && !second.startsWith("-"))
    return unknown(`${word} ${second}`);
  const command = ALIASES.get(word) ?? COMMAND_NAMES.find((name) => name === word);
  if (command !== undefined) return { ok: true, command, argv: rest };
  if (word.startsWith("-")) {
    return failure(`${quote(word)}: expected a command first, one of ${COMMAND_NAMES.join(", ")}`);
  }
  return unknown(word);
}

function unknown(word: string): Failure {
  return failure(`unknown command ${quote(word)}${advice(word, COMMAND_NAMES, "outrigger help")}`);
}

/** Says whether a command's arguments ask for its help text instead. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const own = end === -1 ? argv : argv.slice(0, end);
  return own.includes("--help") || own.includes("-h");
}

/** Reads the arguments of a command. A flag that is unknown, bare or given twice is refused. */
export function parseFlags(command: CommandName, argv: readonly string[]): ParsedFlags | Failure {
  const flags = new Map(COMMANDS[command].flags.map((flag): [string, Flag] => [flag.name, flag]));
  const values = new Map<string, string[]>();
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") return { ok: true, values, words, rest: argv.slice(at + 1) };
    if (!word.startsWith("-")) {
      words.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    const flag = flags.get(name);
    if (flag === undefined) {
      const hint = advice(name, flags.keys(), `outrigger help ${command}`);
      return failure(`unknown flag ${quote(name)}${hint}`);
    }
    let value = equals === -1 ? null : word.slice(equals + 1);
    if (value === null && flag.placeholder === null) value = "on";
    if (value === null) {
      const next = argv[at + 1];
      if (next === undefined || next.startsWith("--")) {
        return failure(`${name}: expected a value, ${flag.placeholder}`);
      }
      value = next;
      at += 1;
    }
    const former = values.get(name);
    if (former === undefined) values.set(name, [value]);
    else if (flag.isRepeatable) former.push(value);
    else return failure(`${name}: given twice`);
  }
  return { ok: true, values, words, rest: null };
}

/** A line for stderr; the caller exits 64 (EX_USAGE). */
export function failure(reason: string): Failure {
  return { ok: false, message: `outrigger: ${reason}` };
}

function advice(word: string, candidates: Iterable<string>, help: string): string {
  const meant = nearest(word, candidates);
  return meant === null ? `; see ${help}` : `; did you mean ${meant}?`;
}
