/** Results as the bench has them, of invented figures. */
import type { Sample, ScenarioResult } from "../../bench/interleave.ts";
import { type Distribution, distributionOf } from "../../bench/percentiles.ts";
import { type Column, column, type Figures, type Scenario } from "../../bench/scenario.ts";

export function scenarioOf(
  name: string,
  headlines?: readonly string[],
  columns: readonly Column[] = [
    column("requests", "requests", 0),
    column("cpu", "CPU µs", 2, true),
    column("p99Ms", "p99 ms", 2, true),
  ],
): Scenario {
  return {
    ...{ name, title: name, modes: ["http"], columns, originPort: null },
    ...(headlines === undefined ? {} : { headlines }),
    measure: () => Promise.reject(new Error("nothing is measured here")),
    stop: () => Promise.resolve(),
  };
}

export function sampleOf(
  contender: string,
  repeat: number,
  figures: Figures,
  latenciesMs?: Distribution,
): Sample {
  return {
    ...{ scenario: "", contender, version: "1", repeat, figures, errors: 0 },
    ...(latenciesMs === undefined ? {} : { latenciesMs }),
  };
}

export function resultOf(scenario: Scenario, samples: readonly Sample[]): ScenarioResult {
  return { scenario, samples, failures: [] };
}

/** So many latencies, evenly between 0 and `maxMs`. */
export function evenLatencies(samples: number, maxMs: number): Distribution {
  return distributionOf(Array.from({ length: samples }, (_, at) => ((at + 1) * maxMs) / samples));
}
