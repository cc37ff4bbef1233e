/** Whether a pick may choose an endpoint at all, before it looks at its load. */
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { Availability } from "../shared/layout.ts";

/**
 * `trial`: the circuit breaker would know whether the endpoint is well again; whoever takes the
 * trial (`takeTrial`) sends it one request.
 */
export type Eligibility = "eligible" | "trial" | "not";

/** It neither backs off, nor asked to be left alone, nor is it ejected. */
export function eligibilityOf(rows: EndpointRows, row: number, nowMs: number): Eligibility {
  if (rows.retryInMs(row, nowMs) > 0 || rows.heldMs(row, nowMs) > 0) return "not";
  switch (rows.availability(row)) {
    case Availability.available:
      return "eligible";
    case Availability.probation:
      return "trial";
    default:
      return "not";
  }
}

/** Takes the one trial of an endpoint; false: another worker did. */
export function takeTrial(rows: EndpointRows, row: number): boolean {
  return rows.moveAvailability(row, Availability.probation, Availability.ejected);
}

/** Milliseconds until the endpoint says or is thought to be back; of those ejected nothing is known. */
export function returnsInMs(rows: EndpointRows, row: number, nowMs: number): number {
  return Math.max(rows.retryInMs(row, nowMs), rows.heldMs(row, nowMs));
}
