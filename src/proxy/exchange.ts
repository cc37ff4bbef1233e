/**
 * One request and its response: which endpoint, on which connection, again or not, and what came
 * of it. A downstream has one exchange and uses it for one request after another.
 *
 * The rebuilt request lies in a chunk until the response begins, so that it can be sent again: on
 * another endpoint when connecting failed, and on a new connection when a reused one turned out to
 * be closed before a byte of the response came, if the request is idempotent or nothing was sent.
 */
import { BodyRelay } from "../codec/http1/body.ts";
import { BodyKind } from "../codec/http1/framing.ts";
import { isIdempotent, Method } from "../codec/http1/method.ts";
import type { RequestHead } from "../codec/http1/request-head.ts";
import { REQUEST_HEAD_GROWTH_BYTES, writeRequestHead } from "../codec/http1/write-request.ts";
import type { Endpoint, Service } from "../mesh/snapshot.ts";
import { CHUNK_BYTES, NONE } from "../net/arena.ts";
import { Dial, type DialFailure } from "../net/dial.ts";
import { accessLine, type Requested } from "./access-log.ts";
import type { Context } from "./context.ts";
import type { Downstream } from "./downstream.ts";
import type { ProxyErrorCode } from "./errors.ts";
import { FAILFAST_MS, TRIES_MAX } from "./limits.ts";
import { codeOf } from "./open-tunnel.ts";
import { record } from "./outcome.ts";
import { RELAY_SCRATCH } from "./scratch.ts";
import { Upstream } from "./upstream.ts";

const NONE_TRIED: readonly Endpoint[] = [];

export class Exchange {
  readonly client: Downstream;
  readonly context: Context;
  /** Carries the request's body. */
  readonly request = new BodyRelay();
  /** For the access log, if there is one. */
  access: Requested | null = null;
  isActive = false;
  isHead = false;
  minorVersion = 1;
  clientKeepsAlive = true;
  expectsContinue = false;
  wantsUpgrade = false;
  /** A byte of a final response was sent to the client. */
  hasResponded = false;
  upstream: Upstream | null = null;
  endpoint: Endpoint | null = null;
  #service: Service | null = null;
  #series = 0;
  #isIdempotent = false;
  #tried: Endpoint[] = [];
  #triedCount = 0;
  #dial: Dial | null = null;
  #chunk = NONE;
  #chunkEnd = 0;
  #isReplayable = false;
  #isRetried = false;
  #startedUs = 0;
  #sentUs = 0;
  #latencyUs = 0;
  #deadlineMs = 0;
  #status = 0;
  #connectTimeoutMs = 0;

  constructor(context: Context, client: Downstream) {
    this.context = context;
    this.client = client;
  }

