/** Makes services of snapshots out of what was found: rows for their endpoints, labels for both. */
import type { Service, Snapshot } from "../mesh/snapshot.ts";
import type { Memory } from "../shared/memory.ts";
import { type EndpointAddress, EndpointTable } from "./endpoint-table.ts";
import type { Log } from "./hosts.ts";
import { Retired } from "./retired.ts";
import type { SeriesAllocator } from "./series-allocator.ts";

export type Found = {
  readonly addresses: readonly EndpointAddress[];
  /** Why there are no addresses, if so. */
  readonly failure: Service["failure"];
  readonly routes: Service["routes"];
};

/** The same list each time, so that services that are built anew are the same. */
export const NO_ROUTES: Found["routes"] = [];

/** A service that there is or may be, and where it is found. */
export type Entry = {
  readonly name: string;
  /** null: it is not known yet, or there is none. */
  readonly find: () => Found | null;
  /** To be built anew. */
  isStale: boolean;
  /** Endpoints were left out for want of rows. */
  isShort: boolean;
  /** As it was built last; null: it is not in the snapshot. */
  service: Service | null;
};

export function newEntry(name: string, find: () => Found | null): Entry {
  return { name, find, isStale: true, isShort: false, service: null };
}

export type ServiceBuilderOptions = {
  readonly memory: Memory;
  readonly series: SeriesAllocator;
  /** Returns the least version of a snapshot that all workers have taken. */
  readonly acknowledged: () => number;
  readonly log: Log;
};

export class ServiceBuilder {
  readonly #options: ServiceBuilderOptions;
  readonly #endpoints: EndpointTable;
  readonly #retiredSeries = new Retired<number>();
  /** Of all refused names together: they are too many to be told apart. */
  #refusedSeries: number | null = null;

  constructor(options: ServiceBuilderOptions) {
    const { memory, series, acknowledged } = options;
    this.#options = options;
    this.#endpoints = new EndpointTable(memory, series, acknowledged);
  }

  /** Builds an entry's service for snapshot `version`. Endpoints that stay are the same objects. */
  build(entry: Entry, version: number): void {
    entry.isStale = false;
    const found = entry.find();
    if (found === null) return this.remove(entry, version);
    const { name } = entry;
    const { addresses, failure, routes } = found;
    const { endpoints, leftOut } = this.#endpoints.assign(name, addresses, version);
    if (leftOut > 0 && !entry.isShort) {
      const fields = { service: name, leftOut, used: endpoints.length };
      this.#options.log.warn("too many endpoints; some of a service are left out", fields);
    }
    entry.isShort = leftOut > 0;
    const service: Service = {
      name,
      series: entry.service?.series ?? this.#seriesOf(name),
      endpoints,
      failure: addresses.length === 0 ? failure : null,
      routes,
    };
    if (entry.service === null || !isSameService(entry.service, service)) entry.service = service;
  }

  /** Snapshot `version` is the first without it. */
  remove(entry: Entry, version: number): void {
    if (entry.service === null) return;
    this.#endpoints.assign(entry.name, [], version);
    this.#retiredSeries.put(entry.name, entry.service.series, version);
    entry.service = null;
  }

  refused(name: string, failure: Service["failure"]): Service {
    const labels = { direction: "outbound", authority: "other", target: "" } as const;
    this.#refusedSeries ??= this.#options.series.allocate(labels);
    return { name, series: this.#refusedSeries, endpoints: [], failure, routes: NO_ROUTES };
  }

  /** Frees what no worker can touch any more. */
  collect(): void {
    this.#endpoints.collect();
    this.#retiredSeries.collect(
      this.#options.acknowledged(),
      () => true,
      (series) => this.#options.series.free(series),
    );
  }

  #seriesOf(name: string): number {
    const labels = { direction: "outbound", authority: name, target: "" } as const;
    return this.#retiredSeries.revive(name) ?? this.#options.series.allocate(labels);
  }
}

export function areSame(a: readonly Service[], b: readonly Service[]): boolean {
  return (
    a.length === b.length &&
    a.every((service, i) => {
      const other = b[i];
      return other !== undefined && (service === other || isSameService(service, other));
    })
  );
}

/** Endpoints and routes that stay are the same objects. */
function isSameService(a: Service, b: Service): boolean {
  return (
    a.name === b.name &&
    a.series === b.series &&
    a.failure === b.failure &&
    a.routes === b.routes &&
    a.endpoints.length === b.endpoints.length &&
    a.endpoints.every((endpoint, i) => endpoint === b.endpoints[i])
  );
}

export function areSameAliases(a: Snapshot["aliases"], b: Snapshot["aliases"]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, service }, i) => b[i]?.name === name && b[i]?.service === service)
  );
}
