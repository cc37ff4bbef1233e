/** The program: reads the command line, does what it says, exits with its status. */
import { writeStderr } from "../lib/stderr.ts";
import { checkCommand } from "./check-command.ts";
import { EXIT_USAGE, parseCommandLine } from "./command-line.ts";
import { type CommandResult, identityCommand } from "./identity-command.ts";
import { StartError } from "./start-error.ts";
import { versionLine } from "./version.ts";

/** Something could not be had: a port, a name, memory. */
const EXIT_FAILURE = 1;

// What ends without a status has not done what it should: Bun says nothing of a full disk.
process.exitCode = EXIT_FAILURE;
process.exit(await main());

function print({ text, status }: CommandResult): number {
  process.stdout.write(text);
  return status;
}

async function main(): Promise<number> {
  const line = parseCommandLine(process.argv.slice(2), process.env);
  try {
    switch (line.kind) {
      case "run":
        return await (await import("./run.ts")).run(line.config);
      case "demo":
        return await (await import("./demo.ts")).demo(line.config);
      case "control":
        return await (await import("./control-command.ts")).control(line.config);
      case "control task":
        return await (await import("./control-command.ts")).controlTask(line.config);
      case "identity":
        return print(await identityCommand(line.config));
      case "check":
        return print(await checkCommand(line.config));
      case "stat":
        return await (await import("./stat-command.ts")).stat(line.config);
      case "top":
        return await (await import("./stat-command.ts")).top(line.config);
      case "tap":
        return await (await import("./tap-command.ts")).tap(line.config);
      case "redirect":
        return await (await import("./redirect/command.ts")).redirect(line.config);
      case "completion":
        return await (await import("./print-command.ts")).completion(line.config);
      case "man":
        return await (await import("./print-command.ts")).man();
      case "help":
        process.stdout.write(line.text);
        return 0;
      case "version":
        process.stdout.write(`${versionLine()}\n`);
        return 0;
      case "bad":
        process.stderr.write(`${line.message}\n`);
        return EXIT_USAGE;
      default:
        return line satisfies never;
    }
  } catch (error) {
    writeStderr(`outrigger: ${reasonOf(error)}\n`);
    return EXIT_FAILURE;
  }
}

/** What is not expected is told with its stack; of what is thrown on, Bun shows a build's endless lines. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof StartError ? error.message : (error.stack ?? error.message);
}