  /** Starts a request. Returns how far the bytes up to `end` were used; -1: the body is malformed. */
  start(
    head: RequestHead,
    base: number,
    end: number,
    service: Service,
    fixedSeries: number,
    connectTimeoutMs: number,
  ): number {
    const { io } = this.context;
    const { bytes } = io.arena;
    this.isActive = true;
    this.isHead = head.method === Method.head;
    this.minorVersion = head.minorVersion;
    this.clientKeepsAlive = head.keepAlive;
    this.expectsContinue = head.expectsContinue;
    this.wantsUpgrade = head.wantsUpgrade;
    this.hasResponded = false;
    this.#isIdempotent = isIdempotent(head.method);
    this.#service = service;
    this.#series = fixedSeries;
    this.#connectTimeoutMs = connectTimeoutMs;
    if (this.#triedCount > 0) this.#tried = [];
    this.#triedCount = 0;
    this.#isRetried = false;
    this.#status = 0;
    this.#latencyUs = 0;
    this.#startedUs = io.loop.clock.nowUs;
    this.#deadlineMs = io.loop.clock.nowMs + FAILFAST_MS;
    const { isChunked, contentLength } = head.framing;
    const kind = isChunked ? BodyKind.chunked : contentLength > 0 ? BodyKind.length : BodyKind.none;
    this.request.start(kind, kind, contentLength);
    let used = base + head.end;
    this.#chunk = io.arena.allocate();
    if (this.#chunk === NONE) {
      this.fail("no-memory");
      return used;
    }
    this.#chunkEnd = writeRequestHead(bytes, base, head, this.#chunk);
    this.#isReplayable = true;
    const room = this.#chunk + CHUNK_BYTES - this.#chunkEnd - REQUEST_HEAD_GROWTH_BYTES;
    if (!this.request.isDone && end > used && end - used <= room) {
      if (!this.request.relay(bytes, used, end, RELAY_SCRATCH)) return -1;
      bytes.copyWithin(this.#chunkEnd, this.request.outStart, this.request.outEnd);
      this.#chunkEnd += this.request.outEnd - this.request.outStart;
      used = this.request.consumed;
    }
    this.#attempt("no-endpoints");
    return used;
  }

  /** Whether the client's body bytes can be sent on now. */
  get takesBody(): boolean {
    return !this.request.isDone && this.upstream !== null && this.upstream.queuedBytes === 0;
  }

  /** Sends on body bytes; returns how far they were used, or -1 when the chunked coding is broken. */
  relayBody(start: number, end: number): number {
    const upstream = this.upstream;
    if (upstream === null) return start;
    if (!this.request.relay(this.context.io.arena.bytes, start, end, RELAY_SCRATCH)) return -1;
    this.#isReplayable = false;
    upstream.write(this.request.outStart, this.request.outEnd);
    return this.request.consumed;
  }

  /** Chooses an endpoint and sends what is in the chunk. */
  #attempt(last: ProxyErrorCode): void {
    const { balancer, io, pools } = this.context;
    const { clock } = io.loop;
    // A second try may come after a new snapshot: rows have new owners by then.
    const isFirst = this.#triedCount === 0 && !this.#isRetried;
    const service =
      this.#service === null || isFirst
        ? this.#service
        : this.context.directory.current(this.#service);
    const tried = this.#triedCount === 0 ? NONE_TRIED : this.#tried;
    const isOver = this.#triedCount >= TRIES_MAX || clock.nowMs > this.#deadlineMs;
    const endpoint =
      service === null || isOver ? null : balancer.pick(service.endpoints, clock.nowMs, tried);
    if (endpoint === null) return this.fail(service?.failure ?? last);
    balancer.acquire(endpoint);
    this.endpoint = endpoint;
    const wantsNew = this.minorVersion === 0 || this.#isRetried;
    const pooled = wantsNew ? null : (pools.take(endpoint) as Upstream | null);
    if (pooled !== null) {
      this.context.count("pool_hit");
      this.#send(pooled, true);
      return;
    }
    this.context.count("pool_miss");
    this.#dial = new Dial(
      io,
      (dial) => {
        this.#dial = null;
        balancer.connectSucceeded(endpoint);
        this.#send(new Upstream(this.context, dial, endpoint), false);
        this.client.wantsPump();
      },
      (why) => this.#onConnectFailed(why, endpoint),
    );
    this.#dial.start(endpoint, this.#connectTimeoutMs);
  }

  #send(upstream: Upstream, isReused: boolean): void {
    this.upstream = upstream;
    this.#sentUs = this.context.io.loop.clock.nowUs;
    upstream.begin(this, isReused);
    upstream.write(this.#chunk, this.#chunkEnd);
    if (upstream.isBroken) this.onBackendGone("backend-closed");
  }

  #onConnectFailed(why: DialFailure, endpoint: Endpoint): void {
    const { balancer, io } = this.context;
    this.#dial = null;
    const code = codeOf(why);
    const isOurs = why === "no-descriptors";
    if (!isOurs) balancer.connectFailed(endpoint, io.loop.clock.nowMs);
    balancer.release(endpoint);
    this.endpoint = null;
    if (isOurs) return this.fail(code);
    this.context.count(why === "timeout" ? "connect_timeout" : "connect_refused");
    this.#tried.push(endpoint);
    this.#triedCount++;
    this.context.count("retried_connect");
    this.#attempt(code);
  }

