/** The order of measurements: A B C A B C …, each on a process started for it, so that a slow minute of
 * the machine falls on all contenders and no process profits from an earlier one. */
import { mkdtempSync } from "node:fs";
import { type Contender, type Place, startContender, versionOf } from "./contenders.ts";
import type { Identities } from "./identities.ts";
import type { Origin } from "./origin.ts";
import type { Distribution } from "./percentiles.ts";
import type { Figures, Scenario, Timing } from "./scenario.ts";

export interface Sample {
  readonly scenario: string;
  readonly contender: string;
  readonly version: string;
  readonly repeat: number;
  readonly figures: Figures;
  readonly latenciesMs?: Distribution;
  readonly errors: number;
}

export interface Failure {
  readonly scenario: string;
  readonly contender: string;
  readonly reason: string;
}

export interface Setting {
  readonly contenders: readonly Contender[];
  readonly repeats: number;
  readonly timing: Timing;
  readonly origin: Origin;
  readonly identities: Identities;
  /** A new folder in it for each process. */
  readonly directory: string;
  readonly onSample: (sample: Sample) => void;
  readonly onProgress: (text: string) => void;
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
}

/** Measures each contender `repeats` times. One that failed is not tried again in this scenario. */
export async function interleave(scenario: Scenario, setting: Setting): Promise<ScenarioResult> {
  const samples: Sample[] = [];
  const failures: Failure[] = [];
  for (let repeat = 1; repeat <= setting.repeats; repeat++) {
    for (const contender of setting.contenders) {
      if (failures.some((failure) => failure.contender === contender.name)) {
        continue;
      }
      setting.onProgress(`${scenario.name} ${repeat}/${setting.repeats} ${contender.name}`);
      const outcome = await measureOnce(scenario, contender, repeat, setting);
      if ("reason" in outcome) {
        failures.push(outcome);
        setting.onProgress(`${scenario.name} ${contender.name}: ${outcome.reason}`);
      } else {
        samples.push(outcome);
        setting.onSample(outcome);
      }
    }
  }
  return { scenario, samples, failures };
}

async function measureOnce(
  scenario: Scenario,
  contender: Contender,
  repeat: number,
  setting: Setting,
): Promise<Sample | Failure> {
  const names = { scenario: scenario.name, contender: contender.name };
  const directory = mkdtempSync(`${setting.directory}/${contender.name}-`);
  const place: Place = {
    modes: scenario.modes,
    originPort: scenario.originPort ?? setting.origin.port,
    identities: setting.identities,
  };
  const proxy = await startContender(contender, place, directory);
  if (proxy.kind === "absent") {
    return { ...names, reason: `not available: ${proxy.reason}` };
  }
  try {
    if (scenario.needsProxy && proxy.pids.length === 0) {
      return { ...names, reason: "not available: without a proxy there is nothing to measure" };
    }
    const measured = await scenario.measure(proxy, setting.timing);
    return { ...names, version: versionOf(contender), repeat, ...measured };
  } catch (error) {
    return { ...names, reason: `failed: ${error instanceof Error ? error.message : error}` };
  } finally {
    await proxy.stop();
  }
}
