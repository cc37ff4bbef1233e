/**
 * Main thread: from the upstreams on the command line and the names that workers ask for to the
 * snapshots they route by. Whatever changes marks its services stale; at the end of the turn these
 * are built anew, and a snapshot is published if anything differs.
 */
import type { HostPort } from "../mesh/address.ts";
import { lookupKeys, normalizeAuthority, splitAuthority } from "../mesh/authority.ts";
import type { EndpointPeer, Service, Snapshot, Speaks } from "../mesh/snapshot.ts";
import type { Memory } from "../shared/memory.ts";
import { Clients } from "./clients.ts";
import { type EndpointAddress, EndpointTable } from "./endpoint-table.ts";
import { Hosts, type Log } from "./hosts.ts";
import { NAMES_MAX, Names } from "./names.ts";
import { Retired } from "./retired.ts";
import type { SeriesAllocator } from "./series-allocator.ts";
import { type Target, targetOf } from "./target.ts";
import { systemTiming, type Timing } from "./timing.ts";

/** The system's resolver does not tell how long an answer is good for. */
export const DNS_REFRESH_MS = 5_000;

/** A host name (RFC 1035) and a port. What is longer never was a valid authority. */
const NAME_CHARS_MAX = 253 + ":65535".length;

export type Upstream = {
  readonly name: string;
  readonly endpoints: readonly (HostPort & {
    readonly speaks?: Speaks;
    readonly peer?: EndpointPeer | null;
  })[];
};

export type RegistryOptions = {
  readonly memory: Memory;
  readonly upstreams: readonly Upstream[];
  readonly series: SeriesAllocator;
  /** Must settle within bounded time; rejects with DnsTimeout when the time is over. */
  readonly resolveHost: (host: string) => Promise<readonly Uint8Array[]>;
  readonly publish: (snapshot: Snapshot) => void;
  /** Returns the least version of a snapshot that all workers have taken. */
  readonly acknowledged: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly log: Log;
  readonly timing?: Timing;
};

type Entry = {
  readonly name: string;
  readonly isStatic: boolean;
  readonly targets: readonly Target[];
  /** To be built anew. */
  isStale: boolean;
  /** Endpoints were left out for want of rows. */
  isShort: boolean;
  /** Null while the first lookup of a name that a worker asked for lasts. */
  service: Service | null;
};