  /** The first byte of a final response is there: it is too late to try again. */
  onResponse(status: number): void {
    const { clock } = this.context.io.loop;
    this.#status = status;
    this.#latencyUs = clock.nowUs - this.#startedUs;
    if (this.endpoint !== null) {
      this.context.balancer.observe(this.endpoint, clock.nowUs - this.#sentUs, clock.nowMs);
    }
    this.#freeChunk();
  }

  /** The backend closed or broke off, or sent nonsense. */
  onBackendGone(code: ProxyErrorCode): void {
    const upstream = this.upstream;
    if (upstream === null) return;
    const canRepeat = this.#isIdempotent || upstream.sentBytes === 0;
    const isRaced = upstream.isReused && !upstream.hasReceived && code === "backend-closed";
    this.#dropUpstream();
    if (this.hasResponded) return this.#cut();
    if (isRaced && canRepeat && this.#isReplayable && !this.#isRetried) {
      this.#isRetried = true;
      this.context.count("retried_reused");
      this.#attempt(code);
      return;
    }
    this.fail(code);
  }

  /** Answers for the backend. The connection goes on only if the request is all read. */
  fail(code: ProxyErrorCode): void {
    this.#latencyUs = this.context.io.loop.clock.nowUs - this.#startedUs;
    this.#status = this.client.replyFailure(code, this.request.isDone);
    this.#finish();
    this.client.afterExchange(this.request.isDone && this.clientKeepsAlive);
  }

  /** The response is over. `isReusable`: the backend's connection can serve another request. */
  complete(isReusable: boolean, clientGoesOn: boolean): void {
    const upstream = this.upstream;
    this.upstream = null;
    const isWhole = this.request.isDone;
    if (upstream !== null) upstream.finish(isReusable && isWhole);
    this.#finish();
    this.client.afterExchange(clientGoesOn && isWhole);
  }

  /** The backend switched protocols: the upstream is now the tunnel's. */
  detachForTunnel(): Endpoint | null {
    const endpoint = this.endpoint;
    this.upstream = null;
    this.#finish();
    return endpoint;
  }

  /** The client is gone: nobody waits for the response any more. */
  abort(): void {
    if (!this.isActive) return;
    this.context.count("client_aborted");
    this.#status = 0;
    this.#dial?.cancel();
    this.#dial = null;
    this.#dropUpstream();
    this.#finish();
  }

  /** The response breaks off in the middle; the client must see that it does. */
  #cut(): void {
    this.context.count("backend_aborted");
    this.#status = 0;
    this.#finish();
    this.client.cut();
  }

  #dropUpstream(): void {
    this.upstream?.finish(false);
    this.upstream = null;
    if (this.endpoint !== null) this.context.balancer.release(this.endpoint);
    this.endpoint = null;
  }

  #finish(): void {
    const endpoint = this.endpoint;
    if (endpoint !== null) this.context.balancer.release(endpoint);
    this.endpoint = null;
    this.#freeChunk();
    this.isActive = false;
    const series =
      this.#series >= 0 ? this.#series : (endpoint?.series ?? this.#service?.series ?? 0);
    const outcome = { series, endpoint, status: this.#status, latencyUs: this.#latencyUs };
    record(this.context, outcome);
    if (this.access !== null)
      this.context.access?.(accessLine(this.access, outcome, this.client.origin));
    this.access = null;
  }

  #freeChunk(): void {
    if (this.#chunk === NONE) return;
    this.context.io.arena.free(this.#chunk);
    this.#chunk = NONE;
    this.#isReplayable = false;
  }
}
