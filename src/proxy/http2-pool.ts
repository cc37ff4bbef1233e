/**
 * Connections of HTTP/2 to each endpoint. A request takes a stream on one that has room, which is
 * the peer's MAX_CONCURRENT_STREAMS; when all are full another is opened, up to a few, and beyond
 * that requests wait in line, each until its deadline.
 */
import type { Endpoint } from "../mesh/snapshot.ts";
import type { Context } from "./context.ts";
import type { ConveyanceFailure } from "./conveyance.ts";
import { dialEndpoint } from "./dial-endpoint.ts";
import { Http2Upstream } from "./http2-upstream.ts";
import { HTTP2_CONNECTIONS_MAX, QUEUE_MAX } from "./limits.ts";
import { isSame } from "./pool.ts";

/** Streams that a connection is taken to have before it has said how many. */
const STREAMS_EXPECTED = 100;

export interface StreamWaiter {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** In a pool's line; the pool's own note. */
  isWaiting: boolean;
  /** A connection has room: the stream is to be opened before this returns. */
  onStream(connection: Http2Upstream): void;
  onNoStream(why: ConveyanceFailure): void;
}

class EndpointPool {
  readonly endpoint: Endpoint;
  readonly connections: Http2Upstream[] = [];
  readonly waiters = new Set<StreamWaiter>();
  dials = 0;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }
}

export class Http2Pools {
  readonly #context: Context;
  /** By endpoint row. */
  readonly #pools = new Map<number, EndpointPool>();
  #waiting = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Returns a connection with room, or null: then the waiter is told, now or later. */
  take(endpoint: Endpoint, waiter: StreamWaiter, timeoutMs: number): Http2Upstream | null {
    let pool = this.#pools.get(endpoint.row);
    if (pool === undefined || !isSame(pool.endpoint, endpoint)) {
      // The row has a new owner: what was opened to the old one takes no new streams.
      for (const left of pool === undefined ? [] : this.#retire(pool)) left.onNoStream("gone");
      pool = new EndpointPool(endpoint);
      this.#pools.set(endpoint.row, pool);
    }
    if (pool.waiters.size === 0) {
      const connection = withRoom(pool);
      if (connection !== null) return connection;
    }
    if (this.#waiting >= QUEUE_MAX) {
      waiter.onNoStream("no-stream");
      return null;
    }
    pool.waiters.add(waiter);
    waiter.isWaiting = true;
    this.#waiting++;
    this.#openIfNeeded(pool, timeoutMs);
    return null;
  }

  leave(endpoint: Endpoint, waiter: StreamWaiter): void {
    waiter.isWaiting = false;
    if (this.#pools.get(endpoint.row)?.waiters.delete(waiter) === true) this.#waiting--;
  }

  /** A stream has ended, or the peer allows more: whoever is first in line goes on. */
  onRoom(connection: Http2Upstream): void {
    const pool = this.#pools.get(connection.endpoint.row);
    if (pool === undefined || !pool.connections.includes(connection)) return;
    this.#serve(pool);
    if (pool.waiters.size > 0) this.#openIfNeeded(pool, connection.timeoutMs);
  }

  remove(connection: Http2Upstream): void {
    const { row } = connection.endpoint;
    const pool = this.#pools.get(row);
    const index = pool?.connections.indexOf(connection) ?? -1;
    if (pool === undefined || index === -1) return;
    pool.connections.splice(index, 1);
    if (pool.waiters.size > 0) this.#openIfNeeded(pool, connection.timeoutMs);
    else if (pool.connections.length === 0 && pool.dials === 0) this.#pools.delete(row);
  }

  /** Tells those whose time is over; called a few times a second. */
  sweep(nowMs: number): void {
    if (this.#waiting === 0) return;
    for (const pool of [...this.#pools.values()]) {
      for (const waiter of [...pool.waiters]) {
        if (nowMs < waiter.deadlineMs || !waiter.isWaiting) continue;
        this.#dismiss(pool, waiter);
        waiter.onNoStream("no-stream");
      }
    }
  }

  /**
   * Connections to endpoints that a new snapshot does not have take no new streams. Returns those who
   * are left without one: to be told `gone` when the snapshot is in force, by which they go elsewhere.
   */
  keepOnly(isKnown: (endpoint: Endpoint) => boolean): readonly StreamWaiter[] {
    const left: StreamWaiter[] = [];
    for (const [row, pool] of [...this.#pools]) {
      if (isKnown(pool.endpoint)) continue;
      this.#pools.delete(row);
      left.push(...this.#retire(pool));
    }
    return left;
  }

  /** The process drains: connections that carry nothing are closed. */
  closeIdle(): void {
    if (this.#waiting > 0) return;
    for (const pool of [...this.#pools.values()]) {
      for (const connection of [...pool.connections]) {
        if (connection.frames.streamCount === 0) connection.retire();
      }
    }
  }

  get count(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.connections.length;
    return count;
  }

  /** Its connections take no new streams. Returns who waited for one. */
  #retire(pool: EndpointPool): readonly StreamWaiter[] {
    for (const connection of [...pool.connections]) connection.retire();
    const left = [...pool.waiters];
    for (const waiter of left) this.#dismiss(pool, waiter);
    return left;
  }

  #dismiss(pool: EndpointPool, waiter: StreamWaiter): void {
    waiter.isWaiting = false;
    if (pool.waiters.delete(waiter)) this.#waiting--;
  }

  #serve(pool: EndpointPool): void {
    for (const waiter of pool.waiters) {
      const connection = withRoom(pool);
      if (connection === null) return;
      this.#dismiss(pool, waiter);
      waiter.onStream(connection);
    }
  }

  /** As many at a time as those in line need, and no more than are useful. */
  #openIfNeeded(pool: EndpointPool, timeoutMs: number): void {
    if (pool.dials * STREAMS_EXPECTED >= pool.waiters.size) return;
    const usable = pool.connections.filter((connection) => !connection.isGoingAway).length;
    if (pool.dials + usable >= HTTP2_CONNECTIONS_MAX) return;
    const { balancer } = this.#context;
    const { endpoint } = pool;
    pool.dials++;
    dialEndpoint(
      this.#context,
      endpoint,
      timeoutMs,
      "http2",
      (opened) => {
        pool.dials--;
        balancer.connectSucceeded(endpoint);
        const connection = new Http2Upstream(this.#context, opened, endpoint, timeoutMs);
        // A pool that was retired meanwhile has nobody in line.
        if (this.#pools.get(endpoint.row) !== pool) return connection.retire();
        pool.connections.push(connection);
        connection.begin();
        this.onRoom(connection);
      },
      (why) => {
        pool.dials--;
        for (const waiter of [...pool.waiters]) {
          if (!waiter.isWaiting) continue;
          this.#dismiss(pool, waiter);
          waiter.onNoStream(why);
        }
      },
    );
  }
}

/** The fullest that has room: streams of one connection share its frames and its system calls. */
function withRoom(pool: EndpointPool): Http2Upstream | null {
  for (const connection of pool.connections) if (connection.room > 0) return connection;
  return null;
}
