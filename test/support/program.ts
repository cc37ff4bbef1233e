/**
 * Starts the real program as a user would, on the runtime that runs the test, and waits until it is
 * ready. Ports are 0; the bound ones are read from its log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const isDeno = "Deno" in globalThis;

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export type Program = {
  readonly child: ChildProcess;
  /** All it wrote to stderr so far. */
  log(): string;
  /** The port of `inbound`, `outbound`, `admin` or the only `forward`. */
  port(kind: string): number;
  admin(path: string, init?: RequestInit): Promise<Response>;
  /** Sends SIGTERM and returns the exit code. */
  stop(): Promise<number | null>;
  exited: Promise<number | null>;
};

/** The command that runs `src/cli/main.ts` on this runtime. */
export function commandLine(args: readonly string[]): readonly [string, string[]] {
  const flags = isDeno ? ["run", "-A", "--no-check", "--quiet"] : [];
  return [process.execPath, [...flags, "src/cli/main.ts", ...args]];
}

export async function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  wrap: readonly string[] = [],
): Promise<Program> {
  const [command, flags] = commandLine([
    "run",
    "--inbound=127.0.0.1:0",
    "--outbound=127.0.0.1:0",
    "--admin=127.0.0.1:0",
    ...args,
  ]);
  const line = [...wrap, command, ...flags];
  const child = spawn(line[0] ?? command, line.slice(1), {
    cwd: ROOT,
    // Nothing of another test's mesh, unless a test is about just that.
    env: { ...process.env, OUTRIGGER_STATE_DIR: "", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  children.add(child);
  child.on("exit", () => children.delete(child));
  await eventually(() => /ready/.test(text) || child.exitCode !== null, { withinMs: 15_000 });
  if (child.exitCode !== null) throw new Error(`the program ended: ${text}`);
  const port = (kind: string): number => {
    const found = new RegExp(`listening: ${kind} \\S*:(\\d+)`).exec(text);
    return Number(found?.[1] ?? Number.NaN);
  };
  return {
    child,
    log: () => text,
    port,
    admin: (path, init) => fetch(`http://127.0.0.1:${port("admin")}${path}`, init ?? {}),
    stop: () => {
      // Not `child.kill`: on Deno the exit then counts as the signal's, whatever the status was.
      process.kill(child.pid ?? 0, "SIGTERM");
      return exited;
    },
    exited,
  };
}
