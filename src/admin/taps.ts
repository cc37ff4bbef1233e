/**
 * Those who tap this sidecar: each an answer of the admin API that goes on until its client goes
 * away. A line is a TapEvent as JSON, or `{"dropped":N}` for what did not fit before it; an empty one
 * says that all is well. A batch is unpacked when the client takes it, and only then may its worker
 * send another: so what waits for a slow client is bounded, and is dropped where it is made.
 */
import { unpack } from "msgpackr/unpack";
import { TAPPERS_MAX, type TapEvent, type TapOrder } from "../mesh/tap.ts";
import type { TapFilter } from "./tap-query.ts";

/** Of text that was not taken by the client; the kernel keeps some hundred KiB more. */
const QUEUE_BYTES_MAX = 65_536;
/** An empty line as often: below the idle time of all that may lie in between. */
export const TAP_HEARTBEAT_MS = 5_000;
/** A client that takes nothing for so long has been forgotten, and blocks the place of another. */
const STALL_MS = 60_000;

export type TapBatch = {
  readonly id: number;
  /** Events before these that did not fit. */
  readonly dropped: number;
  /** TapEvent[] as msgpack. */
  readonly events: ArrayBuffer;
};

type Waiting = { readonly batch: TapBatch; readonly onRead: () => void };

export class Taps {
  readonly #order: (orders: readonly TapOrder[]) => void;
  readonly #nowMs: () => number;
  readonly #tappers = new Map<number, Tapper>();
  #nextId = 1;

  /** `order` tells the workers what is tapped from now on; `nowMs` is a monotonic clock. */
  constructor(order: (orders: readonly TapOrder[]) => void, nowMs: () => number) {
    this.#order = order;
    this.#nowMs = nowMs;
  }

  get count(): number {
    return this.#tappers.size;
  }

  /** Begins to tap; returns the lines, or null when too many tap already. */
  open(filter: TapFilter): ReadableStream<Uint8Array> | null {
    if (this.#tappers.size >= TAPPERS_MAX) return null;
    const id = this.#nextId++;
    const tapper = new Tapper({ ...filter, id }, this.#nowMs, () => {
      this.#tappers.delete(id);
      this.#tell();
    });
    this.#tappers.set(id, tapper);
    this.#tell();
    return tapper.lines;
  }

  /** Takes a batch of a worker; `onRead` is called when the worker may send another. */
  take(batch: TapBatch, onRead: () => void): void {
    this.#tappers.get(batch.id)?.take({ batch, onRead });
  }

  /** The process ends. */
  end(): void {
    for (const tapper of [...this.#tappers.values()]) tapper.end();
  }

  #tell(): void {
    this.#order([...this.#tappers.values()].map(({ order }) => order));
  }
}

class Tapper {
  readonly order: TapOrder;
  readonly lines: ReadableStream<Uint8Array>;
  readonly #nowMs: () => number;
  readonly #left: () => void;
  /** At most TAP_BATCHES_UNREAD_MAX of each worker: it sends no more before they are read. */
  #waiting: Waiting[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #takenMs: number;
  #timer: ReturnType<typeof setInterval>;
  #encoder = new TextEncoder();

  constructor(order: TapOrder, nowMs: () => number, left: () => void) {
    this.order = order;
    this.#nowMs = nowMs;
    this.#left = left;
    this.#takenMs = nowMs();
    this.lines = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          // What is there at once makes the answer's head leave at once.
          this.#write("\n");
        },
        pull: () => this.#pump(),
        cancel: () => this.#leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: QUEUE_BYTES_MAX }),
    );
    this.#timer = setInterval(() => this.#beat(), TAP_HEARTBEAT_MS);
  }

  take(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#pump();
  }

  end(): void {
    this.#controller?.close();
    this.#leave();
  }

  #pump(): void {
    while (this.#hasRoom()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#write(linesOf(next.batch));
      next.onRead();
    }
  }

  #beat(): void {
    if (this.#hasRoom()) this.#write("\n");
    else if (this.#nowMs() - this.#takenMs > STALL_MS) this.end();
  }

  #hasRoom(): boolean {
    const hasRoom = (this.#controller?.desiredSize ?? 0) > 0;
    if (hasRoom) this.#takenMs = this.#nowMs();
    return hasRoom;
  }

  #write(text: string): void {
    this.#controller?.enqueue(this.#encoder.encode(text));
  }

  #leave(): void {
    this.#controller = null;
    this.#waiting = [];
    clearInterval(this.#timer);
    this.#left();
  }
}

function linesOf({ dropped, events }: TapBatch): string {
  const all = unpack(new Uint8Array(events)) as readonly TapEvent[];
  const lines = all.map((event) => `${JSON.stringify(event)}\n`);
  return `${dropped > 0 ? `${JSON.stringify({ dropped })}\n` : ""}${lines.join("")}`;
}
