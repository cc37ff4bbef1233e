/**
 * 500 requests a second (or --rate) to three backends, of which one is killed, hung, slowed, flaps, closes
 * idle connections and answers 503, each for a minute (or --seconds): a table of what failed and of the load
 * at the backends. --workers N sidecar workers, --fault WORD only those whose name has it.
 */
import { FAULTS, type FaultReport, FaultRig } from "../support/faults.ts";

/** Requests at the backends for each that was sent. */
const AMPLIFICATION_MAX = 1.2;
/** It is not waited longer for a backend to be used again. */
const BACK_WITHIN_MS = 60_000;

function flag(name: string, fallback: string): string {
  const at = process.argv.indexOf(name);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const seconds = Number(flag("--seconds", "60"));
const rate = Number(flag("--rate", "500"));
const rig = new FaultRig();
await rig.start(Number(flag("--workers", "2")));
const chosen = FAULTS.filter(({ name }) => name.includes(flag("--fault", "")));
const columns = ["sent", "failed", "unexcused", "load", "share", "p99 ms", "max ms", "back ms"];
console.log(`${"one of three".padEnd(16)}${columns.map((each) => each.padStart(11)).join("")}`);
let isGood = true;
for (const fault of chosen) {
  const report = await rig.run(fault, rate, seconds, BACK_WITHIN_MS);
  console.log(lineOf(report));
  for (const [why, count] of reasonsOf(report)) console.log(`    ${count} x ${why}`);
  isGood &&= report.unexcused === 0 && report.amplification <= AMPLIFICATION_MAX;
}
const metrics = await (await rig.program.admin("/metrics")).text();
const counters = metrics.match(/^outrigger_(?!endpoint_p|worker)\w+_total [1-9].*$/gm) ?? [];
console.log(counters.map((line) => line.slice("outrigger_".length)).join(", "));
console.log(
  rig.program
    .log()
    .match(/circuit breaker.*/g)
    ?.slice(0, 12)
    .join("\n") ?? "",
);
await rig.stop();
console.log(isGood ? "nothing failed that need not" : "something FAILED");
process.exit(isGood ? 0 : 1);

function lineOf(report: FaultReport): string {
  const { load } = report;
  const sorted = Float64Array.from(load.latenciesMs).sort();
  const at = (quantile: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0).toFixed(0);
  const cells = [
    load.sent,
    load.failures.length,
    report.unexcused,
    report.amplification.toFixed(3),
    `${(report.share * 100).toFixed(1)} %`,
    at(0.99),
    at(1),
    report.backAfterMs.toFixed(0),
  ];
  return `${report.fault.padEnd(16)}${cells.map((cell) => String(cell).padStart(11)).join("")}`;
}

function reasonsOf({ load }: FaultReport): [string, number][] {
  const counts = new Map<string, number>();
  for (const { method, why } of load.failures) {
    const key = `${method}: ${why}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}
