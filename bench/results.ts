/** The results file: one JSON object per sample and line, each complete in itself. */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { BalanceSample } from "./balance/report.ts";
import type { Environment } from "./environment.ts";
import type { Sample } from "./interleave.ts";
import { ROOT } from "./runtimes.ts";
import type { Timing } from "./scenario.ts";
import type { MicroSample } from "./scenarios/micro.ts";

/** Returns the path for results that are not meant to be kept in the repository. */
export function localResultsPath(): string {
  const stamp = new Date().toISOString().replace(/[:.]/g, "-");
  return `${ROOT}bench/results/local-${stamp}.jsonl`;
}

/** Returns a function that adds one sample to the file at once, so that an end by Ctrl-C loses none. */
export function resultsWriter(
  path: string,
  timing: Timing,
  environment: Environment,
): (sample: Sample | MicroSample | BalanceSample) => void {
  mkdirSync(dirname(path), { recursive: true });
  return (sample) => {
    const line = { at: new Date().toISOString(), ...sample, ...timing, environment };
    appendFileSync(path, `${JSON.stringify(line)}\n`);
  };
}
