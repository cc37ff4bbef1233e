/**
 * The two sides of an exchange as they see each other through it: whoever asked (an HTTP/1 client,
 * or one stream of an HTTP/2 client) and whoever answers (an HTTP/1 connection, or one stream of an
 * HTTP/2 connection). Between them goes content without framing; each side frames it as it must.
 *
 * Both sides take all they are given. Who gives stops reading while the other side `isBlocked`, and
 * is told when that is over (`wantsPump`, `pump`), so what waits is at most one read or one window.
 */
import type { RequestHead } from "../codec/http1/request-head.ts";
import type { ResponseHead } from "../codec/http1/response-head.ts";
import type { ClientOrigin } from "./client.ts";
import type { ProxyErrorCode } from "./errors.ts";
import type { Upstream } from "./upstream.ts";

export interface Requester {
  readonly origin: ClientOrigin;
  readonly isHttp2: boolean;
  /** Response bytes wait for the client. */
  readonly isBlocked: boolean;
  /** The client is gone. */
  readonly isBroken: boolean;
  /** The request's content can be sent on (again). */
  wantsPump(): void;
  /** A bug or a reset: ends what this request has to do with. */
  onFault(): void;
  /** Writes an interim response; `base` is where its text is in the arena. */
  writeInterim(head: ResponseHead, base: number): void;
  /** Writes the final head. `isEnd`: no content follows. */
  writeHead(head: ResponseHead, base: number, isEnd: boolean): void;
  /** Writes content, `bytes[start, end)` of the arena; `isLast`: the response is over. */
  writeContent(start: number, end: number, isLast: boolean): void;
  /** The response is over, with the trailer lines in `bytes[start, end)` of the arena, if any. */
  endContent(start: number, end: number): void;
  /** What was written is to be on its way. */
  flush(): void;
  /** Writes a proxy-made response; returns its status. */
  replyFailure(code: ProxyErrorCode, isRequestRead: boolean): number;
  /** The exchange is over; `isWhole`: all of the request was read. */
  afterExchange(isWhole: boolean): void;
  /** The response broke off: the client must see that it did, and why. `resetCode` is HTTP/2's. */
  cut(resetCode: number, why: ProxyErrorCode): void;
  /** Writes a 101, whose text is at `base`, and what came behind it up to `end`. */
  writeSwitch(head: ResponseHead, base: number, end: number): void;
  /** Both sides agreed to leave HTTP/1. */
  becomeTunnel(upstream: Upstream): void;
}

export interface Responder {
  /** Request bytes wait for the endpoint. */
  readonly isBlocked: boolean;
  readonly isBroken: boolean;
  /** The connection was used before, so that the endpoint may have closed it meanwhile. */
  readonly isReused: boolean;
  /** A byte of the response came. */
  readonly hasReceived: boolean;
  /** Is another number whenever something was sent or came. */
  readonly progress: number;
  /** Nothing of the request can have reached the endpoint. */
  readonly isUnsent: boolean;
  /** Sends the head, whose text is in the arena at `base`. `isEnd`: no content follows. */
  sendHead(head: RequestHead, base: number, isEnd: boolean): void;
  sendContent(start: number, end: number, isLast: boolean): void;
  /** The request is over, with the trailer lines in `bytes[start, end)` of the arena, if any. */
  endContent(start: number, end: number): void;
  flush(): void;
  /** The client took what waited: read on. */
  pump(): void;
  /** The exchange is over: back to the pool, or away. */
  finish(isReusable: boolean): void;
}
