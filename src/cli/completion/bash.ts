/**
 * Completion for bash 4.2 or newer. It asks no other program: what there is stands in the script, as
 * words in single quotes.
 */
import type { Command, Flag } from "../keys.ts";
import { quoted } from "./quoted.ts";
import {
  firstWords,
  HELP,
  idleFlags,
  RUN,
  secondWords,
  type Table,
  type Values,
  valuesOf,
  verbsOf,
} from "./table.ts";

/** Returns the script. Ends with a line feed. */
export function bashCompletion(table: Table): string {
  return [
    "# bash completion for outrigger, made by: outrigger completion bash",
    "",
    ...lookUp("_outrigger_table", "$1", tableArms(table)),
    ...lookUp("_outrigger_idle", "$1 $2", idleArms(table)),
    ...lookUp("_outrigger_values", "$1 $2", valueArms(table)),
    ...SCRIPT,
    "",
  ].join("\n");
}

type Arm = { readonly pattern: string; readonly body: string };

function lookUp(name: string, subject: string, arms: readonly Arm[]): readonly string[] {
  const byBody = new Map<string, string[]>();
  for (const { pattern, body } of arms) {
    byBody.set(body, [...(byBody.get(body) ?? []), quoted(pattern)]);
  }
  const lines = [...byBody].map(([body, patterns]) => `    ${patterns.join(" | ")}) ${body} ;;`);
  return [`${name}() {`, `  case "${subject}" in`, ...lines, "  esac", "}", ""];
}

/** What each command takes. `''` is no command yet. */
function tableArms(table: Table): readonly Arm[] {
  const first = `subs=${list(firstWords(table).map(({ name }) => name))}`;
  const arms = Object.entries(table).map(([name, command]) => {
    const of = (isIn: (flag: Flag) => boolean): string =>
      list(command.flags.filter(isIn).map((flag) => flag.name));
    const parts = [
      `subs=${list(secondWords(table, name).map((word) => word.name))}`,
      `verbs=${list(verbsOf(command).map((verb) => verb.name))}`,
      `valued=${of(({ placeholder }) => placeholder !== null)}`,
      `switches=${of(({ placeholder }) => placeholder === null)}`,
      `again=${of(({ isRepeatable }) => isRepeatable === true)}`,
    ];
    return { pattern: name, body: parts.join(" ") };
  });
  return [{ pattern: "", body: first }, ...arms];
}

function idleArms(table: Table): readonly Arm[] {
  return Object.entries(table).flatMap(([name, command]) =>
    verbsOf(command)
      .map((verb) => ({ verb, idle: idleFlags(command, verb).map((flag) => flag.name) }))
      .filter(({ idle }) => idle.length > 0)
      .map(({ verb, idle }) => ({ pattern: `${name} ${verb.name}`, body: `idle=${list(idle)}` })),
  );
}

/** What the value of a flag, or the word behind a verb, may be. */
function valueArms(table: Table): readonly Arm[] {
  return Object.entries(table).flatMap(([name, command]) =>
    valuedThings(command).flatMap(({ thing, values }) => {
      if (values.kind === "free") return [];
      const words = values.kind === "words" ? ` words=${list(values.words)}` : "";
      return [{ pattern: `${name} ${thing}`, body: `kind=${quoted(values.kind)}${words}` }];
    }),
  );
}

function valuedThings(command: Command): readonly { thing: string; values: Values }[] {
  const flags = command.flags.map(({ name, placeholder }) => {
    return { thing: name, values: valuesOf(placeholder) };
  });
  const verbs = verbsOf(command).flatMap(({ name, placeholder }) =>
    placeholder === null ? [] : [{ thing: name, values: valuesOf(placeholder) }],
  );
  return [...flags, ...verbs];
}

/** Words with a blank on both sides of each, so that one is found by looking for ` word `. */
function list(words: readonly string[]): string {
  return quoted(words.length === 0 ? "" : ` ${words.join(" ")} `);
}

