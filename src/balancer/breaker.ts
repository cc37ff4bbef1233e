/**
 * The circuit breaker: takes what endpoints answer and ejects those that answer badly, so that they get no
 * requests but one from time to time, by which they may show that they are well again. Workers agree
 * through the endpoint rows; nobody waits for anybody.
 *
 * Nothing is ejected without a better one to go to: at least one other endpoint must be in use that does
 * not fail alike, and no more than EJECTED_SHARE_MAX of a pool may be out. When all of a service fail
 * (what they depend on is down, or somebody sends requests that nobody can answer) all stay. The same share
 * bounds how many are left alone because they asked for it: whoever can make an endpoint say so, 429 to one
 * client that asks too often, could else have all the others' requests meet at the last one.
 */
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { close, eject, giveBack, isClosed, leftMs, proberOf } from "./circuit.ts";
import {
  afterFailure,
  afterSuccess,
  answersOf,
  failuresOf,
  isAiling,
  isBad,
  isWorse,
  WINDOW_MS,
} from "./health.ts";
import { elapsedMs } from "./peak-ewma.ts";

/**
 * The share of a pool, rounded up, that may be out at once: ejected, held or out of reach. Those that are left
 * get up to twice their load, three times in a pool of three. When more fail than that it is the service
 * rather than some of its endpoints. Envoy has 10 %, which is too little where pools are small; Linkerd
 * has no limit, and answers 503 when all are out.
 */
const EJECTED_SHARE_MAX = 0.5;
/** Another worker won each time: one answer more or less is lost. */
const COUNT_TRIES_MAX = 4;

export interface BreakerEvents {
  /** `health`: the word by which it was ejected; 0: its trial failed. */
  ejected(endpoint: Endpoint, service: string, health: number, waitMs: number): void;
  returned(endpoint: Endpoint, service: string): void;
}

export class Breaker {
  readonly #rows: EndpointRows;
  readonly #random: () => number;
  readonly #events: BreakerEvents;

  /** `random` returns 32 random bits. */
  constructor(rows: EndpointRows, random: () => number, events: BreakerEvents) {
    this.#rows = rows;
    this.#random = random;
    this.#events = events;
  }

  /** The endpoint answered well. `trial`: as the pick had it (Balancer.trial). */
  good(endpoint: Endpoint, trial: number, service: Service, nowMs: number): void {
    const { row } = endpoint;
    if (trial !== 0) return this.#passed(endpoint, trial, service, nowMs);
    const seen = this.#rows.health(row);
    if (seen === 0 || !isClosed(this.#rows.circuit(row))) return;
    this.#rows.moveHealth(row, seen, afterSuccess(seen, this.#isWindowOver(row, nowMs)));
  }

  /** It failed, and by what it is rather than by what it was asked. */
  bad(endpoint: Endpoint, trial: number, service: Service, nowMs: number): void {
    const { row } = endpoint;
    if (trial !== 0) {
      const next = eject(trial, nowMs, this.#random);
      if (!this.#rows.moveCircuit(row, trial, next)) return;
      return this.#events.ejected(endpoint, service.name, 0, leftMs(next, nowMs));
    }
    const circuit = this.#rows.circuit(row);
    if (!isClosed(circuit)) return;
    const health = this.#countFailure(row, nowMs);
    if (!isBad(health) || !this.#mayEject(service.endpoints, row, health, nowMs)) return;
    const next = eject(circuit, nowMs, this.#random);
    if (!this.#rows.moveCircuit(row, circuit, next)) return;
    // Two workers may have ejected two at once, each when one was allowed: at least one of them sees it.
    if (this.#outWith(row, service.endpoints, nowMs) > outMax(service.endpoints.length)) {
      this.#rows.moveCircuit(row, next, circuit);
      return;
    }
    this.#events.ejected(endpoint, service.name, health, leftMs(next, nowMs));
  }

  /** A trial came to nothing by which the endpoint could be judged: its client went away, say. */
  untold(endpoint: Endpoint, trial: number, nowMs: number): void {
    this.#rows.moveCircuit(endpoint.row, trial, giveBack(trial, nowMs));
  }

  /** Leaves it alone for `waitMs`, as it asked. False: too many of its pool are out. */
  hold({ row }: Endpoint, { endpoints }: Service, waitMs: number, nowMs: number): boolean {
    const may = this.#outWith(row, endpoints, nowMs) <= endpoints.length * EJECTED_SHARE_MAX;
    if (may) this.#rows.hold(row, nowMs + waitMs);
    return may;
  }

  #passed(endpoint: Endpoint, trial: number, service: Service, nowMs: number): void {
    const { row } = endpoint;
    if (!this.#rows.moveCircuit(row, trial, close(trial, nowMs))) return;
    this.#rows.moveHealth(row, this.#rows.health(row), 0);
    this.#events.returned(endpoint, service.name);
  }

  /** Returns the word after it. */
  #countFailure(row: number, nowMs: number): number {
    for (let attempt = 0; attempt < COUNT_TRIES_MAX; attempt++) {
      const seen = this.#rows.health(row);
      const isOver = seen === 0 || this.#isWindowOver(row, nowMs);
      const next = afterFailure(seen, isOver);
      if (!this.#rows.moveHealth(row, seen, next)) continue;
      if (isOver) this.#rows.openHealth(row, nowMs);
      return next;
    }
    return 0;
  }

  #isWindowOver(row: number, nowMs: number): boolean {
    return elapsedMs(nowMs, this.#rows.healthMs(row)) > WINDOW_MS;
  }

  /** With `row` not too many are out, and somebody is left who fares better. */
  #mayEject(endpoints: readonly Endpoint[], row: number, health: number, nowMs: number): boolean {
    if (this.#outWith(row, endpoints, nowMs) > outMax(endpoints.length)) return false;
    let isOneWell = false;
    let failures = 0;
    let answers = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const other = endpoints[i]?.row ?? row;
      if (other === row || this.#isOut(other, nowMs)) continue;
      const its = this.#isWindowOver(other, nowMs) ? 0 : this.#rows.health(other);
      if (!isAiling(its)) isOneWell = true;
      failures += failuresOf(its);
      answers += answersOf(its);
    }
    return isOneWell && isWorse(health, failures, answers);
  }

  /** How many are out, `row` among them. */
  #outWith(row: number, endpoints: readonly Endpoint[], nowMs: number): number {
    let out = 1;
    for (let i = 0; i < endpoints.length; i++) {
      const other = endpoints[i]?.row ?? row;
      if (other !== row && this.#isOut(other, nowMs)) out++;
    }
    return out;
  }

  #isOut(row: number, nowMs: number): boolean {
    const rows = this.#rows;
    return !isClosed(rows.circuit(row)) || rows.failures(row) !== 0 || rows.heldMs(row, nowMs) > 0;
  }
}

/** How many of a pool of `count` may be out at once; never all. */
export function outMax(count: number): number {
  return Math.min(Math.ceil(count * EJECTED_SHARE_MAX), Math.max(count - 1, 0));
}

/** Has others send the trials that a dead worker had under way. Only once it runs no more. */
export function giveBackTrials(
  rows: EndpointRows,
  count: number,
  worker: number,
  nowMs: number,
): void {
  for (let row = 0; row < count; row++) {
    const circuit = rows.circuit(row);
    if (proberOf(circuit) === worker) rows.moveCircuit(row, circuit, giveBack(circuit, nowMs));
  }
}
