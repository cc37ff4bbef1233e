/** The default balancer with one of its parts left out or another number, to see what each is for. */
import { TUNINGS, type Tuning } from "../../src/balancer/tuning.ts";

const { ewma } = TUNINGS;

export const VARIANTS: Readonly<Record<string, Tuning>> = {
  "as it is": ewma,
  "silence does not count": { ...ewma, countsSilence: false },
  "no slow one is set aside": { ...ewma, outlierRatio: Number.POSITIVE_INFINITY },
  "no failing one is set aside": { ...ewma, failingMargin: Number.POSITIVE_INFINITY },
  "one slow answer is enough": { ...ewma, riseMax: Number.POSITIVE_INFINITY },
  "set aside at twice the median": { ...ewma, outlierRatio: 2 },
  "set aside at five times the median": { ...ewma, outlierRatio: 5 },
  "trials by time alone": { ...ewma, trialRequests: 0 },
  "trials 1 in 1,000, at least every 20 s": {
    ...{ ...ewma, trialRequests: 1_000, trialLongestMs: 20_000 },
  },
  "no ramp": { ...ewma, rampMs: 0 },
};
