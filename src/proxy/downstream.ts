/**
 * A client's HTTP/1 connection: reads one request after another, the next when the last one's
 * response is written. What a pipelining client sent ahead waits in the kernel, or in one chunk.
 *
 *   head ──▶ exchange ──▶ head …        waiting: the name is being looked up
 *    │  └─▶ waiting ─▶ head (again)     over: closed, or taken over by what follows, which is
 *    └────▶ over                        ClosingClient, ConnectClient or a tunnel
 */
import { Step } from "../codec/http1/field-section.ts";
import { Method } from "../codec/http1/method.ts";
import { type RequestHead, TargetForm } from "../codec/http1/request-head.ts";
import { writtenBytesMax } from "../codec/http1/write-request.ts";
import { CHUNK_BYTES } from "../net/arena.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import type { ClientOrigin } from "./client.ts";
import { ClosingClient } from "./closing-client.ts";
import { ConnectClient } from "./connect-client.ts";
import type { Context } from "./context.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import * as limits from "./limits.ts";
import { RequestContent } from "./request-content.ts";
import { type Reply, replyMethodNotAllowed, replyToBadRequest } from "./respond.ts";
import { RespondingClient } from "./responding-client.ts";
import { Router, type ServiceRoute } from "./router.ts";
import type { Requester } from "./sides.ts";
import type { Upstream } from "./upstream.ts";

const State = { head: 0, waiting: 1, exchange: 2, over: 3 } as const;
type State = (typeof State)[keyof typeof State];

export class Downstream extends RespondingClient implements Requester {
  readonly isHttp2 = false;
  readonly #exchange: Exchange;
  readonly #router: Router;
  readonly #content: RequestContent;
  #state: State = State.head;
  #head: RequestHead | null = null;
  #progress = 0;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context, fd, origin);
    this.#exchange = new Exchange(context, this);
    this.#content = new RequestContent(this.#exchange);
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

