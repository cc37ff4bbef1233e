/**
 * What one request costs a worker beside reading, parsing and writing: the balancer with the circuit
 * breaker, and the counters. The calls are those that an exchange makes for a request on kept connections
 * of HTTP/1, on its classes and in its order, with 64 requests in flight.
 */
import { Balancer } from "../../src/balancer/balancer.ts";
import { Breaker } from "../../src/balancer/breaker.ts";
import { xorshift32 } from "../../src/lib/random.ts";
import type { Endpoint, Service } from "../../src/mesh/snapshot.ts";
import { Counter, type CounterName } from "../../src/metrics/catalog.ts";
import { Attempts } from "../../src/proxy/attempts.ts";
import type { ClientOrigin } from "../../src/proxy/client.ts";
import type { Context } from "../../src/proxy/context.ts";
import { ExchangeOutcome } from "../../src/proxy/exchange-outcome.ts";
import { RetryBudget } from "../../src/proxy/retry-budget.ts";
import type { ServiceRoute } from "../../src/proxy/router.ts";
import { Trial } from "../../src/proxy/trial.ts";
import { Counters } from "../../src/shared/counters.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";
import { measure } from "./measure.ts";

const WORKERS = 2;
const BATCH = 50_000;
const IN_FLIGHT = 64;
/** About as long as a request takes; the worker's clock stands still for a turn of so many. */
const REQUEST_US = 17;
const TURN_REQUESTS = 8;
/** Three days after the machine was started: microseconds do not fit 32 bits. */
const STARTED_US = 3 * 86_400e6;
/** The router and the client have the rest of it. */
const ORIGIN = { series: 0 } as ClientOrigin;

/** What an exchange holds of this. */
class Exchange {
  readonly attempts = new Attempts();
  readonly outcome = new ExchangeOutcome();
  readonly trial: Trial;
  endpoint: Endpoint | null = null;

  constructor(context: Context) {
    this.trial = new Trial(context);
  }
}

/** One worker's requests, one after another. */
class Requests {
  readonly #clock = { nowUs: STARTED_US, nowMs: STARTED_US / 1e3 };
  readonly #service: Service;
  readonly #context: Context;
  readonly #route: ServiceRoute;
  readonly #exchanges: Exchange[];
  readonly #isBalanced: boolean;
  readonly #isCounted: boolean;
  #turn = 0;

  constructor(endpointCount: number, isBalanced: boolean, isCounted: boolean) {
    const memory = allocate(WORKERS);
    const rows = new EndpointRows(memory);
    const random = xorshift32(1);
    const counters = new Counters(memory, 0);
    const ip = Uint8Array.of(127, 0, 0, 1);
    const endpoints = Array.from({ length: endpointCount }, (_, row): Endpoint => {
      rows.join(row, this.#clock.nowMs - 60_000);
      return { row, series: row + 3, ip, port: 8_000 + row, speaks: "any", peer: null };
    });
    this.#service = { name: "web", series: 0, endpoints, failure: null, routes: [] };
    this.#context = {
      balancer: new Balancer(rows, 0, random),
      breaker: new Breaker(rows, random, { ejected: () => {}, returned: () => {} }),
      counters,
      watch: null,
      io: { loop: { clock: this.#clock } },
      count: (name: CounterName) => counters.add(Counter[name], 1),
    } as unknown as Context;
    const budget = new RetryBudget(this.#clock.nowMs);
    this.#route = { service: this.#service, isPool: true, series: -1, budget } as ServiceRoute;
    this.#exchanges = Array.from({ length: IN_FLIGHT }, () => new Exchange(this.#context));
    this.#isBalanced = isBalanced;
    this.#isCounted = isCounted;
    for (const exchange of this.#exchanges) this.#begin(exchange);
  }

  /** One request ends, and another begins. */
  next(): void {
    const turn = this.#turn++;
    if (turn % TURN_REQUESTS === 0) {
      this.#clock.nowUs += TURN_REQUESTS * REQUEST_US;
      this.#clock.nowMs = Math.floor(this.#clock.nowUs / 1e3);
    }
    const exchange = this.#exchanges[turn % IN_FLIGHT];
    if (exchange === undefined) return;
    this.#end(exchange);
    this.#begin(exchange);
  }

  /** As Exchange.hold, Tries.attempt and Tries.#send. */
  #begin(exchange: Exchange): void {
    const { nowMs, nowUs } = this.#clock;
    const { balancer } = this.#context;
    const { attempts, outcome, trial } = exchange;
    attempts.begin(nowMs);
    outcome.begin(nowUs);
    if (this.#isBalanced && !attempts.isOver(nowMs)) {
      this.#route.budget.deposit(nowMs);
      const endpoint = attempts.pick(balancer, this.#route, this.#service, nowMs);
      trial.begin();
      if (endpoint !== null) balancer.acquire(endpoint, nowMs);
      exchange.endpoint = endpoint;
    }
    if (this.#isCounted) this.#context.count("pool_hit");
    outcome.sent(nowUs);
  }

  /** As Tries.observe, Exchange.onHead and Exchange.complete. */
  #end({ endpoint, outcome, trial }: Exchange): void {
    const { nowMs, nowUs } = this.#clock;
    const { balancer } = this.#context;
    if (endpoint !== null) {
      trial.end(endpoint, this.#service, false);
      trial.answered(endpoint);
      balancer.observe(endpoint, nowUs - outcome.sentUs, nowMs);
    }
    outcome.end(200, nowUs);
    if (endpoint !== null) {
      trial.end(endpoint, this.#service, null);
      trial.release(endpoint);
    }
    if (!this.#isCounted) return;
    outcome.record(this.#context, ORIGIN, this.#route, this.#service, endpoint);
  }
}

for (const count of [3, 30, 300]) {
  for (const [what, isBalanced, isCounted] of [
    ["balanced", true, false],
    ["counted", false, true],
    ["balanced and counted", true, true],
    ["neither", false, false],
  ] as const) {
    const requests = new Requests(count, isBalanced, isCounted);
    measure(`a request to one of ${count}, ${what}`, BATCH, () => requests.next());
  }
}
