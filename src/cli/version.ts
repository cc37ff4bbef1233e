/**
 * What this is: the version, the commit and whether it is a build. A build has them written in by
 * bin/build.mjs; in a checkout package.json and git know.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runtime } from "../net/runtime.ts";

/** Put in place of the name by the bundler. */
declare const OUTRIGGER_BUILD: { readonly version: string; readonly commit: string };

const GIT_TIMEOUT_MS = 2_000;
/** As many digits as git shows of itself. */
const COMMIT_CHARS = 7;

/** This is a build, not a checkout. */
export const IS_BUILD: boolean = typeof OUTRIGGER_BUILD !== "undefined";

/** outrigger's version. */
export const VERSION: string = IS_BUILD ? OUTRIGGER_BUILD.version : versionOfCheckout();

/** One line: `outrigger 0.1.0 (commit abcdef1, bun 1.4.5)`. */
export function versionLine(): string {
  const commit = IS_BUILD ? OUTRIGGER_BUILD.commit : commitOfCheckout();
  const about = commit === "" ? [] : [`commit ${commit.slice(0, COMMIT_CHARS)}`];
  return `outrigger ${VERSION} (${[...about, `${runtime.name} ${runtime.version}`].join(", ")})`;
}

function versionOfCheckout(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

/** Empty where there is no git, or no repository of ours: a copied folder within another's. */
function commitOfCheckout(): string {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = ["-C", root, "--git-dir", `${root}.git`, "rev-parse", "HEAD"];
  try {
    const text = execFileSync("git", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: GIT_TIMEOUT_MS,
    });
    return text.trim();
  } catch {
    return "";
  }
}