  override onDeferred(): void {
    if (!this.isOpen) return;
    if (this.queuedBytes > 0) {
      this.flush();
      if (this.isBroken) return this.abort();
      if (this.queuedBytes === 0) this.#exchange.upstream?.pump();
    }
    if (this.isOpen) this.pump();
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
    if (this.#state === State.exchange) return !this.#content.isDone && !this.#exchange.isBlocked;
    return this.#state === State.head && (areKept || this.queuedBytes === 0);
  }

  protected override use(start: number, end: number): void {
    if (this.#state === State.head) return this.#process(start, end);
    const used = this.#sendContent(start, end);
    if (this.isOpen) this.keep(used, end, used < end && this.#content.isDone);
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
    let at = start;
    while (this.isOpen) {
      if (this.#state !== State.head) return this.keep(at, end, true);
      if (at === end) return this.keep(at, end, false);
      if (this.#head === null) {
        this.#head = this.context.takeRequestHead();
        this.arm(limits.HEAD_TIMEOUT_MS);
      }
      const head = this.#head;
      const step = head.parse(this.io.arena.bytes, at, end);
      if (step === Step.incomplete) return this.keep(at, end, false);
      if (step === Step.malformed) return this.#refuse(replyToBadRequest(head.error));
      const used = this.#serve(head, at, end);
      if ((this.#state as State) === State.waiting) return this.keep(at, end, false);
      at = used;
    }
  }

  #serve(head: RequestHead, base: number, end: number): number {
    const { bytes } = this.io.arena;
    const past = base + head.end;
    head.clientId = this.origin.client?.field ?? null;
    if (writtenBytesMax(head) > CHUNK_BYTES) {
      this.#refuse(replyToBadRequest("head-too-large"));
      return past;
    }
    const route = this.#router.route(bytes, base, head);
    const { outcome } = this.#exchange;
    if (this.context.watch !== null) outcome.describe(this, bytes, base, head, route);
    if (route.kind === "unknown") {
      if (!this.waitFor(route.missing, this)) return this.#replyOnly("overloaded", head, past);
      this.#state = State.waiting;
      this.#dropHead();
      return past;
    }
    this.endWait();
    if (route.kind === "refused") return this.#replyOnly(route.code, head, past);
    if (head.method === Method.connect) {
      if (this.origin.kind === "inbound") this.#refuse(replyMethodNotAllowed());
      else this.#connect(route, past, end);
      return end;
    }
    if (!this.context.enter()) return this.#replyOnly(this.context.tooMany, head, past);
    return this.#begin(head, base, end, route);
  }

  #begin(head: RequestHead, base: number, end: number, route: ServiceRoute): number {
    const used = base + head.end;
    this.#state = State.exchange;
    this.#progress = -1;
    this.goesOn = head.keepAlive && !head.wantsUpgrade;
    this.minorVersion = head.minorVersion;
    this.#content.start(head.framing);
    this.arm(limits.CLIENT_STALL_MS);
    // Intercepted, it was meant for the server in that form, not for a proxy.
    head.keepsAbsolute = head.form === TargetForm.absolute && this.origin.target !== null;
    this.#head = null;
    this.#exchange.start(head, base, route, this.#content.isDone);
    return this.#exchange.isActive && used < end ? this.#sendContent(used, end) : this.#sent(used);
  }

  /** Sends content on; returns how far the bytes were used, all of them if the client is refused. */
  #sendContent(start: number, end: number): number {
    const used = this.#content.send(this.io.arena.bytes, start, end);
    if (used !== -1) return this.#sent(used);
    this.context.count("bad_request");
    this.#exchange.abort();
    this.#leave();
    if (this.#exchange.hasResponded) this.abort();
    else this.#refuse(replyToBadRequest("bad-chunk"));
    return end;
  }

  #sent(used: number): number {
    this.#exchange.flush();
    return used;
  }

  /** What follows a CONNECT is not HTTP any more; it goes with the bytes behind it. */
  #connect(route: ServiceRoute, at: number, end: number): void {
    const kept = new KeptBytes(this.io.arena);
    if (!kept.keep(at, end)) return this.abort();
    this.context.inFlight++;
    this.onClosing();
    this.#state = State.over;
    new ConnectClient(this, kept, route).begin();
  }

  #replyOnly(code: ProxyErrorCode, head: RequestHead, past: number): number {
    const isWhole = !head.framing.isChunked && head.framing.contentLength <= 0;
    this.#dropHead();
    this.#state = State.exchange;
    this.context.inFlight++;
    this.goesOn = head.keepAlive;
    this.#exchange.outcome.refused(this, this.replyFailure(code, isWhole));
    this.afterExchange(isWhole);
    return past;
  }

  /** The response is written (or queued): on to the next request, or to the end. */
  afterExchange(isWhole: boolean): void {
    this.#leave();
    if (!this.isOpen) return;
    if (this.isBroken) return this.abort();
    const goesOn = isWhole && this.goesOn && !this.isDraining;
    if (!goesOn) return this.#finish(!this.#exchange.isRequestDone);
    this.#state = State.head;
    this.arm(limits.CLIENT_IDLE_MS);
    this.isUnseen = this.kept.length > 0;
    if (this.isUnseen || this.readable) this.wantsPump();
  }

  /** The response broke off: the client sees a reset, never a short body that looks whole. */
  cut(): void {
    this.#leave();
    this.flush();
    this.reset();
  }

  /** Both sides agreed to leave HTTP: kept bytes go first, then all that comes. */
  becomeTunnel(upstream: Upstream): void {
    const { endpoint } = upstream;
    this.#exchange.detachForTunnel();
    this.context.count("upgraded");
    // `detach` gave the endpoint's place in the balancer back; the tunnel takes its own.
    this.context.balancer.acquireTunnel(endpoint);
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
    this.#dropHead();
    this.goesOn = false;
    this.#exchange.outcome.refused(this, this.replyFailure(code, false));
    this.#finish(true);
  }

  /** Nothing more is answered; unread bytes would have a close reset the response. */
  #finish(needsLinger: boolean): void {
    const isUnread = this.kept.length > 0;
    this.onClosing();
    this.#state = State.over;
    new ClosingClient(this, needsLinger || isUnread).begin();
  }

  protected override onTimer(): void {
    if (this.#state === State.waiting) {
      this.context.directory.stopWaiting(this);
      return this.#refuseWith(this.endWait());
    }
    if (this.#state === State.head && this.#head !== null) {
      return this.#refuseWith("request-timeout");
    }
    if (this.#state !== State.exchange) return this.close();
    const isClientsTurn =
      this.queuedBytes > 0 || (!this.#content.isDone && !this.#exchange.isBlocked);
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
    this.context.directory.stopWaiting(this);
    this.#dropHead();
    this.kept.clear();
  }

  #dropHead(): void {
    if (this.#head !== null) this.context.returnRequestHead(this.#head);
    this.#head = null;
  }
}
