/** The fixed rate of the latency scenarios: half of what the reference reaches at saturation. */
import { CONTENDERS, REFERENCE } from "./contenders.ts";
import { interleave, type Sample, type ScenarioResult, type Setting } from "./interleave.ts";
import { keepAlive } from "./scenarios/keepalive.ts";
import { median } from "./stats.ts";

const STEP = 100; // requests/s

/** Returns the rate, from this run's keepalive scenario if the reference was in it, else by measuring. */
export async function halfOfReference(
  earlier: readonly ScenarioResult[],
  setting: Setting,
): Promise<number> {
  const measured = earlier.find((result) => result.scenario.name === "keepalive");
  const samples = measured?.samples.some(isReference)
    ? measured.samples
    : await measureReference(setting);
  const rates = samples
    .filter(isReference)
    .flatMap((each) => each.figures["requestsPerSecond"] ?? []);
  if (rates.length === 0) {
    throw new Error(
      `${REFERENCE} could not be measured, and half of its maximum is a rate of latency and burst`,
    );
  }
  return Math.round(median(rates) / 2 / STEP) * STEP;
}

async function measureReference(setting: Setting): Promise<readonly Sample[]> {
  const contenders = CONTENDERS.filter((contender) => contender.name === REFERENCE);
  setting.onProgress(`${REFERENCE}'s maximum, for the rate`);
  const result = await interleave(keepAlive("wrk"), { ...setting, contenders, repeats: 1 });
  return result.samples;
}

function isReference(sample: Sample): boolean {
  return sample.contender === REFERENCE;
}
