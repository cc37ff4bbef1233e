/** The whole command line as one value, so that main.ts has only to do it. */
import { asksForHelp, type Failure, failure, parseCommand, parseFlags } from "./args.ts";
import { type CompletionConfig, completionConfig } from "./completion-config.ts";
import {
  type Configured,
  type DemoConfig,
  demoConfig,
  type Environment,
  type RunConfig,
  runConfig,
} from "./config.ts";
import {
  anchorTask,
  type ControlRun,
  type ControlTask,
  controlConfig,
  issuerTask,
  policyTask,
  tokenTask,
} from "./control-config.ts";
import { helpText } from "./help.ts";
import { COMMAND_NAMES } from "./keys.ts";
import {
  checkConfig,
  identityConfig,
  type LookConfig,
  type StatConfig,
  statConfig,
  type TapConfig,
  type TopConfig,
  tapConfig,
  topConfig,
} from "./look-config.ts";
import { type RedirectConfig, redirectConfig } from "./redirect-config.ts";
import { quote } from "./values.ts";

/** sysexits.h EX_USAGE: the command line or the environment was wrong, nothing was started. */
export const EXIT_USAGE = 64;

export type CommandLine =
  | { readonly kind: "run"; readonly config: RunConfig }
  | { readonly kind: "demo"; readonly config: DemoConfig }
  | { readonly kind: "control"; readonly config: ControlRun }
  | { readonly kind: "control task"; readonly config: ControlTask }
  | { readonly kind: "identity"; readonly config: LookConfig & { readonly isJson: boolean } }
  | { readonly kind: "check"; readonly config: LookConfig & { readonly isReadyOnly: boolean } }
  | { readonly kind: "stat"; readonly config: StatConfig }
  | { readonly kind: "top"; readonly config: TopConfig }
  | { readonly kind: "tap"; readonly config: TapConfig }
  | { readonly kind: "redirect"; readonly config: RedirectConfig }
  | { readonly kind: "completion"; readonly config: CompletionConfig }
  | { readonly kind: "man" }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  /** One line for stderr, without its line feed; then exit EXIT_USAGE. */
  | { readonly kind: "bad"; readonly message: string };

/** Reads the arguments after the program's name, and the environment. */
export function parseCommandLine(argv: readonly string[], env: Environment): CommandLine {
  const parsed = parseCommand(argv);
  if (!parsed.ok) return bad(parsed);
  const { command } = parsed;
  if (command === "help") return help(parsed.argv);
  if (asksForHelp(parsed.argv)) return { kind: "help", text: helpText(command) };
  switch (command) {
    case "run":
      return line("run", runConfig(parsed.argv, env));
    case "demo":
      return line("demo", demoConfig(parsed.argv, env));
    case "control":
      return line("control", controlConfig(parsed.argv, env));
    case "control token":
      return line("control task", tokenTask(parsed.argv, env));
    case "control anchor":
      return line("control task", anchorTask(parsed.argv, env));
    case "control issuer":
      return line("control task", issuerTask(parsed.argv, env));
    case "control policy":
      return line("control task", policyTask(parsed.argv, env));
    case "identity":
      return line("identity", identityConfig(parsed.argv, env));
    case "check":
      return line("check", checkConfig(parsed.argv, env));
    case "stat":
      return line("stat", statConfig(parsed.argv, env));
    case "top":
      return line("top", topConfig(parsed.argv, env));
    case "tap":
      return line("tap", tapConfig(parsed.argv, env));
    case "redirect":
      return line("redirect", redirectConfig(parsed.argv, env));
    case "completion":
      return line("completion", completionConfig(parsed.argv, env));
    case "man":
    case "version":
      return alone(command, parsed.argv);
    default:
      return command satisfies never;
  }
}

function line<K extends string, T>(kind: K, configured: Configured<T>) {
  return configured.ok ? { kind, config: configured.config } : bad(configured);
}

/** A command that takes nothing. */
function alone(kind: "man" | "version", argv: readonly string[]): CommandLine {
  const flags = parseFlags(kind, argv);
  if (!flags.ok) return bad(flags);
  const extra = flags.rest === null ? flags.words[0] : "--";
  return extra === undefined
    ? { kind }
    : bad(failure(`${kind}: unexpected argument ${quote(extra)}`));
}

function help(words: readonly string[]): CommandLine {
  const word = words.join(" ");
  if (word === "") return { kind: "help", text: helpText(null) };
  // `control token create` is told with `control token`.
  for (let count = words.length; count > 0; count--) {
    const command = COMMAND_NAMES.find((name) => name === words.slice(0, count).join(" "));
    if (command !== undefined) return { kind: "help", text: helpText(command) };
  }
  return bad(failure(`help: no command is named ${quote(word)}; see outrigger help`));
}

function bad({ message }: Failure): CommandLine & { kind: "bad" } {
  return { kind: "bad", message };
}
