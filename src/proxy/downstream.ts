/**
 * A client's HTTP/1 connection: reads one request after another, and the next only when the last
 * one's response is all written. What a pipelining client sent ahead waits in the kernel, or in one
 * chunk if it was read already.
 *
 *   head ──▶ exchange ──▶ head …        waiting: the name is being looked up
 *    │  └─▶ waiting ─▶ head (again)     closing: the last response is being flushed
 *    └────▶ closing ──▶ lingering ──▶ closed
 */
import { Step } from "../codec/http1/field-section.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import { Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { Timer } from "../lib/timer-wheel.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import { INPUT, INPUT_BYTES, OUTPUT } from "../net/arena.ts";
import { BROKEN, Connection, END, WAIT } from "../net/connection.ts";
import { KeptBytes } from "../net/kept-bytes.ts";
import { accessLine } from "./access-log.ts";
import type { Client, ClientOrigin } from "./client.ts";
import type { Context } from "./context.ts";
import { PROXY_ERRORS, type ProxyErrorCode } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import * as limits from "./limits.ts";
import { EndpointDial, startTunnel } from "./open-tunnel.ts";
import type { Outcome } from "./outcome.ts";
import { recordClose } from "./outcome.ts";
import { type Reply, replyMethodNotAllowed, replyToBadRequest, replyToFailure } from "./respond.ts";
import { Router } from "./router.ts";
import type { Upstream } from "./upstream.ts";

const State = { head: 0, waiting: 1, exchange: 2, closing: 3, lingering: 4 } as const;
type State = (typeof State)[keyof typeof State];

const CONNECTED = "HTTP/1.1 200 OK\r\n\r\n";

export class Downstream extends Connection implements Client {
  readonly context: Context;
  readonly origin: ClientOrigin;
  readonly #exchange: Exchange;
  readonly #router: Router;
  readonly #timer: Timer;
  #state: State = State.head;
  #head: RequestHead | null = null;
  /** Bytes that were read but not used: part of a head or body, or what was sent ahead. */
  readonly #kept: KeptBytes;
  /** The kept bytes are to be looked at; otherwise they wait for more. */
  #isUnseen = false;
  #needsLinger = false;
  #lingeredBytes = 0;
  #progress = 0;
  #dial: EndpointDial | null = null;
  #access: { method: string; target: string; authority: string } | null = null;

  constructor(context: Context, fd: number, origin: ClientOrigin) {
    super(context.io, fd);
    this.context = context;
    this.origin = origin;
    this.#kept = new KeptBytes(context.io.arena);
    this.#exchange = new Exchange(context, this);
    this.#router = new Router(context, origin);
    this.#timer = new Timer(() => context.io.loop.guard(this, () => this.#onTimer()));
    this.#arm(limits.HEAD_TIMEOUT_MS);
  }

  /** Starts to serve; with `early` bytes in `arena` that were read before. */
  begin(): void {
    this.readable = true;
    this.io.loop.defer(this);
  }

  protected override onReady(drained: boolean): void {
    if (this.hasError) return this.#abort();
    if (drained) this.#onDrained();
    if (this.isOpen && this.readable) this.#pump();
  }

  override onDeferred(): void {
    if (this.isOpen) this.#pump();
  }

  override onFault(): void {
    this.#abort();
  }

  /** Something this connection waited for has changed; it looks again at the end of the turn. */
  wantsPump(): void {
    this.io.loop.defer(this);
  }

