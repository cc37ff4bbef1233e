/** The content of a request of HTTP/1 on its way into an exchange: its framing is taken off. */
import { BodyRelay } from "../codec/http1/body.ts";
import { BodyKind, type Framing } from "../codec/http1/framing.ts";
import { writeTrailers } from "../codec/http1/trailers.ts";
import { CONTENT, OUTPUT } from "../net/arena.ts";
import type { Exchange } from "./exchange.ts";

export class RequestContent {
  readonly #exchange: Exchange;
  readonly #relay = new BodyRelay();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  start({ isChunked, contentLength }: Framing): void {
    const from = isChunked ? BodyKind.chunked : contentLength > 0 ? BodyKind.length : BodyKind.none;
    this.#relay.start(from, BodyKind.stream, contentLength);
  }

  get isDone(): boolean {
    return this.#relay.isDone;
  }

  /**
   * Sends on what is content in `bytes[start, end)` of the arena. Returns how far they were used, or
   * -1 when the chunked coding is broken.
   */
  send(bytes: Uint8Array, start: number, end: number): number {
    const relay = this.#relay;
    if (relay.isDone) return start;
    if (!relay.relay(bytes, start, end, CONTENT)) return -1;
    const { isDone, trailers } = relay;
    this.#exchange.sendContent(relay.outStart, relay.outEnd, isDone && trailers === null);
    if (trailers !== null) {
      this.#exchange.endContent(OUTPUT, writeTrailers(bytes, relay.trailersBase, trailers, OUTPUT));
    }
    return relay.consumed;
  }
}
