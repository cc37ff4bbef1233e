/** Finds and runs the programs that test the sidecar from outside: curl, h2load, h2spec. */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Program } from "./program.ts";
import { ROOT } from "./sources.ts";

/** Where .ci/run puts what is not a package of the distribution: a version that is known. */
const OWN_FOLDER = join(ROOT, "node_modules/.cache/bin");

/** Where `go install` puts things, which need not be in PATH. */
const GO_FOLDERS: readonly string[] = [
  process.env["GOBIN"] ?? "",
  join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin"),
];

export type Finished = { readonly status: number | null; readonly output: string };

/** Returns the path of an executable, or null where there is none of that name. */
export function findTool(name: string): string | null {
  const folders = [OWN_FOLDER, ...(process.env["PATH"] ?? "").split(delimiter), ...GO_FOLDERS];
  const paths = folders.filter((folder) => folder !== "").map((folder) => join(folder, name));
  return paths.find(isExecutable) ?? null;
}

/**
 * Runs a program to its end, with `input` for it to read, and returns all that it wrote. Rejects
 * when it cannot be started.
 */
export function runTool(path: string, args: readonly string[], input = ""): Promise<Finished> {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
  // One that ends without having read everything breaks the pipe; what it wrote tells why.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const kill = (): void => void child.kill("SIGKILL");
  process.on("exit", kill);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      process.off("exit", kill);
      resolve({ status, output: Buffer.concat(chunks).toString() });
    });
  });
}

/** The program's resident memory in MiB. */
export function residentMiB({ child }: Program): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** The open descriptors of the program, by `ls`: Deno lets nobody into /proc without all permissions. */
export function openDescriptors({ child }: Program): number {
  const listed = spawnSync("ls", [`/proc/${child.pid}/fd`], { encoding: "utf8" });
  return listed.stdout.trim().split("\n").length;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
