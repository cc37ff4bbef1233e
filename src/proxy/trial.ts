/** What balancer and circuit breaker are told of one try at an endpoint, once; see Balancer.trial. */
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";

export class Trial {
  readonly #context: Context;
  #word = 0;
  #isAnswered = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** The try is the endpoint's trial. */
  get isOn(): boolean {
    return this.#word !== 0;
  }

  /** The balancer has just picked an endpoint. */
  begin(): void {
    this.#word = this.#context.balancer.trial;
    if (this.#word !== 0) this.#context.count("endpoint_trials");
    this.#isAnswered = false;
  }

  /** All of the request is with the endpoint, whose silence counts from now on. */
  awaits(endpoint: Endpoint): void {
    if (this.#isAnswered)
      this.#context.balancer.awaits(endpoint, this.#context.io.loop.clock.nowMs);
    this.#isAnswered = false;
  }

  /** The endpoint answered, well or not, or its answer is not waited for, any more or yet. */
  answered(endpoint: Endpoint): void {
    if (!this.#isAnswered) this.#context.balancer.answered(endpoint);
    this.#isAnswered = true;
  }

  /** Gives the endpoint's place in the balancer back. */
  release(endpoint: Endpoint): void {
    this.#context.balancer.release(endpoint, this.#isAnswered);
  }

  /** It came to this; null: to nothing that tells of the endpoint. */
  end(endpoint: Endpoint | null, service: Service | null, isBad: boolean | null): void {
    const word = this.#word;
    if ((isBad === null && word === 0) || endpoint === null || service === null) return;
    this.#word = 0;
    const { breaker, io } = this.#context;
    const { nowMs } = io.loop.clock;
    if (isBad === null) breaker.untold(endpoint, word, nowMs);
    else if (isBad) breaker.bad(endpoint, word, service, nowMs);
    else breaker.good(endpoint, word, service, nowMs);
  }
}
