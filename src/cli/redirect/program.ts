/** The programs that set rules: found, and run to their end without a shell. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { escapeUnsafe } from "../../lib/log-line.ts";

/** Where distributions have them; a user's PATH may lack both. */
const FOLDERS: readonly string[] = ["/usr/sbin", "/sbin"];
/** iptables waits for its lock, 5 s as we ask it. */
const TIMEOUT_MS = 15_000;
/** The nat table of a node in a large cluster has some 100,000 rules of 100 bytes. */
const OUTPUT_BYTES_MAX = 32 << 20;
const COMPLAINT_BYTES_MAX = 64 << 10;
/** One line of a terminal, or three. */
const COMPLAINT_CHARS_MAX = 300;
/** chmod(2): for the owner, the group or others. */
const ANY_EXECUTE = 0o111;

export type Finished = {
  readonly isOk: boolean;
  readonly output: string;
  /** What went wrong, in one line that begins with the program's name. */
  readonly complaint: string;
};

/** Returns the path of a program, or null where there is none of that name. */
export function findProgram(name: string, path: string | undefined): string | null {
  const folders = [...(path ?? "").split(delimiter), ...FOLDERS].filter((each) => each !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** By its mode: Deno's `accessSync` asks who we are, which a compiled program may not. */
function isExecutable(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isFile() && (stat.mode & ANY_EXECUTE) !== 0;
  } catch {
    return false;
  }
}

/** Never rejects: a program that cannot be started is one that failed. */
export function runProgram(path: string, args: readonly string[], input = ""): Promise<Finished> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const { promise, resolve } = Promise.withResolvers<Finished>();
  const output = new Kept(OUTPUT_BYTES_MAX);
  const errors = new Kept(COMPLAINT_BYTES_MAX);
  const fail = (why: string): void => {
    resolve({ isOk: false, output: "", complaint: `${name}: ${oneLine(why)}` });
  };
  try {
    const child = spawn(path, [...args], { stdio: ["pipe", "pipe", "pipe"] });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`not done after ${TIMEOUT_MS / 1_000} s`);
    }, TIMEOUT_MS);
    child.stdout.on("data", (bytes: Buffer) => output.add(bytes));
    child.stderr.on("data", (bytes: Buffer) => errors.add(bytes));
    // One that ends without reading all of it breaks the pipe; what it says tells why.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      fail(`cannot be started: ${error.message}`);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      if (output.isOver) fail(`said more than ${OUTPUT_BYTES_MAX >> 20} MiB`);
      else if (status !== 0) fail(errors.text() || output.text() || `status ${status}`);
      else resolve({ isOk: true, output: output.text(), complaint: "" });
    });
  } catch (error) {
    // Bun throws some of what it cannot start.
    fail(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  return promise;
}

/** The beginning of what a program says. */
class Kept {
  isOver = false;
  readonly #bytesMax: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(chunk: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    if (chunk.length > room) this.isOver = true;
    this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += Math.min(chunk.length, room);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** Programs explain themselves in several lines, with the rule and an arrow below it. */
function oneLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const said = lines.filter((line) => /[A-Za-z]/.test(line)).join("; ");
  return escapeUnsafe(said.slice(0, COMPLAINT_CHARS_MAX));
}
