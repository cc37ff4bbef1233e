/**
 * The share of an endpoint's latest requests that failed, in whole numbers from 0 to FAILING_ONE: an
 * average in which each answer counts a quarter of all before it. So one failure is forgotten soon,
 * and three in a row tell of an endpoint that fails.
 */

export const FAILING_ONE = 65_536;
/** 1 / 4: failures in a row make 0.25, 0.44, 0.58, 0.68 of it. */
const WEIGHT_SHIFT = 2;

export function afterFailure(failing: number): number {
  return failing + ((FAILING_ONE - failing) >> WEIGHT_SHIFT);
}

/** Rounded down, so that it arrives at 0. */
export function afterSuccess(failing: number): number {
  return failing - ((failing + 3) >> WEIGHT_SHIFT);
}

/** One that was set aside and passed its trial is trusted again, but for less than two failures. */
export function afterTrial(failing: number): number {
  return Math.min(afterSuccess(failing), FAILING_ONE >> WEIGHT_SHIFT);
}
