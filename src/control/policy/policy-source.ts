/**
 * The policy in force: read from its file at the start and whenever that changes. A file that is bad, or
 * gone, changes nothing: the policy before it stays, and it is said what is wrong.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import type { IdentityDefaults } from "../../mesh/identity.ts";
import { codeOf } from "../authority/folder.ts";
import { MeshPolicy } from "./policy.ts";

/** Ten times what a policy of a thousand services comes to. */
const FILE_BYTES_MAX = 1_048_576;
/** A change is read when it has stood for one more look: whoever writes it may not be done. */
const LOOK_MS = 500;

export type PolicySourceOptions = {
  readonly path: string;
  /** Without the file nothing is said; otherwise it has to be there. */
  readonly isOptional: boolean;
  readonly defaults: IdentityDefaults;
  readonly onChange: (policy: MeshPolicy) => void;
  /** A new reason why the file is not in force; null: it is again. */
  readonly onFault: (reason: string | null) => void;
};

type Read = { readonly policy: MeshPolicy } | { readonly refused: string };

export class PolicySource {
  readonly #options: PolicySourceOptions;
  readonly counts = { loaded: 0, refused: 0 };
  policy: MeshPolicy;
  /** Why the file is not what is in force; null: it is, or there is none. */
  fault: string | null = null;
  #stamp = "";
  /** Seen at the last look, but not read. */
  #newStamp: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  private constructor(options: PolicySourceOptions, policy: MeshPolicy) {
    this.#options = options;
    this.policy = policy;
  }

  /** Returns the source, or in one line why there can be none. Reads on until `stop`. */
  static async start(
    options: PolicySourceOptions,
    empty: MeshPolicy,
  ): Promise<PolicySource | { readonly refused: string }> {
    const source = new PolicySource(options, empty);
    const stamp = stampOf(options.path);
    if (stamp !== null || !options.isOptional) {
      const read = await readPolicy(options);
      if ("refused" in read) return read;
      source.policy = read.policy;
      source.counts.loaded += 1;
    }
    source.#stamp = stamp ?? "";
    source.#wait();
    return source;
  }

  get path(): string {
    return this.#options.path;
  }

  /** Whether a file is in force. */
  get isLoaded(): boolean {
    return this.counts.loaded > 0;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { isOptional, path } = this.#options;
    const stamp = stampOf(path) ?? "";
    if (stamp === this.#stamp) this.#newStamp = null;
    else if (stamp !== this.#newStamp) this.#newStamp = stamp;
    else {
      this.#newStamp = null;
      this.#stamp = stamp;
      // One that was never there may stay away.
      const isNone = stamp === "" && isOptional && !this.isLoaded;
      if (isNone) this.#settle(null);
      else await this.#reload();
    }
    this.#wait();
  }

  async #reload(): Promise<void> {
    const read = await readPolicy(this.#options);
    if (this.#isStopped) return;
    if ("refused" in read) {
      this.counts.refused += 1;
      return this.#settle(read.refused);
    }
    this.counts.loaded += 1;
    this.policy = read.policy;
    this.#settle(null);
    this.#options.onChange(read.policy);
  }

  #settle(fault: string | null): void {
    if (fault === this.fault) return;
    this.fault = fault;
    this.#options.onFault(fault);
  }
}

/** Another one for another file behind the path, or another state of it; null: there is none. */
function stampOf(path: string): string | null {
  try {
    const { dev, ino, mtimeMs, size } = statSync(path);
    return `${dev} ${ino} ${mtimeMs} ${size}`;
  } catch {
    return null;
  }
}

/** Returns the policy of a file, or in one line what is wrong with it. */
export async function readPolicy({
  path,
  defaults,
}: Pick<PolicySourceOptions, "path" | "defaults">): Promise<Read> {
  const text = readText(path);
  if (typeof text !== "string") return { refused: `${path}: ${text.refused}` };
  // Most control planes have no policy file, and then none of YAML's 100 kB are loaded.
  const { parsePolicy } = await import("./parse-policy.ts");
  const parsed = parsePolicy(text, defaults);
  if (parsed instanceof MeshPolicy) return { policy: parsed };
  return { refused: `${path}:${parsed.line}: ${parsed.reason}` };
}

function readText(path: string): string | { readonly refused: string } {
  let file: number | null = null;
  try {
    // A pipe of that name must not hold up the program until somebody writes to it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (!stat.isFile()) return { refused: "it is no file" };
    if (stat.size > FILE_BYTES_MAX) return { refused: `it is longer than ${FILE_BYTES_MAX} bytes` };
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof TypeError) return { refused: "it is not UTF-8" };
    return { refused: codeOf(error) === "ENOENT" ? "there is no such file" : codeOf(error) };
  } finally {
    if (file !== null) closeSync(file);
  }
}
