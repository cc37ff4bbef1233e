/** Where and with what a run was made; stands in every JSON line. */
import { execFileSync } from "node:child_process";
import os from "node:os";
import { type Contender, versionOf } from "./contenders.ts";
import { ROOT } from "./runtimes.ts";

export interface Environment {
  readonly gitSha: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Runnable tasks on average in the minute before: it should have been near 0. */
  readonly loadAverage: number;
}

export function describeEnvironment(contenders: readonly Contender[]): Environment {
  return {
    gitSha: gitSha(),
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.cpus().length,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    versions: Object.fromEntries(contenders.map((each) => [each.name, versionOf(each)])),
    loadAverage: os.loadavg()[0] ?? 0,
  };
}

/** The commit, with "+" if the sources are not exactly it. */
function gitSha(): string {
  try {
    const sha = git("rev-parse", "--short=12", "HEAD");
    return git("status", "--porcelain", "--", "src", "workers") === "" ? sha : `${sha}+`;
  } catch {
    return "none";
  }
}

function git(...words: string[]): string {
  const stdio = ["ignore", "pipe", "ignore"] as const;
  return execFileSync("git", words, { cwd: ROOT, encoding: "utf8", stdio: [...stdio] }).trim();
}
