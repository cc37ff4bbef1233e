/** The whole command line as one value, so that main.ts has only to do it. */
import { asksForHelp, type Failure, failure, parseCommand, parseFlags } from "./args.ts";
import {
  type DemoConfig,
  demoConfig,
  type Environment,
  type RunConfig,
  runConfig,
} from "./config.ts";
import { helpText } from "./help.ts";
import { COMMAND_NAMES } from "./keys.ts";
import { quote } from "./values.ts";

/** sysexits.h EX_USAGE: the command line or the environment was wrong, nothing was started. */
export const EXIT_USAGE = 64;

export type CommandLine =
  | { readonly kind: "run"; readonly config: RunConfig }
  | { readonly kind: "demo"; readonly config: DemoConfig }
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
    case "run": {
      const configured = runConfig(parsed.argv, env);
      return configured.ok ? { kind: "run", config: configured.config } : bad(configured);
    }
    case "demo": {
      const configured = demoConfig(parsed.argv, env);
      return configured.ok ? { kind: "demo", config: configured.config } : bad(configured);
    }
    case "version": {
      const flags = parseFlags(command, parsed.argv);
      return flags.ok ? { kind: "version" } : bad(flags);
    }
    default:
      return command satisfies never;
  }
}

function help([word]: readonly string[]): CommandLine {
  if (word === undefined) return { kind: "help", text: helpText(null) };
  const command = COMMAND_NAMES.find((name) => name === word);
  if (command !== undefined) return { kind: "help", text: helpText(command) };
  return bad(failure(`help: no command is named ${quote(word)}; see outrigger help`));
}

function bad({ message }: Failure): CommandLine {
  return { kind: "bad", message };
}