export class Registry {
  readonly #options: RegistryOptions;
  readonly #timing: Timing;
  readonly #hosts: Hosts;
  readonly #endpoints: EndpointTable;
  readonly #statics = new Map<string, Entry>();
  readonly #names = new Names<Entry>();
  readonly #retiredSeries = new Retired<number>();
  /** Of all refused names together: they are too many to be told apart. */
  #refusedSeries: number | null = null;
  readonly #clients: Clients;
  #snapshot: Snapshot = { version: 0, services: [], aliases: [], inbound: null, clients: [] };
  #isPublishDue = false;
  #isStopped = false;
  #stopTimer: (() => void) | null = null;
  #settled: (() => void) | null = null;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
    this.#clients = new Clients(options.series);
    this.#endpoints = new EndpointTable(options.memory, options.series, options.acknowledged);
    this.#hosts = new Hosts({
      resolveHost: options.resolveHost,
      changed: (host) => this.#onHostChange(host),
      log: options.log,
    });
    for (const { name, endpoints } of options.upstreams) {
      const key = normalizeAuthority(name);
      const former = this.#statics.get(key)?.targets ?? [];
      const targets = endpoints.map(({ host, port, speaks = "any", peer = null }) =>
        targetOf(host, { port, speaks, peer }),
      );
      this.#statics.set(key, newEntry(key, true, [...former, ...targets]));
    }
  }

  /**
   * Publishes what is known at once and begins to look up the rest. Resolves when the first lookups
   * of the static upstreams have ended, well or not.
   */
  start(): Promise<void> {
    this.#publish(true);
    this.#stopTimer = this.#timing.every(DNS_REFRESH_MS, () => this.#tick());
    return new Promise((resolve) => {
      this.#settled = resolve;
      this.#settleIfKnown();
    });
  }

  /** A worker misses this authority in its snapshot. A later snapshot has it, or says why not. */
  want(authority: string): void {
    const keys = lookupKeys(authority);
    const name = keys.dns;
    if (name.length > NAME_CHARS_MAX) return;
    if ([keys.exact, keys.bare, name].some((key) => this.#statics.has(key))) return;
    const nowMs = this.#options.nowMs();
    if (this.#names.touch(name, nowMs)) return;
    const split = splitAuthority(name);
    if (split === null || split.port === null) {
      this.#names.refuse(name, "dns-failed", nowMs);
    } else if (this.#names.isFull) {
      this.#options.log.warn("too many names are in use; one is refused", { max: NAMES_MAX, name });
      this.#names.refuse(name, "too-many-names", nowMs);
    } else {
      const entry = newEntry(name, false, [
        targetOf(split.host, { port: split.port, speaks: "any", peer: null }),
      ]);
      this.#names.admit(name, entry, nowMs);
    }
    this.#publishSoon();
  }

  /** A worker has a client whose name its snapshot lacks. */
  meet(name: string): void {
    if (this.#clients.meet(name)) this.#publishSoon();
  }

  /** Returns a service of the newest snapshot as a worker finds it, by `web` or `web:8080`. */
  service(authority: string): Service | null {
    const { exact, bare, dns } = lookupKeys(authority);
    const named = (key: string) => this.#snapshot.services.find(({ name }) => name === key);
    return named(exact) ?? named(bare) ?? named(dns) ?? null;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Publishes nothing more. Lookups that are on their way are let run out. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTimer?.();
    this.#hosts.retain(new Set());
    this.#settleIfKnown();
  }

  #tick(): void {
    const version = this.#snapshot.version + 1;
    const hasFailed = ({ service }: Entry) => service !== null && service.failure !== null;
    for (const name of this.#names.expire(this.#options.nowMs(), hasFailed)) {
      // Its endpoints leave with the next snapshot, which has that version and no such service.
      this.#endpoints.assign(name, [], version);
      const { series } = this.#snapshot.services.find((service) => service.name === name) ?? {};
      if (series !== undefined) this.#retiredSeries.put(name, series, version);
    }
    this.#endpoints.collect();
    this.#retiredSeries.collect(
      this.#options.acknowledged(),
      () => true,
      (series) => this.#options.series.free(series),
    );
    const hosts = new Set<string>();
    for (const entry of this.#entries()) {
      if (entry.isShort) entry.isStale = true;
      for (const { host, ip } of entry.targets) if (ip === null) hosts.add(host);
    }
    this.#hosts.retain(hosts);
    this.#hosts.refresh();
    this.#publishSoon();
  }

  #onHostChange(host: string): void {
    for (const entry of this.#entries()) {
      if (entry.targets.some((target) => target.host === host)) entry.isStale = true;
    }
    this.#publishSoon();
  }

  #publishSoon(): void {
    if (this.#isPublishDue) return;
    this.#isPublishDue = true;
    this.#timing.soon(() => {
      this.#isPublishDue = false;
      this.#publish(false);
    });
  }

  #publish(isFirst: boolean): void {
    if (this.#isStopped) return;
    const version = this.#snapshot.version + 1;
    const services: Service[] = [];
    for (const entry of this.#entries()) {
      if (entry.isStale) this.#build(entry, version);
      if (entry.service !== null) services.push(entry.service);
    }
    for (const [name, failure] of this.#names.refusals()) {
      services.push({ name, series: this.#seriesOfRefused(), endpoints: [], failure, routes: [] });
    }
    const clients = this.#clients.entries();
    const areNew = clients.length > this.#snapshot.clients.length;
    if (isFirst || areNew || !isSame(services, this.#snapshot.services)) {
      this.#snapshot = { version, services, aliases: [], inbound: null, clients };
      this.#options.publish(this.#snapshot);
    }
    this.#settleIfKnown();
  }

  #build(entry: Entry, version: number): void {
    entry.isStale = false;
    const addresses: EndpointAddress[] = [];
    let failure: Service["failure"] = null;
    for (const { host, ip, port, speaks, peer } of entry.targets) {
      const known = ip === null ? this.#hosts.get(host) : { answers: [ip], failure: null };
      for (const answer of known.answers) addresses.push({ ip: answer, port, speaks, peer });
      failure ??= known.failure;
    }
    const isPending = addresses.length === 0 && failure === null;
    if (isPending && !entry.isStatic && entry.service === null) return;
    const { endpoints, leftOut } = this.#endpoints.assign(entry.name, addresses, version);
    if (leftOut > 0 && !entry.isShort) {
      const fields = { service: entry.name, leftOut, used: endpoints.length };
      this.#options.log.warn("too many endpoints; some of a service are left out", fields);
    }
    entry.isShort = leftOut > 0;
    const service: Service = {
      name: entry.name,
      series: entry.service?.series ?? this.#seriesOf(entry.name),
      endpoints,
      failure: addresses.length === 0 ? failure : null,
      routes: [],
    };
    if (entry.service === null || !isSameService(entry.service, service)) entry.service = service;
  }

  #seriesOf(name: string): number {
    const labels = { direction: "outbound", authority: name, target: "" } as const;
    return this.#retiredSeries.revive(name) ?? this.#options.series.allocate(labels);
  }

  #seriesOfRefused(): number {
    const labels = { direction: "outbound", authority: "other", target: "" } as const;
    this.#refusedSeries ??= this.#options.series.allocate(labels);
    return this.#refusedSeries;
  }

  /** Ends the wait of `start` once no static upstream has a first lookup on its way. */
  #settleIfKnown(): void {
    if (this.#settled === null) return;
    const hasFirstLookup = ({ targets }: Entry) =>
      targets.some(({ host, ip }) => {
        if (ip !== null) return false;
        const { answers, failure } = this.#hosts.get(host);
        return answers.length === 0 && failure === null;
      });
    if (!this.#isStopped && [...this.#statics.values()].some(hasFirstLookup)) return;
    this.#settled();
    this.#settled = null;
  }

  #entries(): Entry[] {
    return [...this.#statics.values(), ...this.#names.values()];
  }
}

function newEntry(name: string, isStatic: boolean, targets: readonly Target[]): Entry {
  return { name, isStatic, targets, isStale: true, isShort: false, service: null };
}

function isSame(a: readonly Service[], b: readonly Service[]): boolean {
  return (
    a.length === b.length &&
    a.every((service, i) => {
      const other = b[i];
      return other !== undefined && (service === other || isSameService(service, other));
    })
  );
}

/** Endpoints that stay are the same objects. */
function isSameService(a: Service, b: Service): boolean {
  return (
    a.name === b.name &&
    a.series === b.series &&
    a.failure === b.failure &&
    a.endpoints.length === b.endpoints.length &&
    a.endpoints.every((endpoint, i) => endpoint === b.endpoints[i])
  );
}
