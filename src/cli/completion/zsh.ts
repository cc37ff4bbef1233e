/** Completion for zsh, by its `_arguments`, with what each command and flag is for. */

import { flagHelp } from "../help.ts";
import type { Command, Flag } from "../keys.ts";
import { quoted } from "./quoted.ts";
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

/** Returns the script, for a file named `_outrigger` in $fpath. Ends with a line feed. */
export function zshCompletion(table: Table): string {
  const commands = Object.entries(table);
  return [
    "#compdef outrigger",
    "# zsh completion for outrigger, made by: outrigger completion zsh",
    "",
    ...described("_outrigger_commands", "command", firstWords(table)),
    ...commands.flatMap(([name, command]) => commandLines(table, name, command)),
    ...AT_FILE,
    ...mainLines(table),
    "",
  ].join("\n");
}

function functionOf(command: string): string {
  return `_outrigger_${command.replaceAll(" ", "_")}`;
}

function commandLines(table: Table, name: string, command: Command): readonly string[] {
  if (name === HELP) return helpLines(table);
  const own = functionOf(name);
  const words = [...secondWords(table, name), ...verbsOf(command)];
  const always = command.flags.filter(({ verbs }) => verbs === undefined);
  const specs = [...always.map(flagSpec), HELP_SPEC];
  const wordSpecs = words.length > 0 ? [`':word:${own}_words'`] : [];
  return [
    ...(words.length > 0 ? described(`${own}_words`, "word", words) : []),
    `${own}() {`,
    ...verbLine(command),
    "  local -a specs",
    "  specs=(",
    ...[...specs, ...wordSpecs].map((spec) => `    ${spec}`),
    "  )",
    ...limitedLines(command),
    ...behindVerb(command),
    `  _arguments -S "\${specs[@]}"`,
    "}",
    "",
  ];
}

/** Finds the verb among the words before the cursor. */
function verbLine(command: Command): readonly string[] {
  const names = verbsOf(command).map(({ name }) => name);
  if (names.length === 0) return [];
  return [`  local verb=\${words[(r)(${names.join("|")})]}`];
}

/** Flags that are of some verbs only are offered with these, and while there is no verb yet. */
function limitedLines({ flags }: Command): readonly string[] {
  const byVerbs = new Map<string, Flag[]>();
  for (const flag of flags) {
    if (flag.verbs === undefined) continue;
    const pattern = flag.verbs.join("|");
    byVerbs.set(pattern, [...(byVerbs.get(pattern) ?? []), flag]);
  }
  return [...byVerbs].flatMap(([pattern, limited]) => [
    `  [[ -z $verb || $verb == (${pattern}) ]] && specs+=(`,
    ...limited.map((flag) => `    ${flagSpec(flag)}`),
    "  )",
  ]);
}

/** What may follow a verb. Where nobody can guess it, a message would keep flags from being offered. */
function behindVerb(command: Command): readonly string[] {
  return verbsOf(command).flatMap(({ name, placeholder }) => {
    if (placeholder === null) return [];
    const values = valuesOf(placeholder);
    const what = values.kind === "free" ? "{true}" : action(values);
    const spec = quoted(`::${message(placeholder)}:${what}`);
    return [`  [[ $verb == ${name} ]] && specs+=(${spec})`];
  });
}

const HELP_SPEC = "'(- *)--help[shows what there is to know about it]'";

/** One argument of `_arguments`, quoted. */
function flagSpec(flag: Flag): string {
  const { name, placeholder, isRepeatable } = flag;
  const about = `[${bracketed(flagHelp(flag))}]`;
  const again = isRepeatable === true ? "*" : "";
  const values = action(valuesOf(placeholder));
  // With a value in the same word or in the next; a switch's only in the same.
  const value =
    placeholder === null ? `=-${about}::on or off` : `=${about}:${message(placeholder)}`;
  return quoted(`${again}${name}${value}:${values}`);
}

function action(values: Values): string {
  switch (values.kind) {
    case "words":
      return `(${values.words.join(" ")})`;
    case "file":
      return "_files";
    case "folder":
      // Not _files, which offers all files where there is no folder.
      return "_path_files -/";
    case "@file":
      return "_outrigger_at_file";
    case "free":
      return " ";
  }
}

/** In `[…]` of a specification. */
function bracketed(text: string): string {
  return text.replace(/[[\]\\]/g, "\\$&");
}

/** Between colons of a specification; it is shown by a format, in which a % means something. */
function message(text: string): string {
  return text.replace(/[:\\]/g, "\\$&").replaceAll("%", "%%");
}

/** A function that offers words, each with what it is. */
function described(name: string, what: string, words: readonly Entry[]): readonly string[] {
  const lines = words.map((word) => `    ${quoted(`${word.name}:${plain(word.summary)}`)}`);
  return [
    `${name}() {`,
    "  local -a known",
    "  known=(",
    ...lines,
    "  )",
    `  _describe -t ${what}s ${what} known`,
    "}",
    "",
  ];
}

/** Behind the colon of what `_describe` takes. */
function plain(text: string): string {
  return text.replaceAll("\\", "\\\\");
}

function helpLines(table: Table): readonly string[] {
  const groups = firstWords(table).filter(({ name }) => secondWords(table, name).length > 0);
  return [
    `${functionOf(HELP)}() {`,
    "  if ((CURRENT == 2)); then",
    "    _outrigger_commands",
    "    return",
    "  fi",
    `  case "\${(j: :)words[2,CURRENT-1]}" in`,
    ...groups.map(({ name }) => `    ${quoted(name)}) ${functionOf(name)}_words ;;`),
    "  esac",
    "}",
    "",
  ];
}

const AT_FILE: readonly string[] = [
  "_outrigger_at_file() {",
  "  if compset -P @; then",
  "    _files",
  "  else",
  "    _message 'what it says, or @FILE'",
  "  fi",
  "}",
  "",
];

function mainLines(table: Table): readonly string[] {
  const long = Object.keys(table).filter((name) => name.includes(" "));
  const longLines = [
    `    case "$words[2] $words[3]" in`,
    `      ${long.map(quoted).join(" | ")}) at=3 command="$words[2] $words[3]" ;;`,
    "    esac",
  ];
  return [
    "_outrigger() {",
    "  if ((CURRENT == 2)); then",
    "    _outrigger_commands",
    "    return",
    "  fi",
    `  local -i at=2 end=\${words[(i)--]}`,
    "  local command=$words[2]",
    "  if ((CURRENT > 3)); then",
    ...(long.length > 0 ? longLines : ["    :"]),
    "  fi",
    "  if ((end < CURRENT)); then",
    `    [[ $command == ${RUN} ]] || return 1`,
    "    # Behind it stands another command.",
    "    shift $end words",
    "    ((CURRENT -= end))",
    "    _normal",
    "    return",
    "  fi",
    "  shift $((at - 1)) words",
    "  ((CURRENT -= at - 1))",
    '  case "$command" in',
    ...Object.keys(table).map((name) => `    ${quoted(name)}) ${functionOf(name)} ;;`),
    "    *) return 1 ;;",
    "  esac",
    "}",
    "",
    "# Sourced, or loaded by its name from $fpath.",
    'if [[ "$funcstack[1]" == _outrigger ]]; then',
    '  _outrigger "$@"',
    "else",
    "  compdef _outrigger outrigger",
    "fi",
  ];
}
