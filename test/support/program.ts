/**
 * Starts the real program as a user would, on the runtime that runs the test, and waits until it is
 * ready. Ports are 0; the bound ones are read from its log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** JavaScript without types, as it runs before any package is installed. */
export const runtimes = (await import(new URL("../../bin/runtimes.mjs", import.meta.url).href)) as {
  bunPath(): string;
  denoPath(): string;
  readonly denoPermissions: readonly string[];
};

export type RuntimeName = "bun" | "deno";

/** The runtime of this test, and the other one. */
export const thisRuntime: RuntimeName = "Deno" in globalThis ? "deno" : "bun";
export const otherRuntime: RuntimeName = thisRuntime === "deno" ? "bun" : "deno";

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export type Program = {
  readonly child: ChildProcess;
  /** All it wrote to stderr so far. */
  log(): string;
  /** The address of the same. */
  host(kind: string): string;
  /** The port of `inbound`, `outbound`, `admin` or the only `forward`. */
  port(kind: string): number;
  admin(path: string, init?: RequestInit): Promise<Response>;
  /** Sends SIGTERM and returns the exit code. */
  stop(): Promise<number | null>;
  exited: Promise<number | null>;
};

/** What runs in place of the checkout's program on this runtime, and in which folder. */
export type Build = { readonly line: readonly [string, ...string[]]; readonly folder: string };

let build: Build | null = null;

/** From now on this process tests a build. */
export function useBuild(built: Build): void {
  build = built;
}

/** The command that runs `src/cli/main.ts`, or the build that is used. */
export function commandLine(
  args: readonly string[],
  runtime: RuntimeName = thisRuntime,
): readonly [string, string[]] {
  if (build !== null && runtime === thisRuntime) {
    const [command, ...first] = build.line;
    return [command, [...first, ...args]];
  }
  const flags = runtime === "deno" ? ["run", ...runtimes.denoPermissions, "--quiet"] : [];
  const path = runtime === thisRuntime ? process.execPath : pathOf(runtime);
  return [path, [...flags, "src/cli/main.ts", ...args]];
}

export async function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  wrap: readonly string[] = [],
  runtime: RuntimeName = thisRuntime,
): Promise<Program> {
  const listeners = ["inbound", "outbound", "admin"].map((kind) => `--${kind}=127.0.0.1:0`);
  const unsaid = listeners.filter(
    (flag) => !args.some((arg) => arg.startsWith(flag.slice(0, flag.indexOf("=") + 1))),
  );
  const [command, flags] = commandLine(["run", ...unsaid, ...args], runtime);
  const line = [...wrap, command, ...flags];
  const child = spawn(line[0] ?? command, line.slice(1), {
    cwd: build?.folder ?? ROOT,
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
  const bound = (kind: string): RegExpExecArray | null =>
    new RegExp(`listening: ${kind} (\\S*):(\\d+)`).exec(text);
  const port = (kind: string): number => Number(bound(kind)?.[2] ?? Number.NaN);
  return {
    child,
    log: () => text,
    host: (kind) => bound(kind)?.[1] ?? "",
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

function pathOf(runtime: RuntimeName): string {
  return runtime === "deno" ? runtimes.denoPath() : runtimes.bunPath();
}
