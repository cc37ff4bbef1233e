// The licences of what is in a binary beside our own code: all of them ask that their text goes along.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { usedPackages } from "./sbom.mjs";

const TEXT = /^(?:licen[cs]e|notice|copying|copyright)/i;

/** Where the runtimes, whose packages bring no text, have theirs: of all that is in them too. */
const RUNTIME_TEXTS = {
  bun: (version) => `https://github.com/oven-sh/bun/blob/bun-v${version}/LICENSE.md`,
  deno: (version) => `https://github.com/denoland/deno/blob/v${version}/LICENSE.md`,
};

/** `root` has the packages of `lock`; `inputs` are the files that were bundled, `runtime` is in front. */
export function noticesFor({ root, lock, inputs, runtime, runtimePath }) {
  const { version, license = "MIT" } = lock.packages[runtimePath];
  const texts = usedPackages(inputs).map((path) => noticeOf(join(root, path), lock.packages[path]));
  return [
    "This program is made of outrigger itself, whose licence is in LICENSE, and of what follows.\n",
    `${runtime} ${version} (${license})\n\n${RUNTIME_TEXTS[runtime](version)}\n`,
    ...texts,
  ].join(`\n${"-".repeat(78)}\n\n`);
}

/** What has no text of its own has one that all know; of Apache-2.0 that is the one of LICENSE. */
function noticeOf(folder, { version, license }) {
  const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => TEXT.test(file));
  const texts = files
    .sort()
    .map((file) => `\n${readFileSync(join(folder, file), "utf8").trim()}\n`);
  return `${name} ${version} (${license})\n${texts.join("")}`;
}