const SCRIPT: readonly string[] = String.raw`
# Offers the words in $1 that begin with $2, with $3 before each.
_outrigger_offer() {
  local word
  for word in $1; do
    [[ $word == "$2"* ]] && COMPREPLY+=("$3$word")
  done
}

# Offers files that begin with $2, with $3 before each; $1 is f, or d for folders.
_outrigger_files() {
  local file
  compopt -o filenames 2>/dev/null
  while IFS= read -r file; do
    # Readline sees that it is a folder only without the @.
    if [[ $3 == *@ && -d $file ]]; then
      compopt -o nospace 2>/dev/null
      file+=/
    fi
    COMPREPLY+=("$3$file")
  done < <(compgen "-$1" -- "$2")
}

# Offers values of what is named $1, of the command $command, that begin with $2, with $3 before each.
_outrigger_value() {
  local kind='' words=''
  _outrigger_values "$command" "$1"
  case $kind in
    words) _outrigger_offer "$words" "$2" "$3" ;;
    file) _outrigger_files f "$2" "$3" ;;
    folder) _outrigger_files d "$2" "$3" ;;
    # Readline writes \@ when several files begin alike.
    @file) [[ \${2#\\} == @* ]] && _outrigger_files f "\${2#*@}" "$3@" ;;
  esac
}

# Reads the line into $words, whose last one ends at the cursor. Bash breaks words at = : and @ too;
# such pieces follow each other without a blank. $start[i] is the first piece of a word.
_outrigger_read() {
  local rest=\${COMP_LINE:0:COMP_POINT} piece i n=-1
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=\${COMP_WORDS[i]}
    if ((n < 0)) || [[ $rest == [[:space:]]* ]]; then
      rest=\${rest#"\${rest%%[![:space:]]*}"}
      n=$((n + 1))
      words[n]='' start[n]=$i
    fi
    ((i == COMP_CWORD)) && piece=$rest
    words[n]+=$piece
    rest=\${rest#"$piece"}
  done
}

# Behind "run --" stands another command, its first piece at $1.
_outrigger_other_command() {
  local each
  for each in _comp_command_offset _command_offset; do
    if declare -F "$each" >/dev/null; then
      "$each" "$1"
      return
    fi
  done
  if ((COMP_CWORD == $1)); then
    while IFS= read -r each; do COMPREPLY+=("$each"); done < <(compgen -c -- "$cur")
  else
    _outrigger_files f "$cur" ''
  fi
}

# The words before the cursor, from the first behind the command: sets flag (whose value is wanted),
# seen (flags that were given), verb and count (of other words). Returns 1 behind "--".
_outrigger_walk() {
  local i word
  for ((i = $1; i < last; i++)); do
    word=\${words[i]}
    if [[ -n $flag ]]; then
      flag=''
    elif [[ $word == -- ]]; then
      other=\${start[i + 1]}
      return 1
    elif [[ $word == -* ]]; then
      seen+=" \${word%%=*} "
      [[ $valued == *" $word "* ]] && flag=$word
    else
      ((count == 0)) && verb=$word
      count=$((count + 1))
    fi
  done
}

_outrigger_flags() {
  local name
  for name in $valued $switches; do
    [[ $idle == *" $name "* ]] && continue
    [[ $seen == *" $name "* && $again != *" $name "* ]] && continue
    _outrigger_offer "$name" "$cur" ''
  done
  _outrigger_offer '--help' "$cur" ''
}

_outrigger_complete() {
  local subs='' verbs='' valued='' switches='' again='' idle=''
  local command='' flag='' seen='' verb='' count=0 other=0 at=1 is_help=''
  # The words of help are names of commands.
  if [[ \${words[1]} == ${HELP} ]] && ((last > 1)); then is_help=yes at=2; fi
  _outrigger_table ''
  while ((at < last)) && [[ $subs == *" \${words[at]} "* ]]; do
    command+=\${command:+ }\${words[at]}
    at=$((at + 1))
    _outrigger_table "$command"
  done
  if [[ -n $is_help ]]; then
    ((at == last)) && _outrigger_offer "$subs" "$cur" ''
    return
  fi
  if ! _outrigger_walk "$at"; then
    [[ $command == ${RUN} ]] && _outrigger_other_command "$other"
    return
  fi
  _outrigger_idle "$command" "$verb"
  if [[ -n $flag ]]; then
    _outrigger_value "$flag" "$cur" ''
  elif [[ $cur == --*=* ]]; then
    _outrigger_value "\${cur%%=*}" "\${cur#*=}" "\${cur%%=*}="
  elif [[ $cur != -* ]]; then
    ((at == last)) && _outrigger_offer "$subs" "$cur" ''
    ((count == 0)) && _outrigger_offer "$verbs" "$cur" ''
    ((count == 1)) && _outrigger_value "$verb" "$cur" ''
  fi
  if [[ -z $flag && $cur != *=* && -n $command ]]; then
    [[ $cur == -* || \${#COMPREPLY[@]} -eq 0 && -z $cur ]] && _outrigger_flags
  fi
  return 0
}

_outrigger() {
  local words=() start=() last cur cut='' sign word i IFS=$' \t\n'
  COMPREPLY=()
  _outrigger_read
  last=$((\${#words[@]} - 1))
  cur=\${words[last]}
  _outrigger_complete
  # Readline replaces only what is behind the last sign that breaks words; an @ belongs to what follows.
  for sign in = :; do
    [[ $COMP_WORDBREAKS == *"$sign"* && $cur == *"$sign"* && $cur != *[\"\']* ]] || continue
    word=\${cur%"\${cur##*"$sign"}"}
    ((\${#word} > \${#cut})) && cut=$word
  done
  for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]=\${COMPREPLY[i]#"$cut"}; done
}

complete -F _outrigger outrigger`
  .replaceAll("\\${", "${")
  .split("\n")
  .slice(1);
