/** What every connection of one worker shares. One worker, one thread, so nothing here is locked. */

import type { Balancer } from "../balancer/balancer.ts";
import type { Breaker } from "../balancer/breaker.ts";
import { RequestHead } from "../codec/http1/request-head.ts";
import { ResponseHead } from "../codec/http1/response-head.ts";
import { Members } from "../lib/members.ts";
import type { Endpoint, InboundPolicy } from "../mesh/snapshot.ts";
import { Counter, type CounterName } from "../metrics/catalog.ts";
import { DECODED, ENCODED, ENCODED_BYTES } from "../net/arena.ts";
import type { Io } from "../net/connection.ts";
import type { Http2Memory } from "../protocol/http2/connection.ts";
import { KeptBudget } from "../protocol/http2/kept-data.ts";
import { KEPT_BYTES_MAX } from "../protocol/http2/limits.ts";
import type { Counters } from "../shared/counters.ts";
import type { EndpointRows } from "../shared/endpoint-rows.ts";
import { DrainPhase } from "../shared/layout.ts";
import type { LearnedTargets } from "../shared/learned-targets.ts";
import type { WorkerRows } from "../shared/worker-rows.ts";
import type { Client, ClientOrigin } from "./client.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { Directory } from "./directory.ts";
import { HandshakeGate } from "./handshake-gate.ts";
import { Http2Pools } from "./http2-pool.ts";
import type { Http2Request } from "./http2-request.ts";
import type { UpstreamStream } from "./http2-upstream-stream.ts";
import { IN_FLIGHT_MAX, KEPT_PART } from "./limits.ts";
import { Lines } from "./lines.ts";
import { MeshTls } from "./mesh-tls.ts";
import type { OpenTunnel } from "./open-tunnel.ts";
import type { Pools } from "./pool.ts";
import { Recycler } from "./recycler.ts";
import { RetryBudgets } from "./retry-budget.ts";
import { Shedding } from "./shedding.ts";
import type { Watch } from "./watch.ts";

export class Context {
  readonly io: Io;
  readonly worker: number;
  readonly rows: WorkerRows;
  readonly counters: Counters;
  readonly balancer: Balancer;
  readonly endpoints: EndpointRows;
  readonly breaker: Breaker;
  readonly directory: Directory;
  readonly pools: Pools;
  readonly learned: LearnedTargets;
  /** Whether an address is one of this process's own listeners. */
  readonly isOwn: (endpoint: Endpoint) => boolean;
  readonly detectTimeoutMs: number;
  /** Client connections that speak HTTP or have not yet been joined. */
  readonly clients = new Members<Client>();
  readonly tunnels = new Members<OpenTunnel>();
  /** Whoever is told of each request; null while nobody is, and then no request is described. */
  watch: Watch | null = null;
  /** One of DrainPhase: clients that were there then were told. */
  drainedTo: number = DrainPhase.none;
  /** The same for the process, although this worker may not have been woken yet to begin with it. */
  readonly drainPhase: () => number;
  readonly policy: InboundPolicy;
  /** Makes the client that ends TLS for our name on `fd`. */
  readonly terminateTls: (context: Context, fd: number, origin: ClientOrigin) => ClientConnection;
  readonly mesh: MeshTls;
  readonly handshakes: HandshakeGate;
  inFlight = 0;
  /** How often a connection was written to that several streams of HTTP/2 share, see worker/gathering.ts. */
  sharedWrites = 0;
  /** What streams keep because the other side is slow. */
  readonly keptBudget: KeptBudget;
  readonly http2: Http2Pools;
  /** Requests that wait for an endpoint to be there. */
  readonly lines: Lines;
  /** Whether there is more to do than this worker can. */
  readonly shedding = new Shedding();
  readonly inFlightMax: number;
  readonly retryBudgets: RetryBudgets;
  readonly requests = new Recycler<Http2Request>();
  readonly upstreamStreams = new Recycler<UpstreamStream>();
  readonly http2Memory: Http2Memory;
  readonly #requestHeads: RequestHead[] = [];
  readonly #responseHeads: ResponseHead[] = [];

  constructor(parts: ContextParts) {
    this.io = parts.io;
    this.worker = parts.worker;
    this.rows = parts.rows;
    this.counters = parts.counters;
    this.balancer = parts.balancer;
    this.endpoints = parts.endpoints;
    this.breaker = parts.breaker;
    this.directory = parts.directory;
    this.pools = parts.pools;
    this.learned = parts.learned;
    this.isOwn = parts.isOwn;
    this.detectTimeoutMs = parts.detectTimeoutMs;
    this.drainPhase = parts.drainPhase;
    this.policy = parts.policy;
    this.terminateTls = parts.terminateTls;
    const keptBytes = parts.io.arena.capacityBytes * KEPT_PART;
    this.keptBudget = new KeptBudget(Math.min(keptBytes, KEPT_BYTES_MAX));
    this.mesh = new MeshTls(parts.io.arena);
    this.handshakes = new HandshakeGate(parts.io.loop);
    this.retryBudgets = new RetryBudgets(parts.rows.count);
    this.lines = new Lines(this);
    this.inFlightMax = Math.max(1, Math.floor(IN_FLIGHT_MAX / parts.rows.count));
    this.http2 = new Http2Pools(this);
    this.http2Memory = {
      budget: this.keptBudget,
      decodedAt: DECODED,
      scratch: { start: ENCODED, end: ENCODED + ENCODED_BYTES },
    };
  }

  /** null: nothing. */
  count(name: CounterName | null): void {
    if (name !== null) this.counters.add(Counter[name], 1);
  }

  /** Counts a request or tunnel in. False: too many, refuse it; `tooMany` says which. */
  enter(): boolean {
    if (this.inFlight >= this.inFlightMax) return this.#refuse("overloaded");
    if (this.shedding.share > 0 && this.shedding.refuses(this.balancer.random)) {
      return this.#refuse("shed");
    }
    this.inFlight++;
    return true;
  }

  /** Why `enter` said no. */
  tooMany: "overloaded" | "shed" = "overloaded";

  #refuse(why: "overloaded" | "shed"): false {
    this.tooMany = why;
    return false;
  }

  leave(): void {
    this.inFlight--;
  }

  /** A head to parse into; given back with `returnRequestHead` when its message is understood. */
  takeRequestHead(): RequestHead {
    const head = this.#requestHeads.pop() ?? new RequestHead();
    head.reset();
    return head;
  }

  returnRequestHead(head: RequestHead): void {
    if (this.#requestHeads.length < HEADS_KEPT) this.#requestHeads.push(head);
  }

  takeResponseHead(): ResponseHead {
    const head = this.#responseHeads.pop() ?? new ResponseHead();
    head.reset();
    return head;
  }

  returnResponseHead(head: ResponseHead): void {
    if (this.#responseHeads.length < HEADS_KEPT) this.#responseHeads.push(head);
  }
}

/** A head is 2 KiB; most connections never hold one between two turns. */
const HEADS_KEPT = 64;

export type ContextParts = Pick<
  Context,
  | "io"
  | "worker"
  | "rows"
  | "counters"
  | "balancer"
  | "endpoints"
  | "breaker"
  | "directory"
  | "pools"
  | "learned"
  | "isOwn"
  | "detectTimeoutMs"
  | "drainPhase"
  | "policy"
  | "terminateTls"
>;
