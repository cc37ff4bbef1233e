/**
 * Requests that wait at an endpoint which hangs (balancer/silence.ts) go elsewhere, those that may. What
 * a request costs for it is nothing: it is the shared rows that are looked at, and only when an endpoint
 * hangs and requests of this worker wait there are its connections sought among all.
 */
import { elapsedMs } from "../balancer/peak-ewma.ts";
import { hasAnswered, hastenTrial, type Look, Silence } from "../balancer/silence.ts";
import type { Endpoint } from "../mesh/snapshot.ts";
import type { Context } from "../proxy/context.ts";
import type { Exchange } from "../proxy/exchange.ts";
import { Http2Upstream } from "../proxy/http2-upstream.ts";
import { HANG_LOOK_MS, HANG_STALLED_MS, UNANSWERED_MS, UNANSWERED_TIMES } from "../proxy/limits.ts";
import { isSame } from "../proxy/pool.ts";
import { Upstream } from "../proxy/upstream.ts";

export class HangSweep {
  readonly #context: Context;
  /** Of endpoints that are set aside, by row. */
  readonly #silences = new Map<number, Silence>();
  #lookedMs = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Called often; looks four times a second. `nowMs` is the loop's clock. */
  sweep(nowMs: number): void {
    const beforeMs = this.#lookedMs;
    if (nowMs - beforeMs < HANG_LOOK_MS) return;
    this.#lookedMs = nowMs;
    // What this worker could not read yet, because it stood still or has too much to do, looks like
    // silence of everybody: others must answer, and one must not, all over again.
    const { directory, shedding } = this.#context;
    if (nowMs - beforeMs > HANG_STALLED_MS || shedding.share > 0) return this.#silences.clear();
    for (const { endpoints } of directory.services) {
      if (endpoints.length > 1) this.#lookAt(endpoints, nowMs, beforeMs);
    }
    for (const [row, { lookedMs }] of this.#silences) {
      if (lookedMs !== nowMs) this.#silences.delete(row);
    }
  }

  #lookAt(pool: readonly Endpoint[], nowMs: number, beforeMs: number): void {
    const { balancer, endpoints: rows, worker } = this.#context;
    for (const endpoint of pool) {
      const { row } = endpoint;
      if (rows.trialAtMs(row) === 0) continue;
      // A snapshot's list may be one that nothing was picked from yet: what was seen so far holds.
      const usualUs = balancer.usualUs(pool, nowMs);
      const leastMs = Math.max(UNANSWERED_MS, (UNANSWERED_TIMES * usualUs) / 1_000);
      const look = this.#see(endpoint, pool, nowMs, beforeMs);
      const silence = this.#silences.get(row);
      // In a second pool it has been looked at already.
      if (silence?.lookedMs === nowMs) continue;
      if (silence === undefined) {
        this.#silences.set(row, new Silence(look));
        continue;
      }
      const verdict = silence.look(look, leastMs);
      if (verdict === "untried") hastenTrial(rows, row, nowMs);
      else if (verdict === "hangs" && rows.unanswered(row, worker) > 0) {
        this.#empty(endpoint, leastMs);
      }
    }
  }

  #see(endpoint: Endpoint, pool: readonly Endpoint[], nowMs: number, beforeMs: number): Look {
    const { endpoints: rows } = this.#context;
    const { row } = endpoint;
    return {
      nowMs,
      asideMs: rows.asideMs(row),
      trials: rows.trials(row),
      answeredMs: rows.answeredMs(row),
      sentMs: this.#sentMs(row, nowMs),
      waitedMs: rows.silentMs(row, nowMs),
      othersAnswered: hasAnswered(rows, pool, nowMs - beforeMs, nowMs),
    };
  }

  /** When it was last sent a request by a worker that would have read the answer. */
  #sentMs(row: number, nowMs: number): number {
    const { endpoints, rows } = this.#context;
    let lastMs = 0;
    for (let worker = 0; worker < rows.count; worker++) {
      const sentMs = endpoints.sentMs(row, worker);
      if (sentMs === 0 || elapsedMs(nowMs, rows.get(worker, "beatMs")) > HANG_STALLED_MS) continue;
      if (lastMs === 0 || ((sentMs - lastMs) | 0) > 0) lastMs = sentMs;
    }
    return lastMs;
  }

  #empty(endpoint: Endpoint, leastMs: number): void {
    const { loop } = this.#context.io;
    const waiting: Exchange[] = [];
    const shared: Http2Upstream[] = [];
    loop.poller.each((handler) => {
      const isHttp2 = handler instanceof Http2Upstream;
      if (!isHttp2 && !(handler instanceof Upstream)) return;
      if (handler.endpoint.row !== endpoint.row || !isSame(handler.endpoint, endpoint)) return;
      if (isHttp2) {
        handler.frames.addWaiting(waiting);
        shared.push(handler);
      } else handler.addWaiting(waiting);
    });
    for (const exchange of waiting) if (!this.#leave(exchange, endpoint, leastMs)) break;
    for (const connection of shared) connection.retireIfEmpty();
  }

  /** False: no other may leave either, for want of budget. */
  #leave(exchange: Exchange, endpoint: Endpoint, leastMs: number): boolean {
    const handler = { onEvents: () => {}, onFault: () => exchange.onFault() };
    let goesOn = true;
    this.#context.io.loop.guard(handler, () => {
      goesOn = exchange.leaveHung(endpoint, leastMs);
    });
    return goesOn;
  }
}