  /** Discovery has news: the request is read again, from its kept first byte. */
  onDirectoryChange(): void {
    if (this.#state !== State.waiting) return;
    this.#state = State.head;
    this.#isUnseen = true;
    this.wantsPump();
  }

  /** Closes at once if nothing is going on; otherwise after the response under way. */
  drain(): void {
    if (this.#state === State.head && this.#kept.length === 0 && this.#head === null)
      this.#closeNow();
  }

  override close(): void {
    this.#closeNow();
  }

  #onDrained(): void {
    if (this.#state === State.closing) this.#afterFlush();
    else this.#exchange.upstream?.pump();
  }

  #pump(): void {
    for (let reads = 0; this.isOpen; reads++) {
      if (this.#isUnseen) {
        if (!this.#useKept()) return;
        continue;
      }
      if (!this.readable || !this.#wantsBytes()) return;
      if (reads >= limits.READS_PER_TURN) return this.wantsPump();
      const kept = this.#kept;
      const at = kept.length > 0 ? kept.end : INPUT;
      const count = this.read(at, kept.length > 0 ? kept.room : INPUT_BYTES);
      if (count === WAIT) return;
      if (count === BROKEN) return this.#abort();
      if (count === END) return this.#onEnd();
      this.#onBytes(kept.length > 0 ? kept.start : INPUT, at + count);
    }
  }

  /** Looks at the kept bytes before the socket's. False: it is not their turn. */
  #useKept(): boolean {
    const { start, end } = this.#kept;
    if (this.#state === State.head) this.#process(start, end);
    else if (this.#state === State.exchange && this.#exchange.takesBody)
      this.#relayBody(start, end);
    else return false;
    return true;
  }

  #wantsBytes(): boolean {
    switch (this.#state) {
      case State.head:
        return this.queuedBytes === 0;
      case State.exchange:
        return this.#exchange.takesBody;
      case State.lingering:
        return true;
      default:
        return false;
    }
  }

  #onBytes(start: number, end: number): void {
    if (this.#state === State.head) this.#process(start, end);
    else if (this.#state === State.exchange) this.#relayBody(start, end);
    else if ((this.#lingeredBytes += end - start) > limits.LINGER_BYTES_MAX) this.#closeNow();
  }

  #onEnd(): void {
    const isIdle = this.#state === State.head && this.#kept.length === 0 && this.#head === null;
    if (isIdle || this.#state === State.lingering) return this.#closeNow();
    // The request's rest will never come (RFC 9112 §8).
    this.context.count("client_aborted");
    if (this.#state === State.head) this.#refuse(replyToBadRequest("bad-framing"));
    else this.#abort();
  }

  /** Parses requests from `bytes[start, end)` until one is under way. */
  #process(start: number, end: number): void {
    const { bytes } = this.io.arena;
    let at = start;
    while (this.isOpen) {
      if (this.#state !== State.head) return this.#keep(at, end, true);
      if (at === end) return this.#keep(at, end, false);
      if (this.#head === null) {
        this.#head = this.context.takeRequestHead();
        this.#arm(limits.HEAD_TIMEOUT_MS);
      }
      const head = this.#head;
      const step = head.parse(bytes, at, end);
      if (step === Step.incomplete) return this.#keep(at, end, false);
      if (step === Step.malformed) return this.#refuse(replyToBadRequest(head.error));
      const used = this.#serve(head, at, end);
      if (this.#isWaiting()) return this.#keep(at, end, false);
      if (used === -1) return this.#refuse(replyToBadRequest("bad-chunk"));
      at = used;
    }
  }

  #isWaiting(): boolean {
    return this.#state === State.waiting;
  }

  /** Starts the exchange for a parsed head; returns how far the bytes were used. */
  #serve(head: RequestHead, base: number, end: number): number {
    const { bytes } = this.io.arena;
    const past = base + head.end;
    const route = this.#router.route(bytes, base, head);
    if (route.kind === "unknown") {
      if (this.context.directory.wait(route.authority, this)) {
        this.#state = State.waiting;
        this.#dropHead();
        this.#arm(limits.FAILFAST_MS);
      } else this.#replyOnly("overloaded", head);
      return past;
    }
    if (this.context.access !== null) this.#access = this.#router.describe(bytes, base, head);
    if (route.kind === "refused") {
      this.#replyOnly(route.code, head);
      return past;
    }
    if (head.method === Method.connect) {
      this.#dropHead();
      if (this.origin.kind === "inbound") this.#refuse(replyMethodNotAllowed());
      else this.#connect(route.service);
      return past;
    }
    if (!this.context.enter()) {
      this.#replyOnly("overloaded", head);
      return past;
    }
    this.#state = State.exchange;
    this.#progress = -1;
    this.#arm(limits.CLIENT_STALL_MS);
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

  /** CONNECT: bytes that came after it wait until the endpoint is connected. */
  #connect(service: Service): void {
    this.#state = State.exchange;
    this.#exchange.request.start(BodyKind.none, BodyKind.none, 0);
    this.context.inFlight++;
    const dial = new EndpointDial(
      this.context,
      service,
      limits.CONNECT_TIMEOUT_MS,
      (server, endpoint) => {
        this.#dial = null;
        this.#writeText(CONNECTED);
        this.joinWith(server, endpoint);
      },
      (code) => {
        this.#dial = null;
        this.refuseWith(code);
      },
    );
    this.#dial = dial;
    dial.start();
  }

  /** Refuses a well-formed request without an exchange. */
  #replyOnly(code: ProxyErrorCode, head: RequestHead): void {
    const { isChunked, contentLength } = head.framing;
    const isWhole = !isChunked && contentLength <= 0;
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
      if (this.#exchange.hasResponded) return this.#abort();
      return this.#refuse(replyToBadRequest("bad-chunk"));
    }
    if (!this.isOpen) return;
    this.#keep(used, end, used < end && this.#exchange.request.isDone);
    if (this.#exchange.upstream?.isBroken) this.#exchange.onBackendGone("backend-closed");
  }

  /** Writes a proxy-made response; returns its status. */
  replyFailure(code: ProxyErrorCode, isRequestRead: boolean): number {
    const closes = !isRequestRead || !this.#exchange.clientKeepsAlive || this.context.isDraining;
    const reply = replyToFailure(code, "", closes);
    if (closes) this.#exchange.clientKeepsAlive = false;
    // Failed connects are counted one by one, where they fail.
    if (!code.startsWith("connect-")) this.context.count(PROXY_ERRORS[code].counter);
    this.#write(reply);
    return reply.status;
  }

  /** The response is written (or queued): on to the next request, or to the end. */
  afterExchange(goesOn: boolean): void {
    this.#leave();
    if (!this.isOpen) return;
    if (this.isBroken) return this.#abort();
    if (!goesOn || this.context.isDraining) return this.#finish(!this.#exchange.request.isDone);
    this.#state = State.head;
    this.#arm(limits.CLIENT_IDLE_MS);
    this.#isUnseen = this.#kept.length > 0;
    if (this.#isUnseen || this.readable) this.wantsPump();
  }

  /** The response broke off: the client sees a reset, never a short body that looks whole. */
  cut(): void {
    this.#leave();
    this.#release();
    super.reset();
  }

  logAccess(outcome: Outcome): void {
    if (this.context.access === null || this.#access === null) return;
    this.context.access(accessLine(this.#access, outcome, this.origin));
    this.#access = null;
  }

  /** Both sides agreed to leave HTTP: kept bytes go first, then all that comes. */
  becomeTunnel(upstream: Upstream): void {
    const endpoint = this.#exchange.detachForTunnel();
    if (endpoint === null) return;
    this.context.count("upgraded");
    // `detach` gave the endpoint's place in the balancer back; the tunnel takes its own.
    this.context.balancer.acquire(endpoint);
    this.joinWith(upstream, endpoint);
  }

  /** Gives this connection to a tunnel with `server`, kept bytes first. */
  joinWith(server: Connection, endpoint: Endpoint): void {
    const { context, origin } = this;
    this.io.loop.timers.disarm(this.#timer);
    context.clients.delete(this);
    const { start, end, length } = this.#kept;
    const early = length > 0 ? { start, end } : null;
    startTunnel(context, this, server, endpoint, early, (client) => {
      context.leave();
      recordClose(context, origin.series, client.bytesRead, client.bytesWritten);
      context.rows.add(context.worker, "connections", -1);
    });
    this.#kept.clear();
  }

  #refuse(reply: Reply): void {
    this.context.count("bad_request");
    this.#dropHead();
    this.#write(reply);
    this.#finish(true);
  }

  /** Refuses with a proxy error and closes; for CONNECT, which has no exchange. */
  refuseWith(code: ProxyErrorCode): void {
    this.#leave();
    this.#write(replyToFailure(code, "", true));
    this.#finish(true);
  }

  #write(reply: Reply): void {
    this.#writeText(reply.text);
  }

  #writeText(text: string): void {
    const { bytes } = this.io.arena;
    for (let i = 0; i < text.length; i++) bytes[OUTPUT + i] = text.charCodeAt(i);
    this.write(OUTPUT, OUTPUT + text.length);
  }

  /** Nothing more is answered: flush, then close, lingering where unread bytes would reset it. */
  #finish(needsLinger: boolean): void {
    this.#needsLinger = needsLinger || this.#kept.length > 0 || this.readable;
    this.#state = State.closing;
    this.#arm(limits.CLIENT_STALL_MS);
    if (this.queuedBytes === 0) this.#afterFlush();
  }

  #afterFlush(): void {
    if (!this.#needsLinger) return this.#closeNow();
    this.#state = State.lingering;
    this.#kept.clear();
    this.end();
    this.#arm(limits.LINGER_MS);
    this.wantsPump();
  }

  #onTimer(): void {
    if (this.#state === State.waiting) {
      this.context.directory.stopWaiting(this);
      return this.refuseWith("failfast");
    }
    if (this.#state !== State.exchange) {
      if (this.#state !== State.head || this.#head === null) return this.#closeNow();
      this.#dropHead();
      return this.refuseWith("request-timeout");
    }
    const isClientsTurn = this.queuedBytes > 0 || this.#exchange.takesBody;
    const progress = this.bytesRead + this.bytesWritten;
    if (isClientsTurn && progress === this.#progress) return this.#abort();
    this.#progress = progress;
    this.#arm(limits.CLIENT_STALL_MS);
  }

  #arm(ms: number): void {
    const { clock, timers } = this.io.loop;
    timers.arm(this.#timer, clock.nowMs + ms);
  }

  #leave(): void {
    if (this.#state === State.exchange) this.context.leave();
    this.#state = State.closing;
  }

  #abort(): void {
    if (!this.isOpen) return;
    this.#exchange.abort();
    this.#leave();
    this.#release();
    super.reset();
  }

  #closeNow(): void {
    if (!this.isOpen) return;
    this.#release();
    super.close();
  }

  #release(): void {
    this.#dial?.cancel();
    this.#dial = null;
    this.io.loop.timers.disarm(this.#timer);
    this.context.directory.stopWaiting(this);
    this.context.clients.delete(this);
    this.#dropHead();
    this.#kept.clear();
    recordClose(this.context, this.origin.series, this.bytesRead, this.bytesWritten);
    this.context.rows.add(this.context.worker, "connections", -1);
  }

  #dropHead(): void {
    if (this.#head !== null) this.context.returnRequestHead(this.#head);
    this.#head = null;
  }

  /** Keeps `bytes[at, end)` for later. */
  #keep(at: number, end: number, isUnseen: boolean): void {
    this.#isUnseen = isUnseen && end > at;
    if (!this.#kept.keep(at, end)) this.#abort();
  }
}
