/**
 * One tap in one worker: chooses which requests are told, before more is made of them than must be,
 * and sends them to the main thread in batches. It never holds more than a batch, and while the main
 * thread has not read the last ones it only counts.
 */
import { pack } from "msgpackr/pack";
import { Timer, type TimerWheel } from "../lib/timer-wheel.ts";
import {
  isNamed,
  TAP_BATCH_CHARS_MAX,
  TAP_BATCH_MS,
  TAP_BATCHES_UNREAD_MAX,
  TAP_EVENTS_PER_SECOND,
  TAP_STATUS_MAX,
  type TapEvent,
  type TapOrder,
} from "../mesh/tap.ts";
import type { ClientOrigin } from "./client.ts";

const SECOND_MS = 1_000;
/** Of an event's numbers and names, beside its texts. */
const EVENT_CHARS = 64;

export type TapPort = {
  /** The loop's. */
  readonly nowMs: () => number;
  readonly timers: TimerWheel;
  /** Sends a batch to the main thread. */
  readonly send: (events: ArrayBuffer, dropped: number) => void;
  /** Counts what is not told. */
  readonly dropped: () => void;
};

export class Tap {
  readonly order: TapOrder;
  readonly #port: TapPort;
  readonly #timer: Timer;
  #events: TapEvent[] = [];
  #chars = 0;
  #dropped = 0;
  #unread = 0;
  #isOver = false;
  #secondEndsMs = 0;
  #eventsLeft = 0;

  constructor(order: TapOrder, port: TapPort) {
    this.order = order;
    this.#port = port;
    this.#timer = new Timer(() => this.#flush());
  }

  /** Says whether what this client does is looked for, and is one of the sample. */
  wants(origin: ClientOrigin): boolean {
    const { from, sample } = this.order;
    if (sample > 1 && Math.random() * sample >= 1) return false;
    if (from === null) return true;
    const { client, peer } = origin;
    return isNamed(peer, from) || (client !== null && isNamed(client.name, from));
  }

  /** `service` is the name of the service that `authority` was found to be, if it was. */
  isTo(authority: string, service: string | null): boolean {
    const { to } = this.order;
    return to === null || isNamed(authority, to) || (service !== null && isNamed(service, to));
  }

  /** What would be told does not fit; then it is counted and need not be described. */
  isFull(): boolean {
    // Of a request that comes to another status nothing is lost.
    return this.isAnyStatus && this.#drops();
  }

  get isAnyStatus(): boolean {
    return this.order.statusMin === 0 && this.order.statusMax === TAP_STATUS_MAX;
  }

  /** Says whether a request that ended with `status` is looked for. */
  hasStatus(status: number): boolean {
    return status >= this.order.statusMin && status <= this.order.statusMax;
  }

  /** Adds an event that the tap wants. */
  tell(event: TapEvent): void {
    if (this.#isOver || this.#drops()) return;
    const { authority, client, client_id, endpoint, path, server_id } = event;
    this.#eventsLeft--;
    this.#chars += EVENT_CHARS + authority.length + client.length + path.length;
    this.#chars += (client_id ?? "").length + (endpoint ?? "").length + (server_id ?? "").length;
    this.#events.push(event);
    this.#arm();
  }

  /** The main thread has read a batch. */
  onRead(): void {
    this.#unread = Math.max(0, this.#unread - 1);
    if (this.#events.length > 0 || this.#dropped > 0) this.#arm();
  }

  /** Nobody taps any more. */
  end(): void {
    this.#isOver = true;
    this.#events = [];
    this.#port.timers.disarm(this.#timer);
  }

  #drops(): boolean {
    const nowMs = this.#port.nowMs();
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + SECOND_MS;
      this.#eventsLeft = TAP_EVENTS_PER_SECOND;
    }
    if (this.#eventsLeft > 0 && this.#chars < TAP_BATCH_CHARS_MAX) return false;
    this.#dropped++;
    this.#port.dropped();
    this.#arm();
    return true;
  }

  #arm(): void {
    if (this.#timer.deadlineMs !== 0 || this.#unread >= TAP_BATCHES_UNREAD_MAX) return;
    this.#port.timers.arm(this.#timer, this.#port.nowMs() + TAP_BATCH_MS);
  }

  #flush(): void {
    // `pack` returns a view of a buffer that it uses again: copy.
    const events = new Uint8Array(pack(this.#events)).buffer;
    const dropped = this.#dropped;
    this.#events = [];
    this.#chars = 0;
    this.#dropped = 0;
    this.#unread++;
    this.#port.send(events, dropped);
  }
}
