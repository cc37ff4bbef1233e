/** Completion for fish 3.1 or newer, with what each command and flag is for. */
import { flagHelp } from "../help.ts";
import type { Command, Flag, Verb } from "../keys.ts";
import {
  type Entry,
  firstWords,
  HELP,
  RUN,
  secondWords,
  type Table,
  type Values,
  valuesOf,
  verbsOf,
} from "./table.ts";

/** Returns the script. Ends with a line feed. */
export function fishCompletion(table: Table): string {
  const first = firstWords(table);
  return [
    "# fish completion for outrigger, made by: outrigger completion fish",
    "",
    ...functionLines(table),
    "complete -c outrigger -f",
    ...entryLines("__outrigger_is ''", first),
    ...entryLines(`__outrigger_is ${HELP} ''`, first),
    ...first.flatMap(({ name }) =>
      entryLines(`__outrigger_is ${HELP} ${name}; and ${words(2)}`, secondWords(table, name)),
    ),
    ...Object.entries(table).flatMap(([name, command]) => commandLines(table, name, command)),
    completeLine("__outrigger_is_behind_run", "-a '(__outrigger_other_command)'", null),
    "",
  ].join("\n");
}

function commandLines(table: Table, name: string, command: Command): readonly string[] {
  if (name === HELP) return [];
  const condition = `__outrigger_is ${quoted(name)}`;
  return [
    ...entryLines(`${condition} ''`, [...secondWords(table, name), ...verbsOf(command)]),
    ...verbsOf(command).flatMap((verb) => behindVerb(name, verb)),
    ...command.flags.map((flag) => flagLine(condition, flag)),
    completeLine(condition, "-l help", "shows what there is to know about it"),
  ];
}

function entryLines(condition: string, entries: readonly Entry[]): readonly string[] {
  return entries.map(({ name, summary }) => completeLine(condition, `-a ${name}`, summary));
}

/** What may follow a verb. */
function behindVerb(command: string, { name, placeholder }: Verb): readonly string[] {
  const values = placeholder === null ? "" : valuesText(valuesOf(placeholder));
  if (values === "") return [];
  const count = command.split(" ").length + 1;
  const condition = `__outrigger_is ${quoted(command)} ${name}; and ${words(count)}`;
  return [completeLine(condition, values, null)];
}

function words(count: number): string {
  return `test (count (__outrigger_words)) = ${count}`;
}

function flagLine(condition: string, flag: Flag): string {
  const { name, placeholder, isRepeatable, verbs = [] } = flag;
  const limited = verbs.length === 0 ? condition : `${condition} '' ${verbs.join(" ")}`;
  const once = isRepeatable === true ? limited : `${limited}; and not __outrigger_has ${name}`;
  const values = valuesOf(placeholder);
  // With these its value may be the next word, and -x is without files; that of a switch may not.
  const kind = values.kind === "file" ? "-r" : "-x";
  const option = `-l ${name.slice("--".length)}`;
  const parts = [option, placeholder === null ? "" : kind, valuesText(values)];
  return completeLine(once, parts.filter((part) => part !== "").join(" "), flagHelp(flag));
}

function valuesText(values: Values): string {
  switch (values.kind) {
    case "words":
      return `-a ${quoted(values.words.join(" "))}`;
    case "file":
      return "-F";
    case "folder":
      return "-a '(__outrigger_folders)'";
    case "@file":
      return "-a '(__outrigger_at_file)'";
    case "free":
      return "";
  }
}

function completeLine(condition: string, what: string, about: string | null): string {
  const description = about === null ? "" : ` -d ${quoted(about)}`;
  return `complete -c outrigger -n ${quoted(condition)} ${what}${description}`;
}

/** In single quotes, in which fish reads a backslash before these two as its own. */
function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}

function functionLines(table: Table): readonly string[] {
  const valued = Object.values(table)
    .flatMap(({ flags }) => flags)
    .filter(({ placeholder }) => placeholder !== null)
    .map(({ name }) => name);
  const long = Object.keys(table).filter((name) => name.includes(" "));
  const names = { VALUED: [...new Set(valued)].join(" "), LONG: long.map(quoted).join(" "), RUN };
  return FUNCTIONS.replace(
    /\b(?:VALUED|LONG|RUN)\b/g,
    (name) => names[name as keyof typeof names],
  ).split("\n");
}

const FUNCTIONS = String.raw`# The words before the cursor that are neither flags nor values of flags; -- ends them.
function __outrigger_words
    set -l tokens (commandline -opc)
    set -e tokens[1]
    set -l is_value no
    for word in $tokens
        if test $is_value = yes
            set is_value no
            continue
        end
        switch $word
            case --
                printf '%s\n' --
                return
            case VALUED
                set is_value yes
            case '-*'
            case '*'
                printf '%s\n' $word
        end
    end
end

# Whether the command is $argv[1], and the word behind it one of the others; '' is none yet.
function __outrigger_is
    set -l words (__outrigger_words)
    contains -- -- $words; and return 1
    set -l command "$words[1]"
    set -e words[1]
    if contains -- "$command $words[1]" LONG
        set command "$command $words[1]"
        set -e words[1]
    end
    test "$command" = "$argv[1]"; or return 1
    set -e argv[1]
    set -q argv[1]; or return 0
    contains -- "$words[1]" $argv
end

# Whether a flag was given. If it is the last word, its value is what is typed now.
function __outrigger_has
    set -l tokens (commandline -opc)
    test "$tokens[-1]" = $argv[1]; and set -e tokens[-1]
    contains -- $argv[1] $tokens; and return 0
    string match -q -- "$argv[1]=*" $tokens
end

# What is typed of a value.
function __outrigger_typed
    commandline -ct | string replace -r -- '^--[a-z0-9-]+=' ''
end

function __outrigger_folders
    __fish_complete_directories (__outrigger_typed) ''
end

# Whatever file stands behind an @.
function __outrigger_at_file
    set -l typed (__outrigger_typed)
    string match -q -- '@*' $typed; or return
    for file in (complete -C"__outrigger_no_command "(string sub -s 2 -- $typed))
        printf '@%s\n' $file
    end
end

# Behind "run --" stands another command.
function __outrigger_is_behind_run
    set -l words (__outrigger_words)
    test "$words[1]" = RUN; and contains -- -- $words
end

function __outrigger_other_command
    set -l tokens (commandline -opc)
    while set -q tokens[1]; and test $tokens[1] != --
        set -e tokens[1]
    end
    set -e tokens[1]
    set -l line (string escape -- $tokens) (commandline -ct)
    complete -C"$line"
end
`;
