/** The tables of the balancing experiments, simulated or measured, and what they are held to. */
import { BALANCERS, type BalancerName } from "../../src/balancer/tuning.ts";
import { QUANTILES, type RunFigures } from "../sim/figures.ts";
import type { WorldName } from "../sim/worlds.ts";
import { renderTable, type TableStyle } from "../table.ts";
import { PUBLISHED } from "./published.ts";

export interface Run {
  readonly world: WorldName;
  readonly balancer: BalancerName;
  /** A runtime, or "simulated". */
  readonly by: string;
  readonly figures: RunFigures;
}

export interface BalanceSample {
  readonly scenario: "balance";
  readonly world: WorldName;
  readonly contender: BalancerName;
  readonly runtime: string;
  readonly repeat: number;
  readonly figures: RunFigures;
}

const TITLES: Readonly<Record<WorldName, string>> = {
  slow: "One of 11 backends ten times slower for half of the time (the article's experiment)",
  "slow-20": "The same with 20 sidecars, of which each learns for itself",
  "slow-stalls": "The article's, while the sidecar stands still for 400 ms every 1.7 s",
  "fast-failing-stalls": "fast-failing-4, while the sidecar stands still alike",
  "fast-failing": "One answers 503 in 2 ms for half of the time",
  "fast-failing-4": "The same, the others four times slower",
  "half-failing": "One answers half of its requests with 503 in 2 ms for half of the time",
  joining: "One joins",
  hanging: "One does not answer for half of the time",
  "cold-start":
    "Cold start: one warms up for 10 s and is slow at 19 s, one is twice as slow (harness)",
  "temporary-failure": "One fails from 10 s to 25 s (harness)",
  "permanent-failure": "One fails from 10 s on (harness)",
  flapping: "One fails and works in turn, each for 50 ms, for half of the time",
  weighted: "One has four times the weight",
  capacity: "Backends take longer the more they are given, one four times as long",
};

/** Returns the quantiles of the article's experiment, published and ours side by side. */
export function renderQuantiles(runs: readonly Run[], style: TableStyle): string {
  const rows: string[][] = [];
  for (const balancer of [...BALANCERS].reverse()) {
    const known = PUBLISHED[balancer];
    const some = runs.filter((run) => run.world === "slow" && run.balancer === balancer);
    if (some.length > 0 && known !== undefined) {
      rows.push(
        quantileRow(`${balancer}, published`, known.quantilesMs, `~${percent(known.success, 1)}`),
      );
    }
    for (const { by, figures } of some) {
      rows.push(
        quantileRow(`${balancer}, ${by}`, figures.quantilesMs, percent(figures.success, 3)),
      );
    }
  }
  const titles = ["", ...QUANTILES.map((q) => `p${q}`), "within 1 s"];
  return rows.length === 0 ? "" : `${TITLES.slow}, ms\n\n${renderTable(titles, rows, style)}\n`;
}

/** Returns a table for each world. */
export function renderWorlds(runs: readonly Run[], style: TableStyle): string {
  const worlds = [...new Set(runs.map(({ world }) => world))];
  return worlds
    .map((world) => {
      const rows = runs
        .filter((run) => run.world === world)
        .map(({ balancer, by, figures }) => worldRow(`${balancer}, ${by}`, figures));
      return `${world}: ${TITLES[world]}\n\n${renderTable(WORLD_TITLES, rows, style)}\n`;
    })
    .join("\n");
}

const WORLD_TITLES = [
  "",
  "within 1 s",
  "failed",
  "p50",
  "p99",
  "p99.9",
  "p99.99",
  "to it in the window",
  "share",
  "joining, first 200 ms",
  "back after s",
];

function worldRow(name: string, figures: RunFigures): string[] {
  const { quantilesMs } = figures;
  return [
    name,
    percent(figures.success, 3),
    String(figures.failures),
    ...["p50", "p99", "p99.9", "p99.99"].map((each) => (quantilesMs[each] ?? 0).toFixed(0)),
    String(figures.bad),
    percent(figures.badShare, 3),
    percent(figures.joinShare, 1),
    Number.isFinite(figures.recoveryS) ? String(figures.recoveryS) : "–",
  ];
}

function quantileRow(
  name: string,
  quantilesMs: Readonly<Record<string, number>>,
  success: string,
): string[] {
  const cells = QUANTILES.map((q) => (quantilesMs[`p${q}`] ?? Number.NaN).toFixed(0));
  return [name, ...cells, success];
}

export interface Verdict {
  readonly isMet: boolean;
  readonly text: string;
}

/** Of eleven, one has four times the weight. */
const WEIGHTED_SHARE = 4 / 14;
const WEIGHTED_MARGIN = 0.02;

/** Returns whether the runs meet what is promised of the default balancer. */
export function verdicts(runs: readonly Run[]): Verdict[] {
  return runs.flatMap(({ balancer, by, figures, world }) => {
    if (balancer !== "ewma") return [];
    switch (world) {
      case "slow": {
        const text = `${by}: ${percent(figures.success, 3)} within 1 s, at least 99.91 % wanted`;
        return [{ isMet: figures.success >= 0.9991, text }];
      }
      case "fast-failing":
      case "fast-failing-4": {
        const text = `${by}: ${percent(figures.badShare, 3)} to the one that fails fast (${world}), 0.1 % allowed`;
        return [{ isMet: figures.badShare <= 0.001, text }];
      }
      case "joining": {
        const text = `${by}: ${percent(figures.joinShare, 1)} to the one that joins in its first 200 ms, ${percent(1 / 11, 1)} allowed`;
        return [{ isMet: figures.joinShare <= 1 / 11, text }];
      }
      case "weighted": {
        const wanted = WEIGHTED_SHARE;
        const text = `${by}: ${percent(figures.badShare, 1)} to the one of four times the weight, ${percent(wanted, 1)} is its share`;
        return [{ isMet: Math.abs(figures.badShare - wanted) <= WEIGHTED_MARGIN, text }];
      }
      case "slow-20":
        return againstPlain(runs, by, figures);
      default:
        return [];
    }
  });
}

function againstPlain(runs: readonly Run[], by: string, figures: RunFigures): Verdict[] {
  const plain = runs.find((run) => {
    return run.world === "slow-20" && run.by === by && run.balancer === "peak-ewma";
  });
  if (plain === undefined) return [];
  const [ours = 0, theirs = 0] = [figures, plain.figures].map((each) => each.quantilesMs["p99.9"]);
  const text = `${by}: p99.9 of 20 sidecars ${ours.toFixed(0)} ms, at most half of peak-ewma's ${theirs.toFixed(0)} ms wanted`;
  return [{ isMet: ours <= theirs / 2, text }];
}

export function renderVerdicts(all: readonly Verdict[]): string {
  return all.map(({ isMet, text }) => `${isMet ? "met    " : "MISSED "} ${text}`).join("\n");
}

function percent(share: number, digits: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–";
}
