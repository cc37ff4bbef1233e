/**
 * Random inputs for a while, each drawn from a generator of its own, so that one of them can be had
 * again alone: what fails says `FUZZ_CASE=… SEED=…` and the command. FUZZ_SECONDS in the environment
 * sets how long each target runs. `npm test` ends a file after the time that its first lines give, so
 * for a long run start the file itself: `FUZZ_SECONDS=3600 node_modules/.bin/bun test/fuzz/….test.ts`.
 */
import { relative } from "node:path";
import { type Random, SEED, seeded } from "./random.ts";

/** Fifteen targets on two runtimes: 45 s of two cores. */
const SECONDS_IN_CI = 3;
/** Enough to try a change. */
const SECONDS_DEFAULT = 2;

/** A case takes milliseconds; one that takes so long shows work that grows too fast. */
const CASE_MS_MAX = 3_000;

/** Deadline of a test that calls `fuzz` once: room for the last case and a loaded machine. */
export const FUZZ_TIMEOUT_MS: number = 1_000 * secondsPerTarget() + 30_000;

/**
 * Calls `body` again and again for the time that a target has, or once for the case that FUZZ_CASE
 * names. Throws what `body` throws, and when a case takes longer than 3 s.
 */
export function fuzz(name: string, body: (random: Random) => void): void {
  const only = numberFrom("FUZZ_CASE");
  if (only !== null) return runCase(name, only, body);
  const endMs = performance.now() + 1_000 * secondsPerTarget();
  for (let number = 0; number === 0 || performance.now() < endMs; number++) {
    runCase(name, number, body);
  }
}

function runCase(name: string, number: number, body: (random: Random) => void): void {
  const startMs = performance.now();
  try {
    body(seeded(`${name} ${number}`));
    const ms = performance.now() - startMs;
    if (ms > CASE_MS_MAX) throw new Error(`it took ${Math.round(ms)} ms`);
  } catch (error) {
    const file = relative(process.cwd(), process.argv[1] ?? "");
    const again = `FUZZ_CASE=${number} SEED=${SEED} npm test -- ${file}`;
    const failure = error instanceof Error ? error : new Error(String(error));
    failure.message = `${name}, case ${number}: ${failure.message}\n    again: ${again}`;
    throw failure;
  }
}

function secondsPerTarget(): number {
  const seconds = numberFrom("FUZZ_SECONDS");
  return seconds ?? (process.env["CI"] === "true" ? SECONDS_IN_CI : SECONDS_DEFAULT);
}

/** The number in a variable of the environment, or null without it. */
function numberFrom(variable: string): number | null {
  const text = process.env[variable];
  if (text === undefined || text === "") return null;
  if (!/^[0-9]+$/.test(text)) throw new RangeError(`${variable}=${text}: expected an integer`);
  return Number(text);
}
