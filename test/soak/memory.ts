/**
 * Ten million requests (or --requests N), a quarter of them by HTTP/2, and a hundred thousand
 * connections of all kinds (or --connections N) through two workers: in the second half memory must
 * not grow, and no descriptor may be left.
 */
import { flatnessOf } from "../support/flatness.ts";
import { memoryRun } from "../support/memory-run.ts";

const STEPS = 20;
/** More than this for each million requests, which is a byte a request, is a leak. */
const RISE_MIB_PER_MILLION = 1;
/** What the saw of a collector may make of a flat line through ten points. */
const NOISE_PART = 0.05;
const END_OVER_MIDDLE_MAX = 1.1;

function flag(name: string, fallback: number): number {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

const requests = flag("--requests", 10_000_000);
const connections = flag("--connections", 100_000);
const figures = await memoryRun({ requests, connections, steps: STEPS }, (step, mib) =>
  console.log(`${String(step + 1).padStart(2)} of ${STEPS}: ${mib.toFixed(1)} MiB`),
);
const { readyMiB, restMiB, failed, missing, descriptorsMore, violations } = figures;
const { rise, middle, end } = flatnessOf(figures.stepsMiB);
const allowed = Math.max((RISE_MIB_PER_MILLION * requests) / 2e6, NOISE_PART * middle);
console.log(`${requests} requests, ${connections} connections in ${figures.seconds.toFixed(0)} s`);
console.log(`resident: ${readyMiB.toFixed(1)} MiB when ready, ${restMiB.toFixed(1)} at the end`);
console.log(
  `second half: ${middle.toFixed(1)} to ${end.toFixed(1)} MiB, by a line ${rise.toFixed(2)} more (${allowed.toFixed(2)} allowed)`,
);
console.log({ failed, missing, descriptorsMore, violations });
const isFlat = rise <= allowed && end <= END_OVER_MIDDLE_MAX * middle;
const isWhole = failed + missing + descriptorsMore + violations === 0;
console.log(isFlat ? "memory is flat" : "memory GROWS");
process.exit(isFlat && isWhole ? 0 : 1);
