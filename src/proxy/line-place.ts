/** A place in the line of a service, taken and left any number of times, one at a time. */
import type { Service } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";
import type { ProxyErrorCode } from "./errors.ts";
import type { LineWaiter } from "./lines.ts";

type LinePlaceEvents = {
  /** An endpoint may be there. */
  readonly available: () => void;
  /** There is none, and none is waited for any more. */
  readonly none: (code: ProxyErrorCode) => void;
  /** One of these threw. */
  readonly fault: () => void;
};

export class LinePlace implements LineWaiter {
  readonly #context: Context;
  readonly #events: LinePlaceEvents;
  #service: Service | null = null;
  waitUntilMs = 0;

  constructor(context: Context, events: LinePlaceEvents) {
    this.#context = context;
    this.#events = events;
  }

  /** Waits until `untilMs` at the most. Returns why not, or null: then one of the events follows. */
  take(service: Service, untilMs: number, last: ProxyErrorCode): ProxyErrorCode | null {
    this.waitUntilMs = untilMs;
    const code = this.#context.lines.join(service, this, last);
    if (code === null) this.#service = service;
    return code;
  }

  /** Waits no more; no event follows. */
  leave(): void {
    if (this.#service !== null) this.#context.lines.leave(this.#service, this);
    this.#service = null;
  }

  onAvailable(): void {
    this.#service = null;
    this.#events.available();
  }

  onNone(code: ProxyErrorCode): void {
    this.#service = null;
    this.#events.none(code);
  }

  onFault(): void {
    this.#events.fault();
  }
}
