/** Whether a pick may choose an endpoint at all, before it looks at its load. */
import type { Endpoint } from "../mesh/snapshot.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { isClosed, isDue, leftMs, probe } from "./circuit.ts";

/**
 * `trial`: it is time to see whether the endpoint is well again, or can be connected to; whoever takes
 * the trial (`takeTrial`) sends it one request.
 */
type Eligibility = "eligible" | "trial" | "not";

/** How a pool looks to somebody who would pick: `trial` is a request to one that may be back. */
export type Outlook = "ready" | "trial" | "none";

/** An attempt to connect takes a second at the most (proxy/limits.ts). Later it is lost. */
const RETRY_LEASE_MS = 1_500;
/**
 * When a whole pool is out of reach, each of its endpoints may be tried so often whatever its backoff,
 * so that a service is back within a second of its first endpoint.
 */
export const RETRY_EARLY_MS = 500;

/** It can be connected to, did not ask to be left alone, and is not ejected. */
export function eligibilityOf(rows: EndpointRows, row: number, nowMs: number): Eligibility {
  if (rows.isUsual(row)) return "eligible";
  const circuit = rows.circuit(row);
  const isAway = rows.failures(row) !== 0;
  if (rows.heldMs(row, nowMs) > 0) return "not";
  if (isClosed(circuit)) {
    if (!isAway) return "eligible";
  } else if (!isDue(circuit, nowMs)) return "not";
  return isAway && rows.retryInMs(row, nowMs) > 0 ? "not" : "trial";
}

/** No trial was taken. */
export const NO_TRIAL = -1;

/**
 * Takes the one trial of an endpoint, by `worker`. Returns NO_TRIAL when another did; else what the
 * circuit breaker is to be told with the answer, 0 for nothing.
 */
export function takeTrial(rows: EndpointRows, row: number, nowMs: number, worker: number): number {
  const circuit = rows.circuit(row);
  if (rows.failures(row) !== 0 && !rows.takeRetry(row, nowMs, RETRY_LEASE_MS)) return NO_TRIAL;
  if (isClosed(circuit)) return 0;
  const next = probe(circuit, nowMs, worker);
  return isDue(circuit, nowMs) && rows.moveCircuit(row, circuit, next) ? next : NO_TRIAL;
}

/** Nothing but its own answers speaks against it: it can be connected to. */
export function isReachable(rows: EndpointRows, row: number): boolean {
  return rows.failures(row) === 0;
}

/** Milliseconds until one that can be reached may be used again, as far as is known. */
export function returnsInMs(rows: EndpointRows, row: number, nowMs: number): number {
  return Math.max(leftMs(rows.circuit(row), nowMs), rows.heldMs(row, nowMs));
}

/** Takes the one attempt to connect to an endpoint of a pool that is all out of reach. */
export function takeRetryEarly(rows: EndpointRows, row: number, nowMs: number): boolean {
  return rows.takeRetry(row, nowMs, RETRY_LEASE_MS, RETRY_EARLY_MS);
}

/** For people: in use; left alone by its wish; ejected; or it could not be connected to. */
export type EndpointState = "ok" | "held" | "ejected" | "backing-off";

export function stateOf(rows: EndpointRows, row: number, nowMs: number): EndpointState {
  if (rows.failures(row) !== 0) return "backing-off";
  if (!isClosed(rows.circuit(row))) return "ejected";
  return rows.heldMs(row, nowMs) > 0 ? "held" : "ok";
}

/** What a pick would find. */
export function outlookOf(
  rows: EndpointRows,
  endpoints: readonly Endpoint[],
  nowMs: number,
): Outlook {
  let outlook: Outlook = "none";
  for (let i = 0; i < endpoints.length; i++) {
    const row = endpoints[i]?.row ?? 0;
    if (isReachable(rows, row)) return "ready";
    const isTime = rows.retryInMs(row, nowMs) <= 0;
    if (isTime || rows.mayRetryEarly(row, nowMs, RETRY_EARLY_MS)) outlook = "trial";
  }
  return outlook;
}
