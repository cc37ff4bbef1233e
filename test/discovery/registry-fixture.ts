/** A registry with a clock, a resolver, workers and an event loop that only move when told. */
import * as assert from "uvu/assert";
import { DNS_REFRESH_MS, Registry, type RegistryOptions } from "../../src/discovery/registry.ts";
import type { Upstream } from "../../src/discovery/target.ts";
import { formatHostPort, formatIp, parseIp } from "../../src/mesh/address.ts";
import type { Service, Snapshot } from "../../src/mesh/snapshot.ts";
import { OVERFLOW_SERIES } from "../../src/metrics/series.ts";
import { Counters } from "../../src/shared/counters.ts";
import { EndpointRows } from "../../src/shared/endpoint-rows.ts";
import { allocate } from "../../src/shared/memory.ts";

export type Answer = readonly string[] | Error;

export class RegistryFixture {
  readonly rows: EndpointRows;
  /** Of the first worker. */
  readonly counters: Counters;
  readonly registry: Registry;
  readonly published: Snapshot[] = [];
  readonly lookups: string[] = [];
  readonly logged: string[] = [];
  /** Labels of the series in use. */
  readonly series = new Map<number, string>();
  /** What DNS says; a name that is not here is never answered. */
  readonly dns: Record<string, Answer>;
  acknowledged = 0;
  nowMs = 5_000_000;
  isStarted = false;
  #nextSeries = 10;
  #soon: (() => void)[] = [];
  #tick: () => void = () => {};
  readonly #timers = new Set<{ readonly atMs: number; readonly task: () => void }>();

  constructor(
    upstreams: readonly Upstream[],
    dns: Record<string, Answer> = {},
    mesh: RegistryOptions["mesh"] = null,
  ) {
    const memory = allocate(2);
    this.rows = new EndpointRows(memory);
    this.counters = new Counters(memory, 0);
    this.dns = dns;
    const note =
      (level: string) =>
      (message: string, fields: object = {}) =>
        void this.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    this.registry = new Registry({
      memory,
      // Without a mesh there are tests with more series than counters have.
      counters: mesh === null ? [] : [this.counters],
      mesh,
      upstreams,
      series: {
        allocate: ({ direction, authority, target }) => {
          if (mesh !== null && this.#nextSeries >= OVERFLOW_SERIES) return OVERFLOW_SERIES;
          this.series.set(this.#nextSeries, `${direction} ${authority} ${target}`);
          return this.#nextSeries++;
        },
        free: (series) => {
          if (series === OVERFLOW_SERIES) return;
          assert.ok(this.series.delete(series), `series ${series} freed twice`);
        },
      },
      resolveHost: (host) => {
        this.lookups.push(host);
        const answer = this.dns[host];
        if (answer === undefined) return new Promise(() => {});
        if (answer instanceof Error) return Promise.reject(answer);
        return Promise.resolve(answer.map((text) => parseIp(text) ?? Uint8Array.of()));
      },
      publish: (snapshot) => void this.published.push(snapshot),
      acknowledged: () => this.acknowledged,
      nowMs: () => this.nowMs,
      log: { info: note("info"), warn: note("warn") },
      timing: {
        every: (ms, task) => {
          assert.is(ms, DNS_REFRESH_MS);
          this.#tick = task;
          return () => {
            this.#tick = () => {};
          };
        },
        after: (ms, task) => {
          const timer = { atMs: this.nowMs + ms, task };
          this.#timers.add(timer);
          return () => void this.#timers.delete(timer);
        },
        soon: (task) => void this.#soon.push(task),
      },
    });
    this.registry.start().then(
      () => {
        this.isStarted = true;
      },
      (error: unknown) => this.logged.push(String(error)),
    );
  }

  /** Lets lookups that have an answer end, and turns the event loop until nothing is left to do. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 10; idle++) {
      const due = this.#soon;
      this.#soon = [];
      if (due.length > 0) idle = 0;
      for (const task of due) task();
      await Promise.resolve();
    }
  }

  /** Lets `ms` pass without a refresh. */
  async wait(ms: number): Promise<void> {
    this.nowMs += ms;
    this.#runTimers();
    await this.settle();
  }

  #runTimers(): void {
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.nowMs) continue;
      this.#timers.delete(timer);
      timer.task();
    }
  }

  /** Lets `ms` pass, a refresh at a time. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= DNS_REFRESH_MS) {
      this.nowMs += Math.min(left, DNS_REFRESH_MS);
      this.#runTimers();
      this.#tick();
      await this.settle();
    }
  }

  async want(...authorities: string[]): Promise<void> {
    for (const authority of authorities) this.registry.want(authority);
    await this.settle();
  }

  /** All workers take the newest snapshot. */
  acknowledge(): void {
    this.acknowledged = this.registry.snapshot().version;
  }

  /** `name: addresses` or `name: failure` of each service in the newest snapshot. */
  get view(): string[] {
    return this.registry.snapshot().services.map(describe);
  }

  row(authority: string, index = 0): number {
    return this.registry.service(authority)?.endpoints[index]?.row ?? -1;
  }
}

export function describe({ name, endpoints, failure }: Service): string {
  const targets = endpoints.map(({ ip, port }) => formatHostPort(formatIp(ip), port));
  return `${name}: ${failure ?? (targets.join(" ") || "nothing")}`;
}

export function upstream(name: string, ...endpoints: [host: string, port: number][]): Upstream {
  return { name, endpoints: endpoints.map(([host, port]) => ({ host, port })) };
}

export const WEB = upstream("web", ["10.0.0.1", 81], ["10.0.0.2", 82]);
