/** `npm run bench -- balance` and `balance-sim`: the experiments of docs/balancing.md. */
import { writeFileSync } from "node:fs";
import { type BalancerName, TUNINGS } from "../../src/balancer/tuning.ts";
import type { Runtime } from "../runtimes.ts";
import { figuresOf } from "../sim/figures.ts";
import { simulate } from "../sim/simulate.ts";
import { VARIANTS } from "../sim/variants.ts";
import { WORLDS, type WorldName } from "../sim/worlds.ts";
import { renderTable, type TableStyle } from "../table.ts";
import { measure } from "./experiment.ts";
import { plot } from "./plot.ts";
import {
  type BalanceSample,
  type Run,
  renderQuantiles,
  renderVerdicts,
  renderWorlds,
  verdicts,
} from "./report.ts";

export interface BalanceOptions {
  readonly worlds: readonly WorldName[];
  readonly balancers: readonly BalancerName[];
  readonly runtimes: readonly Runtime[];
  /** Null: each at its published scale. */
  readonly seconds: number | null;
  readonly warmUpSeconds: number;
  readonly repeats: number;
  readonly svgPath: string | null;
  readonly style: TableStyle;
}

const SEED = 20_160_316; // the article's day
/** What only the default is held to needs no other balancer beside it. */
const COMPARED: Partial<Readonly<Record<WorldName, readonly BalancerName[]>>> = {
  "slow-20": ["ewma", "peak-ewma"],
};

/** Measures all with real requests; returns whether everything that is promised was met. */
export async function runBalance(
  options: BalanceOptions,
  write: (sample: BalanceSample) => void,
  onProgress: (text: string) => void,
): Promise<boolean> {
  const runs: Run[] = [];
  let isWhole = true;
  for (let repeat = 1; repeat <= options.repeats; repeat++) {
    for (const world of options.worlds) {
      const wanted = COMPARED[world] ?? options.balancers;
      for (const balancer of options.balancers.filter((name) => wanted.includes(name))) {
        for (const runtime of options.runtimes) {
          const seconds = options.seconds ?? WORLDS[world].seconds;
          onProgress(
            `${repeat}/${options.repeats} ${world}, ${balancer} on ${runtime}, ${seconds} s`,
          );
          try {
            // Twenty sidecars on one core compile for some twenty seconds.
            const warmUpSeconds = Math.max(options.warmUpSeconds, WORLDS[world].sidecars);
            const seed = SEED + repeat;
            const figures = await measure({
              world,
              balancer,
              runtime,
              seconds,
              warmUpSeconds,
              seed,
            });
            runs.push({ world, balancer, by: runtime, figures });
            write({ scenario: "balance", world, contender: balancer, runtime, repeat, figures });
            onProgress(`load late p99 ${figures.latenessP99Ms.toFixed(1)} ms`);
          } catch (error) {
            isWhole = false;
            onProgress(`failed: ${error instanceof Error ? error.message : error}`);
          }
        }
      }
    }
  }
  const all = verdicts(runs);
  console.log(renderQuantiles(runs, options.style));
  console.log(renderWorlds(runs, options.style));
  console.log(renderVerdicts(all));
  if (options.seconds !== null) console.log("(not at the published scale: no verdict counts)");
  if (options.svgPath !== null && runs.some(({ world }) => world === "slow")) {
    writeFileSync(options.svgPath, plot(runs, subtitleOf(options)));
  }
  return isWhole && (options.seconds !== null || all.every(({ isMet }) => isMet));
}

function subtitleOf({ runtimes, seconds }: BalanceOptions): string {
  return `1,000 requests/s, open loop, ${seconds ?? WORLDS.slow.seconds} s, real HTTP through outrigger on ${runtimes.join(" and ")}`;
}

/** The same without a network, and ours without each of its parts. */
export function runBalanceSim(
  options: BalanceOptions,
  onProgress: (text: string) => void,
): boolean {
  const runs: Run[] = [];
  for (const world of options.worlds) {
    for (const balancer of options.balancers) {
      onProgress(`${world}, ${balancer}`);
      const told = simulate(WORLDS[world], TUNINGS[balancer], SEED);
      const figures = figuresOf(told, WORLDS[world].backends);
      runs.push({ world, balancer, by: "simulated", figures });
    }
  }
  const all = verdicts(runs);
  console.log(renderQuantiles(runs, options.style));
  console.log(renderWorlds(runs, options.style));
  console.log(renderVariants(options, onProgress));
  console.log(renderVerdicts(all));
  return all.every(({ isMet }) => isMet);
}

function renderVariants(
  { style, worlds }: BalanceOptions,
  onProgress: (text: string) => void,
): string {
  const titles = ["", ...worlds.map((world) => `${world}: not well within 1 s`)];
  const rows = Object.entries(VARIANTS).map(([name, tuning]) => {
    onProgress(name);
    const cells = worlds.map((world) => {
      const told = simulate(WORLDS[world], tuning, SEED);
      const { requests, success } = figuresOf(told, WORLDS[world].backends);
      return String(Math.round((1 - success) * requests));
    });
    return [name, ...cells];
  });
  return `Requests that were not answered well within a second, with parts left out\n\n${renderTable(titles, rows, style)}\n`;
}
