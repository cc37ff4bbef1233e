/** Runs the programs that make and run containers, each with a deadline and with its words when it fails. */
import { spawn } from "node:child_process";

/** Debian keeps `ip`, `nginx` and `runc` where a user's PATH may not look. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** Most are done in less than a second; making an image says so. */
const WITHIN_DEFAULT_MS = 30_000;

export type CommandOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly withinMs?: number;
};

export type Done = {
  /** Null: it was killed, as it took too long. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs a command to its end, whatever that is. Rejects only when there is no such program. */
export function ended(line: readonly string[], options: CommandOptions = {}): Promise<Done> {
  const { cwd, env = {}, withinMs = WITHIN_DEFAULT_MS } = options;
  const [command = "", ...args] = line;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: withinMs,
    killSignal: "SIGKILL",
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.on("exit", kill);
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      process.off("exit", kill);
      resolve({ status, ...texts });
    });
  });
}

/** Returns what a command printed. Rejects when it fails, with the command and what it said. */
export async function output(line: readonly string[], options?: CommandOptions): Promise<string> {
  const { status, stdout, stderr } = await ended(line, options);
  if (status === 0) return stdout;
  const end = status === null ? "was killed: it took too long" : `exit status ${status}`;
  throw new Error(`${line.join(" ")}: ${end}\n${stdout}${stderr}`);
}
