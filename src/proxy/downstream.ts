/**
 * A client's HTTP/1 connection: reads one request after another, and the next only when the last
 * one's response is all written. What a pipelining client sent ahead waits in the kernel, or in one
 * chunk if it was read already.
 *
 *   head ──▶ exchange ──▶ head …        waiting: the name is being looked up
 *    │  └─▶ waiting ─▶ head (again)     over: closed, or taken over by what follows, which is
 *    └────▶ over                        ClosingClient, ConnectClient or a tunnel
 */
import { Step } from "../codec/http1/field-section.ts";
import { Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { REQUEST_HEAD_GROWTH_BYTES } from "../codec/http1/write-request.ts";
import type { Service } from "../mesh/snapshot.ts";
import { CHUNK_BYTES } from "../net/arena.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import type { ClientOrigin } from "./client.ts";
import { ClosingClient } from "./closing-client.ts";
import { ConnectClient } from "./connect-client.ts";
import type { Context } from "./context.ts";
import { PROXY_ERRORS, type ProxyErrorCode } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import * as limits from "./limits.ts";
import { ReadingClient } from "./reading-client.ts";
import { type Reply, replyMethodNotAllowed, replyToBadRequest, replyToFailure } from "./respond.ts";
import { Router } from "./router.ts";
import type { Upstream } from "./upstream.ts";

const State = { head: 0, waiting: 1, exchange: 2, over: 3 } as const;
type State = (typeof State)[keyof typeof State];

export class Downstream extends ReadingClient {
  readonly #exchange: Exchange;
  readonly #router: Router;
  #state: State = State.head;
  #head: RequestHead | null = null;
  #progress = 0;
  /** CONNECT was read; set while the bytes behind it are put aside. */
  #connectTo: Service | null = null;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.#exchange = new Exchange(context, this);
    this.#router = new Router(context, origin);
    this.arm(limits.HEAD_TIMEOUT_MS);
  }

  begin(): void {
    this.readable = true;
    this.io.loop.defer(this);
  }

  protected override onReady(drained: boolean): void {
    if (this.hasError) return this.abort();
    if (drained) this.#exchange.upstream?.pump();
    if (this.isOpen && this.readable) this.pump();
  }

  /** Discovery has news: the request is read again, from its kept first byte. */
  onDirectoryChange(): void {
    if (this.#state !== State.waiting) return;
    this.#state = State.head;
    this.isUnseen = true;
    this.wantsPump();
  }

  drain(): void {
    if (this.#state === State.head && this.kept.length === 0 && this.#head === null) this.close();
  }

  protected override wantsBytes(areKept: boolean): boolean {
    if (this.#state === State.exchange) return this.#exchange.takesBody;
    return this.#state === State.head && (areKept || this.queuedBytes === 0);
  }

  protected override use(start: number, end: number): void {
    if (this.#state === State.head) this.#process(start, end);
    else this.#relayBody(start, end);
  }

  protected override onEnd(): void {
    const isIdle = this.#state === State.head && this.kept.length === 0 && this.#head === null;
    if (isIdle) return this.close();
    // The request's rest will never come (RFC 9112 §8).
    this.context.count("client_aborted");
    if (this.#state === State.head) this.#refuse(replyToBadRequest("bad-framing"));
    else this.abort();
  }

  /** Parses requests from `bytes[start, end)` until one is under way. */
  #process(start: number, end: number): void {
    const { bytes } = this.io.arena;
    let at = start;
    while (this.isOpen) {
      if (this.#connectTo !== null) return this.#connect(this.#connectTo, at, end);
      if (this.#state !== State.head) return this.keep(at, end, true);
      if (at === end) return this.keep(at, end, false);
      if (this.#head === null) {
        this.#head = this.context.takeRequestHead();
        this.arm(limits.HEAD_TIMEOUT_MS);
      }
      const head = this.#head;
      const step = head.parse(bytes, at, end);
      if (step === Step.incomplete) return this.keep(at, end, false);
      if (step === Step.malformed) return this.#refuse(replyToBadRequest(head.error));
      const used = this.#serve(head, at, end);
      if ((this.#state as State) === State.waiting) return this.keep(at, end, false);
      if (used === -1) return this.#refuse(replyToBadRequest("bad-chunk"));
      at = used;
    }
  }

  #serve(head: RequestHead, base: number, end: number): number {
    const { bytes } = this.io.arena;
    const past = base + head.end;
    // Rewritten it may be longer, and must fit a chunk.
    if (head.end + REQUEST_HEAD_GROWTH_BYTES > CHUNK_BYTES) {
      this.#refuse(replyToBadRequest("head-too-large"));
      return past;
    }
    const route = this.#router.route(bytes, base, head);
    if (route.kind === "unknown") {
      if (this.context.directory.wait(route.authority, this)) {
        this.#state = State.waiting;
        this.#dropHead();
        this.arm(limits.FAILFAST_MS);
      } else this.#replyOnly("overloaded", head);
      return past;
    }
    if (this.context.access !== null)
      this.#exchange.access = this.#router.describe(bytes, base, head);
    if (route.kind === "refused") {
      this.#replyOnly(route.code, head);
      return past;
    }
    if (head.method === Method.connect) {
      this.#dropHead();
      if (this.origin.kind === "inbound") this.#refuse(replyMethodNotAllowed());
      else this.#connectTo = route.service;
      return past;
    }
    if (!this.context.enter()) {
      this.#replyOnly("overloaded", head);
      return past;
    }
    this.#state = State.exchange;
    this.#progress = -1;
    this.arm(limits.CLIENT_STALL_MS);
    const used = this.#exchange.start(
      head,
      base,
      end,
      route.service,
      route.series,
      route.timeoutMs,
    );
    this.#dropHead();
    return used;
  }

  /** What follows a CONNECT is not HTTP any more; it goes with the bytes behind it. */
  #connect(service: Service, at: number, end: number): void {
    const kept = new KeptBytes(this.io.arena);
    if (!kept.keep(at, end)) return this.abort();
    this.context.inFlight++;
    this.#letGo();
    this.#state = State.over;
    new ConnectClient(this, kept, service).begin();
  }

  #replyOnly(code: ProxyErrorCode, head: RequestHead): void {
    const isWhole = !head.framing.isChunked && head.framing.contentLength <= 0;
    this.#dropHead();
    this.#state = State.exchange;
    this.context.inFlight++;
    this.#exchange.clientKeepsAlive = head.keepAlive;
    this.replyFailure(code, isWhole);
    this.afterExchange(isWhole && head.keepAlive);
  }

  #relayBody(start: number, end: number): void {
    const used = this.#exchange.relayBody(start, end);
    if (used === -1) {
      this.context.count("bad_request");
      this.#exchange.abort();
      this.#leave();
      if (this.#exchange.hasResponded) return this.abort();
      return this.#refuse(replyToBadRequest("bad-chunk"));
    }
    if (!this.isOpen) return;
    this.keep(used, end, used < end && this.#exchange.request.isDone);
    if (this.#exchange.upstream?.isBroken) this.#exchange.onBackendGone("backend-closed");
  }

  /** Writes a proxy-made response; returns its status. */
  replyFailure(code: ProxyErrorCode, isRequestRead: boolean): number {
    const closes = !isRequestRead || !this.#exchange.clientKeepsAlive || this.context.isDraining;
    const reply = replyToFailure(code, "", closes);
    if (closes) this.#exchange.clientKeepsAlive = false;
    // Failed connects are counted one by one, where they fail.
    if (!code.startsWith("connect-")) this.context.count(PROXY_ERRORS[code].counter);
    this.writeText(reply.text);
    return reply.status;
  }

  /** The response is written (or queued): on to the next request, or to the end. */
  afterExchange(goesOn: boolean): void {
    this.#leave();
    if (!this.isOpen) return;
    if (this.isBroken) return this.abort();
    if (!goesOn || this.context.isDraining) return this.#finish(!this.#exchange.request.isDone);
    this.#state = State.head;
    this.arm(limits.CLIENT_IDLE_MS);
    this.isUnseen = this.kept.length > 0;
    if (this.isUnseen || this.readable) this.wantsPump();
  }

  /** The response broke off: the client sees a reset, never a short body that looks whole. */
  cut(): void {
    this.#leave();
    this.reset();
  }

  /** Both sides agreed to leave HTTP: kept bytes go first, then all that comes. */
  becomeTunnel(upstream: Upstream): void {
    const endpoint = this.#exchange.detachForTunnel();
    if (endpoint === null) return;
    this.context.count("upgraded");
    // `detach` gave the endpoint's place in the balancer back; the tunnel takes its own.
    this.context.balancer.acquire(endpoint);
    const { start, end, length } = this.kept;
    this.joinTunnel(upstream, endpoint, length > 0 ? { start, end } : null);
    this.kept.clear();
  }

  #refuse(reply: Reply): void {
    this.context.count("bad_request");
    this.#dropHead();
    this.writeText(reply.text);
    this.#finish(true);
  }

  #refuseWith(code: ProxyErrorCode): void {
    this.#leave();
    this.writeText(replyToFailure(code, "", true).text);
    this.#finish(true);
  }

  /** Nothing more is answered; unread bytes would have a close reset the response. */
  #finish(needsLinger: boolean): void {
    const isUnread = this.kept.length > 0;
    this.#letGo();
    this.#state = State.over;
    new ClosingClient(this, needsLinger || isUnread).begin();
  }

  protected override onTimer(): void {
    if (this.#state === State.waiting) {
      this.context.directory.stopWaiting(this);
      return this.#refuseWith("failfast");
    }
    if (this.#state !== State.exchange) {
      if (this.#state !== State.head || this.#head === null) return this.close();
      this.#dropHead();
      return this.#refuseWith("request-timeout");
    }
    const isClientsTurn = this.queuedBytes > 0 || this.#exchange.takesBody;
    const progress = this.bytesRead + this.bytesWritten;
    if (isClientsTurn && progress === this.#progress) return this.abort();
    this.#progress = progress;
    this.arm(limits.CLIENT_STALL_MS);
  }

  #leave(): void {
    if (this.#state === State.exchange) this.context.leave();
    this.#state = State.over;
  }

  protected override abort(): void {
    if (!this.isOpen) return;
    this.#exchange.abort();
    this.#leave();
    this.reset();
  }

  protected override onClosing(): void {
    this.#letGo();
  }

  #letGo(): void {
    this.context.directory.stopWaiting(this);
    this.#dropHead();
    this.kept.clear();
  }

  #dropHead(): void {
    if (this.#head !== null) this.context.returnRequestHead(this.#head);
    this.#head = null;
  }
}
