/** Who is told of this worker's requests, as the main thread wants it from time to time. */
import type { TapOrder } from "../mesh/tap.ts";
import type { Context } from "../proxy/context.ts";
import { Tap, type TapPort } from "../proxy/tap.ts";
import { Watch } from "../proxy/watch.ts";

/** Of a worker's context, what is needed of it. */
export type Watched = Pick<Context, "watch" | "count"> & {
  readonly io: { readonly loop: Pick<Context["io"]["loop"], "timers"> & Clocked };
};

type Clocked = { readonly clock: { readonly nowMs: number } };

export class Watchers {
  readonly #context: Watched;
  readonly #access: ((line: string) => void) | null;
  readonly #send: (id: number, events: ArrayBuffer, dropped: number) => void;
  #taps: readonly Tap[] = [];

  /** `access` takes a line of the access log, `send` a batch of the tap `id`. */
  constructor(
    context: Watched,
    access: ((line: string) => void) | null,
    send: (id: number, events: ArrayBuffer, dropped: number) => void,
  ) {
    this.#context = context;
    this.#access = access;
    this.#send = send;
    this.tap([]);
  }

  /** These, and no others, are the taps from now on. */
  tap(orders: readonly TapOrder[]): void {
    const before = this.#taps;
    this.#taps = orders.map(
      (order) =>
        before.find((tap) => tap.order.id === order.id) ?? new Tap(order, this.#portOf(order.id)),
    );
    for (const tap of before) if (!this.#taps.includes(tap)) tap.end();
    const isNobody = this.#access === null && this.#taps.length === 0;
    this.#context.watch = isNobody ? null : new Watch(this.#access, this.#taps);
  }

  /** The main thread has read a batch of the tap `id`, which may be over. */
  onRead(id: number): void {
    this.#taps.find((tap) => tap.order.id === id)?.onRead();
  }

  #portOf(id: number): TapPort {
    const { clock, timers } = this.#context.io.loop;
    return {
      nowMs: () => clock.nowMs,
      timers,
      send: (events, dropped) => this.#send(id, events, dropped),
      dropped: () => this.#context.count("tap_dropped"),
    };
  }
}
